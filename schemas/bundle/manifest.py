"""The manifest of a model bundle: all that a worker must know of a model before it loads one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.bundle.bands import BandAlerts, BandEdges
from schemas.bundle.decline import Calibration, DeclineOutputs, ExpectedLoss
from schemas.errors import BundleError
from schemas.parts import Probability, Sha256, Timestamp

FORMAT_VERSION: Final = 1
MANIFEST_NAME: Final = "manifest.json"
CARD_NAME: Final = "MODEL_CARD.md"
GOLDEN_NAME: Final = "golden.json"
STEP_NAME: Final = "step.onnx"
QUERY_NAME: Final = "query.onnx"
ALERT_NAME: Final = "alert.onnx"

SHARED_WEIGHTS: Final = "transformer."
"""How the names of weights begin that the graphs of an arena lack: they are those of ``step.onnx``."""

ArenaPrecision = Literal["fp32", "fp16"]
"""As what keys and values are kept between events; sums are always taken in fp32."""

ARENA_STEP_NAMES: Final[Mapping[ArenaPrecision, str]] = {
    "fp32": "arena-step-fp32.onnx",
    "fp16": "arena-step-fp16.onnx",
}
ARENA_REBUILD_NAMES: Final[Mapping[ArenaPrecision, str]] = {
    "fp32": "arena-rebuild-fp32.onnx",
    "fp16": "arena-rebuild-fp16.onnx",
}

Count = Annotated[int, Meta(ge=1)]

SilenceSeconds = Annotated[int, Meta(ge=1, le=315_360_000)]
"""Of a risk curve's step: ten years at most."""

MAX_SILENCE_STEPS: Final = 256

FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(?![\s\S])")]
"""Of a file in a bundle's folder: never a path."""

VariantName = Literal["aggregates", "sequence", "both"]

ChurnTypes = Literal["purchase", "any"]
"""Events whose absence is churn."""


Definition = Literal["decline", "absence"]
"""Who is being lost: who comes less than usual, or who stays away."""


class TrainingWindow(Struct, frozen=True, rename={"from_": "from"}):
    """Times of the first and the last event that the model has seen, as [from, to)."""

    from_: Timestamp
    to: Timestamp


class TokenEncoding(Struct, frozen=True):
    """Sizes of the embedding tables: event types, and the hash buckets of categories and items."""

    types: Count
    category_buckets: Count
    item_buckets: Count


class ChurnDefinition(Struct, frozen=True):
    """Churn: no event of ``types`` within the horizon, after any event in the ``active_days`` before."""

    types: ChurnTypes
    active_days: Annotated[float, Meta(gt=0)]


class Reference(Struct, frozen=True):
    """The typical active customer, against whom an alert's drivers are measured.

    ``probability``: the risk there. ``silence_ms``: since the last event. ``aggregates``: by name, moments as
    ages in milliseconds, null for what never happened. ``hidden``: the transformer's vector.
    """

    probability: Probability
    silence_ms: Annotated[float, Meta(ge=0)]
    aggregates: dict[str, float | None]
    hidden: tuple[float, ...]


class VariantFigures(Struct, frozen=True, kw_only=True):
    """What the query head made of the validation cuts, given aggregates, the sequence, or both.

    Figures are means over ``seeds`` fits. ``spread``: their standard deviations over the seeds, by name;
    empty for one seed. ``behind``: how much higher the log loss is than the best variant's, with its standard
    error.
    """

    variant: VariantName
    seeds: Count
    auroc: float
    pr_auc: float
    log_loss: float
    brier: float
    ece: float
    spread: dict[str, float] = {}
    behind: float
    behind_error: float


class AlertHeads(Struct, frozen=True):
    """What the outputs of the alert graph mean.

    ``spend``: false where training saw too few amounts for an expected value. ``types``: those that training
    saw, the others are never told. ``categories``: of each bucket the category that training saw most, null
    for none.
    """

    spend: bool
    types: tuple[str, ...]
    categories: tuple[str | None, ...]


