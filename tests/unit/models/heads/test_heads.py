"""The heads that alerts ask, and what they learn from, against plain arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.data.histories import Histories, collect
from models.data.moments import Moments
from models.data.outcomes import spend_within
from models.fit.rank_correlation import rank_correlation
from models.heads.amounts import spend_examples
from models.heads.categories import CategoryNames, bucket_names
from models.heads.fitting import HeadsFit, Hearing, spend_cuts
from models.heads.judge import judge_spend, log_loss, perplexity
from models.heads.material import HeadMaterial, recent_of
from models.heads.next_event import TYPES, NextCategory, NextType
from models.heads.serving import choose
from models.heads.spend import Spend
from models.heads.validation import Judged, JudgedHeads, answers_after
from models.loop.epochs import Run
from models.network.network import Network, NextEvent
from models.network.query_head import BINS, FeatureEncoding, QueryHead
from models.network.transformer import Transformer
from models.recipe import Size, Task
from schemas.event import EVENT_TYPES, Event, Item
from schemas.units import DAY_MS
from streamer.core.history.token import hash_text
from streamer.core.model.alert_inputs import ABSENT
from streamer.core.model.features import FEATURES
from streamer.core.model.transformer_inputs import bucket

START = 1_500_000_000_000
SIZE = Size(width=8, layers=1, heads=2, window=8, category_buckets=20, item_buckets=4, head_width=16)
VIEW, CART, PURCHASE = (EVENT_TYPES.index(name) for name in ("view", "add_to_cart", "purchase"))


def event(user: str, day: float, kind: str, value: float | None = None, category: str | None = None) -> Event:
    when = START + round(day * DAY_MS)
    return Event(f"{user}{when}", user, kind, when, items=(Item(category=category),), value=value)


SHOP = [
    event("a", 0, "purchase", 5.0),
    event("a", 10, "purchase", 7.0),
    event("a", 12, "refund", 2.0),
    event("a", 20, "purchase", 100.0),
    event("b", 1, "view"),
    event("b", 11, "purchase", None),
    event("c", 2, "view"),
    event("c", 3, "view"),
    event("d", 4, "purchase", 1.0),
    event("d", 9, "refund", -30.0),
    event("e", 3, "purchase", 4.0),
]


def test_spend_is_what_came_within_the_horizon_less_refunds() -> None:
    histories = collect(SHOP)
    moments = Moments(histories.starts[:-1].copy(), np.full(5, START + 5.0 * DAY_MS))
    assert spend_within(histories, moments, 10 * DAY_MS).tolist() == pytest.approx(
        [5.0, math.nan, 0.0, -30.0, 0.0], nan_ok=True
    )


def test_the_horizon_begins_with_the_moment_and_does_not_hold_its_end() -> None:
    histories = collect(SHOP)
    at = START + 10 * DAY_MS
    moments = Moments(np.array([0, 0]), np.array([at, at - 1.0]))
    assert spend_within(histories, moments, 2 * DAY_MS).tolist() == [7.0, 7.0]
    assert spend_within(histories, moments, 2 * DAY_MS + 1).tolist() == [5.0, 7.0]


def test_examples_leave_out_what_is_unknown_and_clip_what_was_given_back() -> None:
    histories = collect(SHOP)
    asked = spend_examples(histories, np.array([START + 5 * DAY_MS]), 10 * DAY_MS, 30 * DAY_MS)
    assert asked.spend.tolist() == [5.0, 0.0, 0.0, 0.0], "b's amount is unknown, d's net is below nothing"
    assert asked.features.shape == (4, len(FEATURES))


def test_cuts_leave_the_whole_horizon_before_the_end() -> None:
    histories, task = collect(SHOP), Task(START + 20 * DAY_MS, horizon_ms=6 * DAY_MS)
    cuts = spend_cuts(histories, task, task.until_ms)
    assert cuts[0] == task.until_ms - task.horizon_ms
    assert (cuts > START).all()
    assert len(cuts) > 3


def spend_head(width: int = 8) -> Spend:
    torch.manual_seed(0)
    encoding = FeatureEncoding(
        np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32), np.arange(3), 2
    )
    head = Spend(encoding, SIZE, 0.0, torch.tensor([0.0, 2.0, 50.0]))
    torch.nn.init.normal_(head.hidden_inner.weight)
    assert head.hidden_inner.in_features == width
    return head


def test_the_spend_head_is_a_zero_inflated_log_normal() -> None:
    head, hidden, features = spend_head(), torch.randn(4, 8), torch.randn(4, 3)
    some, log_mean = head(hidden, features).unbind(1)
    deviation = head.log_width.exp()
    amounts = torch.tensor([0.0, 3.0, 0.0, 80.0])
    spent = torch.distributions.LogNormal(log_mean, deviation)
    chance = torch.sigmoid(some)
    density = spent.log_prob(amounts.clamp(min=1e-3)) + chance.log()
    expected = torch.where(amounts > 0, density, (1 - chance).log())
    constant = (amounts > 0) * (amounts.clamp(min=1e-3).log() + 0.5 * math.log(2 * math.pi))
    torch.testing.assert_close(head.loss(hidden, features, amounts), -(expected + constant).mean())
    torch.testing.assert_close(head.expected(hidden, features), chance * spent.mean)
    head.scale.fill_(0.5)
    torch.testing.assert_close(head.expected(hidden, features), 0.5 * chance * spent.mean)


def test_the_next_type_begins_with_the_users_own_transitions_shrunk_to_everybodys() -> None:
    transitions = torch.zeros(TYPES, TYPES)
    transitions[VIEW, VIEW], transitions[VIEW, PURCHASE], transitions[CART, VIEW] = 60.0, 40.0, 10.0
    head = NextType(SIZE, transitions, 0.0).eval()
    types = torch.full((1, SIZE.rebuild_tokens), ABSENT)
    types[0, -6:] = torch.tensor([VIEW, PURCHASE, VIEW, PURCHASE, CART, VIEW])
    said = torch.softmax(head(torch.randn(1, 8), types), dim=1)[0].detach()
    everybody = transitions.sum(0) + 0.01
    prior = (transitions[VIEW] + 10 * everybody / everybody.sum()) / 110
    own = torch.zeros(TYPES)
    own[PURCHASE] = 2.0
    torch.testing.assert_close(said, (own + 15 * prior) / 17, atol=1e-5, rtol=1e-4)


def test_the_next_category_mixes_the_users_own_with_everybodys() -> None:
    counts = torch.ones(20)
    head = NextCategory(SIZE, counts).eval()
    categories = torch.zeros(2, SIZE.rebuild_tokens, dtype=torch.int64)
    categories[0, -3:] = torch.tensor([4, 0, 9])
    own, nobody = torch.exp(head(torch.zeros(2, 8), categories)).detach()
    assert own[9] > own[4] > own[1], "the newest first, then those before, then the others"
    assert own.sum() == pytest.approx(1.0, abs=1e-4)
    assert nobody.tolist() == pytest.approx([1 / 20] * 20, abs=1e-5)


def test_the_newest_tokens_are_told_oldest_first_and_no_other_users() -> None:
    histories = collect([*SHOP, event("b", 30, "add_to_cart", category="tea")])
    recent = recent_of(histories, np.array([0, 6]), SIZE)
    assert recent.shape == (2, SIZE.rebuild_tokens, 2)
    assert recent[0, :, 0].tolist() == [ABSENT] * 7 + [PURCHASE]
    assert recent[1, -3:, 0].tolist() == [VIEW, PURCHASE, CART]
    tea = int(bucket(np.array([hash_text("tea")], np.uint32), 20)[0])
    assert recent[1, :, 1].tolist() == [0] * 7 + [tea]


def test_a_bucket_is_named_by_the_category_seen_most() -> None:
    names = CategoryNames()
    events = [event("a", day, "view", category=f"c{day % 30 if day < 60 else 7}") for day in range(90)]
    assert list(names.watch(events)) == events
    named = bucket_names(names.text, collect(events), 5)
    seven = int(bucket(np.array([hash_text("c7")], np.uint32), 5)[0])
    assert named[seven] == "c7"
    assert named[0] is None
    assert all(name in {f"c{number}" for number in range(30)} for name in named[1:])
    assert bucket_names({}, collect(events), 5) == (None,) * 5


def test_figures_of_spend() -> None:
    actual = np.array([0.0, 0.0, 10.0, 90.0] * 5)
    right = judge_spend(actual, actual + 1.0)
    assert (right.n, right.spearman, right.gini) == (20, pytest.approx(1.0), pytest.approx(1.0))
    assert right.top_decile == pytest.approx(180 / 500)
    assert right.total == pytest.approx(520 / 500)
    assert judge_spend(actual, -actual).gini < 0


def test_equal_values_share_a_rank() -> None:
    first, second = np.array([1.0, 2.0, 2.0, 9.0]), np.array([1.0, 5.0, 5.0, 7.0])
    assert rank_correlation(first, second) == pytest.approx(1.0)


def test_log_loss_and_perplexity() -> None:
    said = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    loss = log_loss(said, np.array([0, 1]))
    assert loss == pytest.approx(-(math.log(0.25) + math.log(0.5)) / 2)
    assert perplexity(loss) == pytest.approx(8**0.5)


def test_a_head_listens_only_where_that_lowers_its_loss() -> None:
    def judged(spend: float | None, kind: float, category: float) -> JudgedHeads:
        return JudgedHeads(
            None if spend is None else Judged(spend, {}), Judged(kind, {}), Judged(category, {}), 1.0
        )

    assert choose(judged(1.0, 2.0, 3.0), judged(0.9, 2.1, 3.0)) == Hearing(True, False, False)
    assert choose(judged(None, 2.0, 3.0), judged(0.9, 1.9, 2.9)) == Hearing(False, True, True)


def habits() -> Histories:
    """Half of the users buy after each cart, each at a price of their own; half never do."""
    events: list[Event] = []
    for user in range(60):
        for day in range(40):
            kind = ("view", "add_to_cart", "purchase" if user % 2 else "view")[day % 3]
            price = 5.0 * (1 + user) if kind == "purchase" else None
            events.append(event(f"u{user:02}", day + user / 100, kind, price, category=f"c{user % 5}"))
    return collect(events)


def test_heads_learn_habits_and_those_that_are_deaf_keep_the_sequence_out() -> None:
    torch.manual_seed(0)
    histories = habits()
    task = Task(START + 40 * DAY_MS, horizon_ms=6 * DAY_MS, size=SIZE)
    columns = np.arange(len(FEATURES))
    encoding = FeatureEncoding(
        np.random.default_rng(0).normal(size=(90, len(FEATURES))).astype(np.float32), columns, 8
    )
    network = Network(
        Transformer(SIZE), NextEvent(SIZE), QueryHead(encoding, SIZE, 0.0, torch.full((BINS,), 0.1))
    ).eval()
    material = HeadMaterial.of(network, histories)
    fit = HeadsFit("fit", material, material.followed(1), columns, task, task.until_ms, Run())
    heads = fit.heads(Hearing(spend=True, next_type=False, next_category=False))
    again = fit.heads(Hearing(spend=True, next_type=False, next_category=False))
    for one, other in zip(heads.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other), "the same seed gives the same heads"
    assert not heads.next_type.hidden_inner.weight.any()
    assert not heads.next_category.hidden_fresh.weight.any()
    assert heads.spend is not None
    assert heads.spend.hidden_inner.weight.any()
    ends = histories.starts[1:] - 2
    answers = answers_after(heads, material, ends)
    assert log_loss(answers.types, answers.actual[:, 0]) < 0.2
    assert log_loss(answers.categories, answers.actual[:, 1]) < 0.6, "of the 1.6 of five alike"
    cut = np.array([START + 34 * DAY_MS])
    asked = spend_examples(histories, cut, task.horizon_ms, task.active_ms)
    hidden = material.hidden(asked.moments.event)
    expected = heads.spend.expected(hidden, torch.from_numpy(asked.features)).detach().numpy()
    assert judge_spend(asked.spend, expected.astype(np.float64)).spearman > 0.85


def test_too_few_amounts_teach_nothing_of_spending() -> None:
    histories = collect([event(f"u{user}", day, "view") for user in range(9) for day in range(30)])
    task = Task(START + 30 * DAY_MS, horizon_ms=6 * DAY_MS, size=SIZE)
    encoding = FeatureEncoding(np.zeros((2, len(FEATURES)), np.float32), np.arange(len(FEATURES)), 2)
    network = Network(
        Transformer(SIZE), NextEvent(SIZE), QueryHead(encoding, SIZE, 0.0, torch.full((BINS,), 0.1))
    ).eval()
    material = HeadMaterial.of(network, histories)
    fit = HeadsFit(
        "fit", material, material.followed(1), np.arange(len(FEATURES)), task, task.until_ms, Run()
    )
    heads = fit.heads(Hearing(False, False, False))
    assert heads.spend is None
    spend, types, categories = heads(
        torch.zeros(2, 8), torch.zeros(2, len(FEATURES)), torch.zeros(2, 8, 2, dtype=torch.int64)
    )
    assert spend.tolist() == [0.0, 0.0]
    assert (types.shape, categories.shape) == ((2, TYPES), (2, 20))
