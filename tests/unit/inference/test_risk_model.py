"""The runtime's cache: what it keeps, what it rebuilds, and that nobody can tell which."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.core.history.aggregates import advance, empty
from streamer.core.history.calendar import UTC
from streamer.core.history.token import TOKEN_BYTES, as_array
from streamer.core.model.features import features_at
from streamer.core.model.risk_model import Encoding
from streamer.inference.risk_model import OnnxRiskModel
from tests.bundles import Shopper, demo_bundle

RING = demo_bundle().manifest.exact_tokens


def model(arena_users: int) -> OnnxRiskModel:
    return OnnxRiskModel(demo_bundle(), arena_users)


def shoppers(count: int, events: int, seed: int = 0) -> list[Shopper]:
    made = [Shopper(f"u{number}", np.random.default_rng([seed, number])) for number in range(count)]
    for number, shopper in enumerate(made):
        for _ in range(1 + (events + 7 * number) % 90):
            shopper.happen(RING)
    return made


def requests(users: list[Shopper]) -> list[Encoding]:
    return [user.encoding(appended=False) for user in users]


def test_a_users_result_is_the_same_in_any_batch() -> None:
    asked = requests(shoppers(300, 20))
    whole = model(300).encode(asked)
    for size in (1, 2, 3, 15, 16, 17, 100, 129):
        other = model(300)
        parts = [other.encode(asked[start : start + size]) for start in range(0, len(asked), size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_neighbours_and_place_in_the_batch_do_not_matter() -> None:
    asked = requests(shoppers(150, 5))
    whole = model(150).encode(asked)
    order = np.random.default_rng(1).permutation(len(asked))
    assert model(150).encode([asked[place] for place in order]).tobytes() == whole[order].tobytes()


def test_stepping_event_by_event_equals_rebuilding() -> None:
    shopper, stepped = Shopper("u", np.random.default_rng(3)), model(1)
    for count in range(1, 140):
        encoding = shopper.happen(RING)
        assert encoding is not None
        hidden = stepped.encode([encoding])
        if count in (1, 2, 31, 32, 33, 62, 63, 64, 65, 94, 95, 96, 127, 139):
            assert model(1).encode([encoding]).tobytes() == hidden.tobytes()


def test_events_that_were_never_asked_about_are_caught_up_with() -> None:
    shopper, behind = Shopper("u", np.random.default_rng(4)), model(4)
    for count in range(1, 120):
        encoding = shopper.happen(RING)
        assert encoding is not None
        if count % 7 == 0:
            assert behind.encode([encoding]).tobytes() == model(1).encode([encoding]).tobytes()


@pytest.mark.parametrize("known", [0, 1, 30, 100])
@pytest.mark.parametrize("asked", [2, 7, 70])
def test_several_events_asked_for_at_once_get_what_each_one_would(known: int, asked: int) -> None:
    one_by_one, at_once = model(4), model(4)
    everybody = [Shopper(f"u{number}", np.random.default_rng([8, number])) for number in range(4)]
    for shopper in everybody:
        for _ in range(known):
            shopper.happen(RING)
    if known:
        at_once.encode([shopper.encoding(appended=True) for shopper in everybody[::2]])
    found, together = [], []
    for number, shopper in enumerate(everybody):
        encodings = [shopper.happen(RING) for _ in range(asked + number)]
        rings = [encoding.ring for encoding in encodings if encoding is not None]
        found += [one_by_one.encode([encoding])[0] for encoding in encodings if encoding is not None]
        ring = b"".join([rings[0], *(later[-TOKEN_BYTES:] for later in rings[1:])])
        first, newest = encodings[0], encodings[-1]
        assert first is not None
        assert newest is not None
        before = first.time_before_ring
        together.append(Encoding(shopper.user_id, ring, newest.position, before, True, asked + number))
    assert at_once.encode(together).tobytes() == np.stack(found).tobytes()
    again = [shopper.encoding(appended=True) for shopper in everybody]
    assert at_once.encode(again).tobytes() == one_by_one.encode(again).tobytes()


def test_another_history_under_a_known_name_is_not_continued() -> None:
    first, second = Shopper("u", np.random.default_rng(5)), Shopper("u", np.random.default_rng(6))
    used = model(4)
    for _ in range(40):
        for shopper in (first, second):
            encoding = shopper.happen(RING)
            assert encoding is not None
    used.encode([first.encoding(appended=True)])
    after = second.happen(RING)
    assert after is not None
    assert used.encode([after]).tobytes() == model(1).encode([after]).tobytes()


def test_what_evicted_users_left_behind_does_not_leak() -> None:
    asked = requests(shoppers(40, 60))
    fresh = [model(1).encode([one]).tobytes() for one in asked]
    small = model(3)
    assert [small.encode([one]).tobytes() for one in asked] == fresh
    assert small.encode(asked).tobytes() == b"".join(fresh)
    small.forget(["u1", "u39", "nobody"])
    small.forget_all()
    assert small.encode(asked[::-1]).tobytes() == b"".join(fresh[::-1])


def test_a_ring_that_is_shorter_than_a_rebuild_needs_gives_one_answer() -> None:
    shopper = shoppers(1, 80)[0]
    ring = shopper.ring[-10 * 26 :]
    asked = Encoding("u", ring, 500, 1.5e12, False)
    used = model(1)
    used.encode(requests(shoppers(1, 70, seed=9)))
    assert used.encode([asked]).tobytes() == model(1).encode([asked]).tobytes()


def test_a_query_is_the_same_in_any_batch() -> None:
    random = np.random.default_rng(0)
    users = shoppers(200, 30)
    rows = empty(len(users))
    for number, user in enumerate(users):
        for token in as_array(user.ring):
            rows[number : number + 1] = advance(rows[number : number + 1], np.array([token]), UTC)
    hidden = model(200).encode(requests(users))
    asked = random.integers(0, len(users), 1100)
    features = features_at(rows[asked], rows[asked, 1] + random.exponential(20 * 86_400_000, len(asked)))
    served = model(1)
    whole = served.query(hidden[asked], features).absence
    assert whole.dtype == np.float64
    assert ((whole > 0) & (whole < 1)).all()
    for size in (1, 2, 15, 16, 17, 33, 255, 1024):
        for start in range(0, len(asked), 97):
            part = slice(start, start + size)
            assert (
                served.query(hidden[asked[part]], features[part]).absence.tobytes() == whole[part].tobytes()
            )


def test_no_users_are_no_work() -> None:
    assert model(1).encode([]).shape == (0, demo_bundle().manifest.width)
    assert model(1).query(np.empty((0, 64), np.float32), np.empty((0, 36), np.float32)).absence.shape == (0,)


@pytest.mark.parametrize("silence_days", [1, 30, 90])
def test_silence_raises_the_risk(silence_days: int) -> None:
    users = shoppers(30, 40)
    hidden = model(30).encode(requests(users))
    rows = np.concatenate([_aggregates(user) for user in users])
    risks = [
        model(1).query(hidden, features_at(rows, rows[:, 1] + days * 86_400_000.0)).absence
        for days in (0, silence_days)
    ]
    assert risks[1].mean() > risks[0].mean()


def _aggregates(user: Shopper) -> np.ndarray:
    rows = empty(1)
    for token in as_array(user.ring):
        rows = advance(rows, np.array([token]), UTC)
    return rows