class Manifest(Struct, frozen=True, kw_only=True):
    """``manifest.json``. Durations are in the unit of their name; ``features`` are in the input's order."""

    format_version: Count = FORMAT_VERSION
    name: Annotated[str, Meta(min_length=1)]
    version: Annotated[str, Meta(min_length=1)]
    created_at: Timestamp | None = None
    training_window: TrainingWindow
    data_fingerprint: Annotated[str, Meta(min_length=1, description="hash of the events trained on")]
    token_encoding: TokenEncoding
    silence_grid_s: Annotated[
        tuple[SilenceSeconds, ...],
        Meta(min_length=1, max_length=MAX_SILENCE_STEPS, description="each longer than the one before"),
    ]
    horizon_days: Annotated[float, Meta(gt=0)]
    churn_definition: ChurnDefinition
    definition: Annotated[Definition, Meta(description="of who is being lost: what risk is about")] = (
        "absence"
    )
    window_days: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="within which a decline shows; null: absence")
    ] = None
    time_zone: Annotated[str, Meta(min_length=1, description="IANA name", examples=["UTC"])]
    band_edges: BandEdges
    band_alerts_a_week: Annotated[BandAlerts | None, Meta(description="null: not measured")] = None
    window: Annotated[int, Meta(ge=1, description="tokens that one attention layer sees")]
    layers: Count
    width: Count
    heads: Count
    exact_tokens: Annotated[int, Meta(ge=1, description="last tokens that rebuild the hidden state exactly")]
    features: tuple[str, ...]
    risk_features: Annotated[
        tuple[str, ...], Meta(description="those that risk depends on; empty: not told")
    ] = ()
    calibration: Calibration
    reference: Annotated[Reference | None, Meta(description="null: alerts have no drivers")] = None
    decline: Annotated[DeclineOutputs | None, Meta(description="null: not foretold")] = None
    expected_loss: Annotated[ExpectedLoss | None, Meta(description="null: amounts are not known")] = None
    alert: Annotated[AlertHeads | None, Meta(description="null: the bundle has no alert graph")] = None
    metrics: dict[str, float]
    variant: Annotated[VariantName | None, Meta(description="what is served; null: not compared")] = None
    ablation: Annotated[tuple[VariantFigures, ...], Meta(description="simplest variant first")] = ()
    interrupted: Annotated[bool, Meta(description="training was ended early by hand")] = False
    sha256: Annotated[
        dict[FileName, Sha256], Meta(description="of every other file of the bundle, by its name")
    ]
    opset: Count
    libraries: Annotated[dict[str, str], Meta(description="versions of what trained and exported it")]

    @property
    def risk_days(self) -> float:
        """Within which the risk says that something happens: the window of decline, or absence's horizon."""
        return self.horizon_days if self.window_days is None else self.window_days


_DECODER: Final = msgspec.json.Decoder(Manifest)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class _FormatVersion(Struct):
    format_version: int


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as indented JSON, the same bytes for the same manifest."""
    return msgspec.json.format(_ENCODER.encode(manifest), indent=2) + b"\n"


def decode_manifest(data: bytes, origin: str) -> Manifest:
    """The manifest in ``data``; ``origin`` names it in the ``BundleError`` raised where it does not fit."""
    try:
        version = msgspec.json.decode(data, type=_FormatVersion).format_version
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{origin} has bundle format {version}, and this program reads {FORMAT_VERSION}: "
                "train the bundle again, or use the program's version that made it."
            )
        manifest = _DECODER.decode(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{origin} is not a bundle's manifest: {error}. Train the bundle again.") from error
    _check_order(manifest, origin)
    _check_definition(manifest, origin)
    return manifest


def _check_definition(manifest: Manifest, origin: str) -> None:
    """Refuse a manifest that names decline and does not say what the graph tells of it."""
    needed = manifest.definition == "decline" or manifest.expected_loss is not None
    if needed and (manifest.decline is None or manifest.window_days != manifest.decline.window_days):
        raise BundleError(
            f"{origin}: its definition is decline, within a window of {manifest.window_days} days, and "
            "`decline` does not describe the outputs for that. Train the bundle again."
        )


def _check_order(manifest: Manifest, origin: str) -> None:
    """Refuse what would make a risk curve or a band of nothing: steps or edges that do not ascend."""
    edges = msgspec.structs.astuple(manifest.band_edges)
    loss = manifest.expected_loss
    amounts = () if loss is None else msgspec.structs.astuple(loss.edges)
    for field, values, wanted in (
        ("silence_grid_s", manifest.silence_grid_s, "each step must be longer than the one before it"),
        ("band_edges", (0.0, *edges, 1.0), "watch, high and critical must ascend between 0 and 1"),
        ("expected_loss.edges", amounts, "watch, high and critical must ascend"),
    ):
        if any(after <= before for before, after in pairwise(values)):
            raise BundleError(f"{origin}: {field} does not ascend: {wanted}. Train the bundle again.")
