"""The simulated shop follows its specification, and its truth is the best that anyone can know."""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score

from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.units import DAY_MS
from schemas.wire.decoding import decode_event
from schemas.wire.encoding import encode_event
from streamer.cli import run
from streamer.data.datasets.simulated import SPAN_START_MS, Shop
from streamer.data.datasets.simulated.actions import actions_of
from streamer.data.datasets.simulated.draws import Draws
from streamer.data.datasets.simulated.sessions import Sessions, draw_sessions
from streamer.data.datasets.simulated.truth import drifting_after, truth_of

USERS, DAYS, CUT, HORIZON, ACTIVE = 4_000, 180, 150 * DAY_MS, 14 * DAY_MS, 45 * DAY_MS


@cache
def sessions() -> Sessions:
    return draw_sessions(USERS, DAYS * DAY_MS, Draws(1, 1))


@cache
def small_shop() -> list[Event]:
    return list(Shop(200, 60, 1).events())


def test_the_first_events_of_seed_1() -> None:
    first = [
        (
            event.timestamp - SPAN_START_MS,
            event.event_id,
            event.type,
            event.items[0].item_id if event.items else event.query,
            event.items[0].price if event.items else None,
        )
        for event in itertools.islice(Shop(USERS, DAYS, 1).events(), 9)
    ]
    assert first == [
        (7329, "user-0002100-00000-00", "search", "category-02", None),
        (37860, "user-0002100-00000-01", "view", "item-0002", 26.87),
        (73714, "user-0003243-00000-00", "add_to_cart", "item-1529", 21.91),
        (109357, "user-0002100-00000-02", "view", "item-0929", 29.63),
        (120518, "user-0003243-00000-01", "view", "item-1529", 21.91),
        (164770, "user-0002100-00000-03", "view", "item-0640", 13.89),
        (169903, "user-0003243-00000-02", "view", "item-1613", 35.02),
        (199947, "user-0002100-00000-04", "add_to_cart", "item-0640", 13.89),
        (205626, "user-0003243-00000-03", "view", "item-0434", 6.31),
    ]


def test_the_same_seed_gives_the_same_events_and_another_gives_others() -> None:
    assert list(Shop(200, 60, 1).events()) == small_shop()
    assert list(Shop(200, 60, 2).events())[:10] != small_shop()[:10]


def test_events_are_of_the_contract_sorted_and_within_the_span() -> None:
    events = small_shop()
    keys = [(event.timestamp, event.event_id) for event in events]
    assert keys == sorted(set(keys))
    assert events[0].timestamp >= SPAN_START_MS
    assert events[-1].timestamp < SPAN_START_MS + 60 * DAY_MS
    for event in events[::50]:
        assert decode_event(encode_event(event), None, event.timestamp) == event


def test_users_start_in_the_first_third_and_their_gaps_are_gamma_of_shape_2() -> None:
    drawn = sessions()
    starts = drawn.start_ms[drawn.number == 0] / DAY_MS
    assert len(starts) == USERS
    assert 0 <= starts.min() < 1
    assert 59 < starts.max() < 60
    assert starts.mean() == pytest.approx(30, abs=1)
    means = drawn.mean_gap_ms[drawn.number == 0] / DAY_MS
    assert np.median(means) == pytest.approx(4, abs=0.15)
    assert np.log(means).std() == pytest.approx(0.5, abs=0.02)
    # Only gaps after which the span still lasts long are seen whole.
    again = np.flatnonzero((drawn.number[1:] > 0) & (drawn.start_ms[:-1] < 120 * DAY_MS))
    ends = drawn.start_ms + np.add.reduceat(drawn.pauses_ms, drawn.first_action)
    gaps = (drawn.start_ms[again + 1] - ends[again]) / drawn.mean_gap_ms[again]
    assert gaps.mean() == pytest.approx(1, abs=0.02)
    assert gaps.var() == pytest.approx(1 / 2, abs=0.03)


def test_moods_change_and_users_leave_as_often_as_specified() -> None:
    drawn = sessions()
    followed = np.flatnonzero(drawn.number[1:] > 0)
    before, after = drawn.drifting[followed], drawn.drifting[followed + 1]
    assert not drawn.drifting[drawn.number == 0].any()
    assert after[~before].mean() == pytest.approx(0.06, abs=0.005)
    assert after[before].mean() == pytest.approx(0.80, abs=0.02)
    assert drawn.last[~drawn.drifting].mean() == pytest.approx(0.005, abs=0.001)
    assert drawn.last[drawn.drifting].mean() == pytest.approx(0.40, abs=0.02)
    assert (drawn.reversed != drawn.drifting).mean() == pytest.approx(0.10, abs=0.005)
    assert not drawn.last[followed].any()


