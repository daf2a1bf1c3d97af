"""The network's parts: the served step against the trained form, the loss, the calibration."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.fit.calibration import Platt, fit_level, fit_platt
from models.network.network import base_hazards, hazard_loss
from models.network.query_head import BINS, FeatureEncoding, survival_logit
from models.network.sequences import Sequences, hidden_after, in_few_pieces
from models.network.step import Step
from models.network.transformer import Block, Transformer
from models.recipe import BIN_EDGES, BINS_WITHIN_HORIZON, Size
from streamer.core.model.transformer_inputs import NUMBERS

SMALL = Size(width=16, layers=2, heads=2, window=8, category_buckets=5, item_buckets=7)


def transformer() -> Transformer:
    torch.manual_seed(0)
    made = Transformer(SMALL).eval()
    for block in made.blocks:
        assert isinstance(block, Block)
        torch.nn.init.normal_(block.age_bias)
    return made


def inputs(users: int, events: int) -> tuple[torch.Tensor, torch.Tensor]:
    sizes = (12, SMALL.category_buckets, SMALL.item_buckets)
    codes = torch.stack([torch.randint(0, size, (users, events)) for size in sizes], dim=-1)
    return codes, torch.randn(users, events, len(NUMBERS))


@torch.no_grad()
def test_steps_equal_the_whole_history() -> None:
    whole = transformer()
    step = Step(whole)
    codes, numbers = inputs(3, 40)
    # What lies in the arenas at first must not matter.
    arenas = [torch.randn(5 * 2 * SMALL.window, SMALL.width) for _ in range(SMALL.layers)]
    slots = torch.tensor([4, 0, 2])
    expected = whole(codes, numbers)
    for position in range(40):
        hidden, *arenas = step(
            codes[:, position], numbers[:, position], torch.full((3,), position), slots, *arenas
        )
        torch.testing.assert_close(hidden, expected[:, position], atol=2e-6, rtol=1e-5)


@torch.no_grad()
def test_events_beyond_the_rebuild_length_do_not_matter_and_the_last_of_them_does() -> None:
    whole = transformer()
    codes, numbers = inputs(1, 60)
    tokens = SMALL.rebuild_tokens
    newest = whole(codes, numbers)[:, -1]
    torch.testing.assert_close(
        whole(codes[:, -tokens:], numbers[:, -tokens:])[:, -1], newest, atol=1e-5, rtol=1e-5
    )
    short = whole(codes[:, 1 - tokens :], numbers[:, 1 - tokens :])[:, -1]
    assert (short - newest).abs().max() > 1e-5


def test_survival_is_the_product_of_the_hazards_within_the_horizon() -> None:
    logits = torch.randn(6, BINS)
    expected = (1 - torch.sigmoid(logits[:, :BINS_WITHIN_HORIZON])).prod(1)
    torch.testing.assert_close(torch.sigmoid(survival_logit(logits)), expected)
    assert BIN_EDGES[BINS_WITHIN_HORIZON - 1] == 1.0


def test_the_loss_is_the_censored_likelihood_and_the_cross_entropy() -> None:
    logits = torch.randn(2, BINS)
    hazard = torch.sigmoid(logits)
    bins, seen = torch.tensor([2, 3]), torch.tensor([True, False])
    likelihood = (1 - hazard[0, :2]).log().sum() + hazard[0, 2].log() + (1 - hazard[1, :3]).log().sum()
    unknown = torch.tensor([torch.nan, torch.nan])
    torch.testing.assert_close(hazard_loss(logits, bins, seen, unknown), -likelihood / 2)
    survived = (1 - hazard[0, :BINS_WITHIN_HORIZON]).prod()
    expected = -0.25 * likelihood - 0.25 * (1 - survived).log()
    torch.testing.assert_close(hazard_loss(logits, bins, seen, torch.tensor([0.0, torch.nan])), expected)


def test_base_hazards_count_only_those_at_risk() -> None:
    bins, seen = torch.tensor([0, 1, 1, 2]), torch.tensor([True, True, False, True])
    assert base_hazards(bins, seen)[:3].tolist() == pytest.approx([1.5 / 5, 1.5 / 4, 1.5 / 2])


def test_pieces_of_a_feature_fill_up_one_after_the_other() -> None:
    features = np.linspace(0, 8, 8001, dtype=np.float32)[:, None]
    encoded = FeatureEncoding(features, np.array([0]), 8)(torch.tensor([[-5.0], [2.5], [9.0]]))
    assert encoded[0, 1:].tolist() == pytest.approx([0] * 8, abs=0.02)
    assert encoded[1, 1:].tolist() == pytest.approx([1, 1, 0.5, 0, 0, 0, 0, 0], abs=0.02)
    assert encoded[2, 1:].tolist() == pytest.approx([1] * 8, abs=0.02)
    assert encoded[2, 0] == pytest.approx(1.73, abs=0.02)


def test_a_feature_in_one_piece_enters_as_it_is() -> None:
    features = np.random.default_rng(0).exponential(size=(5000, 1)).astype(np.float32)
    encoded = FeatureEncoding(features, np.array([0]), 1)(torch.tensor([[0.5], [1.0], [1.5]]))
    assert encoded.shape == (3, 2)
    steps = encoded[1:] - encoded[:-1]
    torch.testing.assert_close(steps[0], steps[1])
    assert (steps > 0).all()


def test_platt_scaling_recovers_what_was_distorted() -> None:
    random = np.random.default_rng(0)
    true = random.normal(-1, 1.5, 40_000)
    labels = (random.random(len(true)) < 1 / (1 + np.exp(-true))).astype(np.float32)
    platt = fit_platt(2.0 * true - 1.0, labels)
    assert platt.slope == pytest.approx(0.5, abs=0.02)
    assert platt.intercept == pytest.approx(0.5, abs=0.05)


def test_a_level_sets_the_mean_right_and_leaves_the_order() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(-1, 1.5, 10_000)
    labels = (random.random(len(logits)) < 0.6).astype(np.float32)
    level = fit_level(logits, labels)
    assert level.slope == 1.0
    assert level.probability(logits).mean() == pytest.approx(labels.mean(), abs=1e-3)
    # One outcome hardly moves it, and none at all not.
    assert 0 < fit_level(np.zeros(1), np.ones(1, np.float32)).intercept < 0.5
    assert fit_level(np.zeros(0), np.zeros(0, np.float32)) == Platt(1.0, 0.0)


def test_few_pieces_hold_all_the_events_that_are_drawn() -> None:
    codes, numbers = inputs(1, 1000)
    pieces = np.arange(0, 1001, 10)
    sequences = Sequences(codes[0], numbers[0], np.array([0, 1000]), pieces, pieces[:-1])
    events = np.arange(0, 1000, 2)
    assert in_few_pieces(sequences, events, 500, 1) is events
    drawn = in_few_pieces(sequences, events, 52, 1)
    assert len(drawn) == 50
    assert len(np.unique(drawn // 10)) == 10
    assert (np.diff(drawn) > 0).all()
    assert set(drawn) != set(in_few_pieces(sequences, events, 52, 2))


@torch.no_grad()
def test_a_long_history_in_pieces_gives_the_hidden_vectors_of_the_whole() -> None:
    whole = transformer()
    starts = np.array([0, 700, 703])
    codes, numbers = inputs(1, 703)
    pieces = np.array([0, 256, 512, 700, 703])
    begins = np.maximum(pieces[:-1] + 1 - SMALL.rebuild_tokens, [0, 0, 0, 700])
    sequences = Sequences(codes[0], numbers[0], starts, pieces, begins)
    assert sequences.piece_users().tolist() == [0, 0, 0, 1]
    asked = np.array([702, 5, 256, 255, 699, 699, 700])
    expected = torch.cat(
        [whole(codes[:, :700], numbers[:, :700]), whole(codes[:, 700:], numbers[:, 700:])], 1
    )
    torch.testing.assert_close(
        hidden_after(whole, sequences, asked), expected[0, asked], atol=1e-5, rtol=1e-5
    )
