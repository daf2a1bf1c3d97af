"""What ``streamer evaluate`` asks, and how it comes by the answer; the baselines need what training needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from schemas.bundle.manifest import AlertHeads, Manifest
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.timestamps import format_timestamp, parse_timestamp
from schemas.units import DAY_MS
from streamer.analysis.backtest.judgement import WEEK_MS, Period
from streamer.analysis.backtest.run import Backtest, BacktestRow, decline_judge, shop_of
from streamer.cli.progress_line import ProgressLine
from streamer.core.model.risk_model import Encoding
from streamer.data.files import ReadCounts, read_files
from streamer.inference.graphs.transformer_graphs import Bundle
from streamer.inference.outlook import AlertGraph
from streamer.inference.risk_model import OnnxRiskModel
from streamer.policy.file import load_policy
from streamer.settings.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from models.evaluation.comparison import Beside
    from models.evaluation.heads import Foretell


_CACHED_USERS: Final = 256
"""Every user is scored from the stored tokens, as many at once as a step takes; nothing is kept."""


class EvaluationQuestion(NamedTuple):
    """``at_ms``: the cuts, epoch ms. Churn: no event of ``churn_types`` in the ``horizon_ms`` from a cut on.

    At risk are users with an event in the ``active_ms`` before it. ``learnt_until_ms``: the bundle knows
    nothing from then on, epoch ms.
    """

    at_ms: tuple[int, ...]
    churn_types: Literal["purchase", "any"]
    horizon_ms: int
    active_ms: int
    learnt_until_ms: int


class Answer(NamedTuple):
    """``alerts``: those of each model at one number of alerts a week; empty where none was asked for."""

    dataset: str
    beside: Beside
    alerts: list[BacktestRow]


def question(
    manifest: Manifest,
    at_ms: tuple[int, ...],
    churn_types: str | None,
    horizon_ms: int | None,
    active_ms: int | None,
) -> EvaluationQuestion:
    """The bundle's own question, at other times and perhaps of other users.

    Raises ``ConfigurationError`` for a churn or a horizon that the bundle does not serve.
    """
    definition = manifest.churn_definition
    if churn_types not in (None, definition.types):
        raise ConfigurationError(
            f"--churn-types {churn_types}: the bundle foretells the absence of {_named(definition.types)}: "
            f"leave the option out, or train a bundle with --churn-types {churn_types}"
        )
    served_ms = round(manifest.horizon_days * DAY_MS)
    if horizon_ms not in (None, served_ms):
        days = f"{horizon_ms / DAY_MS:g}d"
        raise ConfigurationError(
            f"--horizon {days}: the bundle looks {manifest.horizon_days:g} days ahead: leave the option out, "
            f"or train a bundle with --horizon {days}"
        )
    if active_ms is None:
        active_ms = round(definition.active_days * DAY_MS)
    until_ms = parse_timestamp(manifest.training_window.to)
    return EvaluationQuestion(at_ms, definition.types, served_ms, active_ms, until_ms)


def answer(
    files: Sequence[Path],
    counts: ReadCounts,
    bundle: Bundle,
    asked: EvaluationQuestion,
    settings: Settings,
    line: ProgressLine,
    *,
    alerts_a_week: float | None,
    ablations: bool,
) -> Answer:
    """Judge the bundle on the events of ``files``, which ``counts`` counts.

    Raises ``ConfigurationError`` where it cannot.
    """
    try:
        from models.data.histories import collect
        from models.evaluation.comparison import judge_beside
        from models.evaluation.heads import head_figures, no_heads
        from models.evaluation.run import Asked
        from models.recipe import Task
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed, and evaluation needs it: pip install 'churn-streamer[train]'"
        ) from error

    manifest = bundle.manifest
    model = OnnxRiskModel(bundle, _CACHED_USERS)
    events: Iterable[Event] = read_files(files, counts)
    if alerts_a_week is not None:
        # Only alerts need whole events, all at once.
        events = sorted(events, key=lambda event: event.timestamp)
    histories = collect(line.counting(events), None, bundle.calendar, settings.currency)
    if not histories.users:
        raise ConfigurationError("the files hold no event: give files of events")
    backtest = None
    if alerts_a_week is not None:
        shop = shop_of(list(events), asked.churn_types == "any", settings.currency)
        period = _period(asked, shop.outcomes.end_ms, round(manifest.risk_days * DAY_MS))
        backtest = Backtest(shop, period, line.stage, decline_judge(shop, period, model, asked.active_ms))
    task = Task(asked.learnt_until_ms, asked.horizon_ms, asked.active_ms, asked.churn_types)
    dataset = "+".join(dict.fromkeys(file.name.split(".")[0] for file in files))
    heads = no_heads
    if model.alert_graph and manifest.alert:
        foretell = _foretelling(model, model.alert_graph, manifest.alert)
        heads = head_figures(foretell, model.ring_tokens, asked.horizon_ms)
    beside = judge_beside(
        histories,
        model,
        asked.at_ms,
        Asked(dataset, task, manifest.band_edges.watch),
        heads=heads,
        ablations=ablations,
        progress=line.stage,
    )
    alerts: list[BacktestRow] = []
    if backtest is not None and alerts_a_week is not None:
        policy = load_policy(settings.policy, manifest, settings.disorder_s)
        alerts = backtest.compared(model, policy, beside.baselines, alerts_a_week)
    return Answer(dataset, beside, alerts)


def _foretelling(model: OnnxRiskModel, graph: AlertGraph, heads: AlertHeads) -> Foretell:
    """What the bundle's alert graph says, as far as training saw enough to say it."""
    from models.evaluation.heads import Foretold

    def foretell(encodings: Sequence[Encoding], features: npt.NDArray[np.float32]) -> Foretold:
        rings = [encoding.ring for encoding in encodings]
        spend, types, _ = graph.run(model.encode(encodings), features, rings)
        return Foretold(spend if heads.spend else None, types if heads.types else None)

    return foretell


def _period(asked: EvaluationQuestion, end_ms: int, after_ms: int) -> Period:
    """When alerts are raised that can be judged: those with ``after_ms`` until ``end_ms``, the files' end."""
    period = Period(min(asked.at_ms), end_ms - after_ms, asked.horizon_ms)
    if period.to_ms < period.from_ms + WEEK_MS:
        raise ConfigurationError(
            "--alerts-a-week judges the alerts from the first --at until a horizon before the files end, "
            "which is less than a week: give an earlier --at, or leave --alerts-a-week out"
        )
    return period


def doubt(asked: EvaluationQuestion) -> str | None:
    """Why the bundle's figures flatter it, if they do."""
    early = [at for at in asked.at_ms if at < asked.learnt_until_ms]
    if not early:
        return None
    return (
        f"the bundle has learnt from events up to {format_timestamp(asked.learnt_until_ms)}, after "
        f"--at {format_timestamp(min(early))}: its figures flatter it; train one with --train-until "
        f"{format_timestamp(min(early))}, or choose a later --at"
    )


def _named(churn_types: str) -> str:
    return "purchases" if churn_types == "purchase" else "any event"