def test_a_sessions_actions_are_of_the_same_numbers_in_both_moods() -> None:
    drawn = sessions()
    for mood in (drawn.drifting, ~drawn.drifting):
        for order in (drawn.reversed, ~drawn.reversed):
            chosen = mood & order
            assert drawn.views[chosen].min() == 2
            assert drawn.views[chosen].mean() == pytest.approx(5, abs=0.15)
            assert drawn.removed[chosen].mean() == pytest.approx(0.3, abs=0.05)
            assert drawn.bought[chosen].mean() == pytest.approx(0.4, abs=0.05)
    pauses = drawn.pauses_ms[drawn.pauses_ms > 0]
    assert (pauses.min(), pauses.max()) == (20_000, 90_000)
    assert pauses.mean() == pytest.approx(55_000, rel=0.01)


def test_orders_are_those_of_the_two_moods() -> None:
    by_session: defaultdict[str | None, list[Event]] = defaultdict(list)
    for event in small_shop():
        by_session[event.session_id].append(event)
    # The span's end may cut a session.
    whole = [s for s in by_session.values() if s[-1].timestamp < SPAN_START_MS + 60 * DAY_MS - 3_600_000]
    assert len(whole) > 500
    seen: set[str] = set()
    for events in whole:
        types = [event.type for event in events]
        views = types.count("view")
        ending = [kind for kind in types if kind == "purchase"]
        removal = [kind for kind in types if kind == "remove_from_cart"]
        loyal = ["search", *["view"] * views, "add_to_cart", *removal, *ending]
        drifting = ["add_to_cart", *removal, *["view"] * views, "search", *ending]
        assert types in (loyal, drifting)
        assert views >= 2
        seen.add(types[0])
        viewed = {event.items for event in events if event.type == "view"}
        carried = {event.items for event in events if event.type in ("add_to_cart", "purchase")}
        assert len(carried) == 1
        assert carried <= viewed
    assert seen == {"search", "add_to_cart"}


def test_items_follow_zipfs_law_and_prices_their_category() -> None:
    views = [event.items[0] for event in Shop(1_000, 60, 1).events() if event.type == "view"]
    number = np.array([int((item.item_id or "").removeprefix("item-")) for item in views])
    weights = np.arange(1, 2_001) ** -1.1
    assert (number == 0).mean() == pytest.approx(weights[0] / weights.sum(), rel=0.05)
    assert (number < 100).mean() == pytest.approx(weights[:100].sum() / weights.sum(), rel=0.03)
    assert len({item.category for item in views}) == 40
    prices: defaultdict[str | None, list[float]] = defaultdict(list)
    for item in set(views):
        prices[item.category].append(float(np.log(item.price or 0)))
    spreads = [np.std(logs) for logs in prices.values()]
    assert np.mean(spreads) == pytest.approx(0.4, abs=0.05)
    assert np.std([np.mean(logs) for logs in prices.values()]) == pytest.approx(0.7, abs=0.2)


def test_the_forward_filter_is_the_sum_over_all_moods() -> None:
    """The filter against Bayes' rule by enumeration of every sequence of moods."""
    orders = [False, True, True, False, True]
    blank = {name: np.zeros(len(orders)) for name in Sessions._fields}
    given = Sessions(**{**blank, "number": np.arange(5), "reversed": np.array(orders)})  # type: ignore[arg-type]
    weight = {False: 0.0, True: 0.0}
    for moods in itertools.product([False, True], repeat=len(orders)):
        likelihood = float(not moods[0])
        for mood, order in zip(moods, orders, strict=True):
            likelihood *= 0.9 if mood == order else 0.1
        for before, after in itertools.pairwise(moods):
            likelihood *= 0.6 if before else 0.995
            change = 0.2 if before else 0.06
            likelihood *= change if before != after else 1 - change
        weight[moods[-1]] += likelihood
    assert drifting_after(given)[-1] == pytest.approx(weight[True] / (weight[True] + weight[False]))


class Outcome(NamedTuple):
    """Of each user at a cut; ``last_ms`` is the last event's time, -1 without one."""

    probability: npt.NDArray[np.float64]
    silent: npt.NDArray[np.bool_]
    last_ms: npt.NDArray[np.int64]


