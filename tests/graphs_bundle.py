"""A bundle with all graphs of the usual size, whose weights are drawn and not trained."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from models.bundle.export import alert_graph, query_graph, transformer_graphs, write_bundle
from models.bundle.golden import golden_vectors
from models.data.histories import Histories, aggregates_at
from models.fit.calibration import Platt
from models.fit.level import Levels
from models.heads.heads import Heads
from models.heads.next_event import TYPES, NextCategory, NextType
from models.heads.spend import Spend
from models.network.network import Network, NextEvent
from models.network.query_head import BINS, DeclineStart, FeatureEncoding, QueryHead
from models.network.sequences import hidden_after, sequences_of
from models.network.transformer import Block, Transformer
from models.recipe import Size
from schemas.bundle.decline import Calibration, DeclineOutputs, UsualInShop
from schemas.bundle.manifest import ALERT_NAME, QUERY_NAME, AlertHeads, ArenaPrecision
from schemas.event import EVENT_TYPES
from streamer.core.history.calendar import UTC
from streamer.core.history.token import as_array
from streamer.core.model.features import FEATURES, features_at
from streamer.inference.bundle import Bundle, load_bundle
from tests.bundles import Shopper, demo_bundle

LEVELS = Levels(Platt(1.1, -0.2), Platt(0.9, 0.3), 1.2)
DECLINE = DeclineOutputs(
    window_days=56.0,
    usual=UsualInShop(0.1, 4.0, 2.0, 8.0),
    calibration=Calibration("platt", (0.9, 0.3)),
    spend_scale=1.2,
)
SIZE = Size()

_FOLDER = tempfile.TemporaryDirectory(prefix="streamer-graphs-")


class Made(NamedTuple):
    """The bundle's folder, and what it was made from."""

    path: Path
    network: Network
    heads: Heads
    graphs: Mapping[str, bytes]
    histories: Histories


@cache
def graphs_bundle() -> Made:
    """Made once a test run."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    histories = _histories()
    newest = histories.starts[1:] - 1
    features = features_at(aggregates_at(histories, newest), histories.times[newest].astype(np.float64) + 1e9)
    encoding = FeatureEncoding(features, np.arange(features.shape[1]), SIZE.quantiles)
    head = QueryHead(encoding, SIZE, 0.0, torch.full((BINS,), 0.1), DeclineStart(0.3, 0.7, 3.0, 1.0))
    network = Network(Transformer(SIZE), NextEvent(SIZE), head)
    amounts = torch.cat([torch.zeros(50), torch.rand(50) * 90])
    heads = Heads(
        Spend(encoding, SIZE, 0.0, amounts),
        NextType(SIZE, torch.rand(TYPES, TYPES) * 9, 0.0),
        NextCategory(SIZE, torch.rand(SIZE.category_buckets)),
    )
    _draw(network, heads)
    graphs = {
        **transformer_graphs(network),
        QUERY_NAME: query_graph(network, LEVELS),
        ALERT_NAME: alert_graph(network, heads),
    }
    names = tuple(None if bucket == 0 else f"category {bucket}" for bucket in range(SIZE.category_buckets))
    demo = demo_bundle().manifest
    manifest = msgspec.structs.replace(
        demo,
        features=FEATURES,
        risk_features=(),
        reference=None,
        decline=DECLINE,
        alert=AlertHeads(True, EVENT_TYPES[:8], names),
        name="drawn",
    )
    golden = golden_vectors(network, LEVELS, heads, histories, demo.silence_grid_s)
    path = Path(_FOLDER.name) / "bundle"
    write_bundle(path, manifest, graphs, golden)
    return Made(path, network, heads, graphs, histories)


@cache
def loaded(precision: ArenaPrecision = "fp32") -> Bundle:
    """:func:`graphs_bundle`, loaded."""
    return load_bundle(graphs_bundle().path, precision=precision)


@torch.no_grad()
def full_run(histories: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """Hidden vectors ``[users, width]`` after whole histories of tokens, in the form that is trained."""
    tokens = [as_array(history) for history in histories]
    starts = np.concatenate([[0], np.cumsum([len(history) for history in tokens])])
    sequences = sequences_of(Histories(np.concatenate(tokens), starts, UTC), SIZE)
    return hidden_after(graphs_bundle().network.transformer, sequences, starts[1:] - 1).numpy()


def _draw(network: Network, heads: Heads) -> None:
    """What begins at zero, or alike for all, would hide mistakes."""
    for block in network.transformer.blocks:
        assert isinstance(block, Block)
        torch.nn.init.normal_(block.age_bias)
    for module in (network.head, heads):
        for weight in module.parameters():
            if not weight.any():
                torch.nn.init.normal_(weight, std=0.05)
        module.eval()


def _histories() -> Histories:
    rings: list[bytes] = []
    for user in range(20):
        shopper = Shopper(f"u{user}", np.random.default_rng([7, user]))
        for _ in range(1 + 7 * user):
            shopper.happen(10_000)
        rings.append(shopper.ring)
    tokens = [as_array(ring) for ring in rings]
    starts = np.concatenate([[0], np.cumsum([len(ring) for ring in tokens])])
    return Histories(np.concatenate(tokens), starts, UTC)