def outcomes(drawn: Sessions, users: int, cuts: list[int]) -> Iterator[Outcome]:
    """What the truth says at each cut, and whether no event came within the horizon."""
    actions = actions_of(drawn)
    user = drawn.user[actions.session]
    truth = truth_of(drawn, actions, users, DAYS * DAY_MS, cuts, HORIZON)
    for cut, probability in zip(cuts, truth.probability, strict=True):
        silent = np.ones(users, bool)
        silent[user[(actions.time_ms >= cut) & (actions.time_ms < cut + HORIZON)]] = False
        last = np.full(users, -1)
        before = actions.time_ms < cut
        np.maximum.at(last, user[before], actions.time_ms[before])
        yield Outcome(probability, silent, last)


def test_no_score_is_better_than_the_truths_and_recency_is_far_behind() -> None:
    [(probability, silent, last)] = outcomes(sessions(), USERS, [CUT])
    active = last >= CUT - ACTIVE
    assert silent[active].mean() == pytest.approx(0.41, abs=0.03)
    assert roc_auc_score(silent[active], probability[active]) == pytest.approx(0.955, abs=0.012)
    assert roc_auc_score(silent[active], (CUT - last)[active]) == pytest.approx(0.895, abs=0.02)


def test_the_probability_is_calibrated_in_every_decile() -> None:
    drawn = draw_sessions(20_000, DAYS * DAY_MS, Draws(2, 1))
    [(probability, silent, last)] = outcomes(drawn, 20_000, [CUT])
    active = np.flatnonzero(last >= CUT - ACTIVE)
    ranked = active[np.argsort(probability[active])]
    for decile in np.array_split(ranked, 10):
        stated = probability[decile]
        error = np.sqrt((stated * (1 - stated)).sum()) / len(decile)
        assert silent[decile].mean() == pytest.approx(stated.mean(), abs=4 * error + 1e-3)


def test_the_probability_is_calibrated_within_sessions() -> None:
    """Moments within a session are rare, so many cuts are asked for those silent for less than 90 s."""
    stated: list[float] = []
    happened: list[bool] = []
    drawn = draw_sessions(20_000, DAYS * DAY_MS, Draws(3, 1))
    cuts = list(range(60 * DAY_MS, 160 * DAY_MS, 5 * DAY_MS))
    for cut, (probability, silent, last) in zip(cuts, outcomes(drawn, 20_000, cuts), strict=True):
        pausing = last > cut - 90_000
        stated += probability[pausing].tolist()
        happened += silent[pausing].tolist()
    certain = np.array(stated) == 0
    assert certain.sum() > 100
    assert not np.array(happened)[certain].any()
    error = np.sqrt(sum(p * (1 - p) for p in stated))
    assert sum(happened) == pytest.approx(sum(stated), abs=4 * error)


def test_the_truth_knows_who_left_and_says_nothing_of_who_was_not_yet_there() -> None:
    shop = Shop(200, 60, 1)
    last = {event.user_id: event.timestamp for event in shop.events()}
    truth = shop.truth([SPAN_START_MS, SPAN_START_MS + 60 * DAY_MS], HORIZON)
    assert len(truth) == 400
    assert {row.probability for row in truth[:200]} == {None}
    left = [row for row in truth[200:] if row.left_at is not None]
    assert 20 < len(left) < 180
    for row in left:
        exact = decode_event(
            b'{"event_id":"e","user_id":"u","type":"view","timestamp":"%s"}' % (row.left_at or "").encode(),
            None,
            last[row.user_id],
        )
        assert isinstance(exact, Event)
        assert exact.timestamp == last[row.user_id]
    with pytest.raises(ConfigurationError, match=r"--at 2025-03-03T00:00:00Z is outside.*2025-03-02"):
        shop.truth([SPAN_START_MS + 61 * DAY_MS], HORIZON)


def test_the_command_writes_the_same_files_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        command = f"dataset simulated --users 50 --days 40 --out {tmp_path / name}.parquet"
        asked = f"--truth {tmp_path / name}.csv --at 2025-01-20,2025-01-30 --horizon 7d"
        assert run([*command.split(), *asked.split()]) == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["at"] for row in rows] == ["2025-01-20T00:00:00Z"] * 50 + ["2025-01-30T00:00:00Z"] * 50


def test_truth_and_cuts_need_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "events.csv")
    assert run(["dataset", "simulated", "--out", out, "--at", "2025-01-20"]) == 2
    assert "--truth and --at need each other" in capsys.readouterr().err
    asked = ["--truth", str(tmp_path / "t.csv"), "--at", "2025-01-20", "--horizon", "30s"]
    assert run(["dataset", "simulated", "--out", out, *asked]) == 2
    assert "--horizon must be 90s or longer" in capsys.readouterr().err
