"""From events to a bundle: a first fit judges and chooses, a second learns from everything and is served."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.bundle.agreement import check_agreement, differences
from models.bundle.export import alert_graph, query_graph, transformer_graphs, write_bundle
from models.bundle.golden import golden_vectors
from models.bundle.manifest import manifest_of
from models.bundle.reference import reference_point
from models.data.examples import Decline, Examples, labelled_moments
from models.data.histories import Histories
from models.data.moments import cut_moments
from models.fit.fitting import Fit
from models.fit.level import Levels, levels_of
from models.fit.material import material
from models.fit.shop_mean import shop_mean_of
from models.heads.categories import bucket_names
from models.heads.serving import Served, serve_heads
from models.loop.epochs import Run
from models.network.network import Network
from models.plan import BUNDLE, DATASET, plan_of
from models.recipe import SILENCE_GRID_S, Task
from models.selection.columns import choose_columns
from models.selection.edges import Edges, absence_edges, alerts_a_week, decline_edges, has_amounts
from models.selection.loss_method import NOT_COMPARED, compare_methods
from models.selection.validation import Validated, questions, validate, validation_cuts
from models.selection.variants import FINAL_FIT
from schemas.bundle.manifest import ALERT_NAME, QUERY_NAME, Manifest
from schemas.errors import ConfigurationError
from schemas.timestamps import format_timestamp


class Bundled(NamedTuple):
    """What was written, and on what it rests."""

    manifest: Manifest
    validated: Validated
    columns: npt.NDArray[np.int64]


def train_bundle(
    histories: Histories,
    task: Task,
    name: str,
    out: Path,
    run: Run,
    folds: int = 0,
    categories: Mapping[int, str] | None = None,
) -> Bundled:
    """Train on the events of ``histories``, all before ``task.until_ms``, and write the bundle ``out``.

    A first fit that knows nothing of the last two horizons is judged on the cuts within them, which gives the
    features, the variant and the manifest's metrics; a second one, trained alike on everything, is served, at
    the level of the newest known outcomes. The alerts that it would have brought within the same two horizons
    say where the bands begin; under decline those of two windows. After an interruption it is the first fit
    that is served, as far as it came, without heads for alerts.

    ``folds``: how many more fits will follow. ``categories``: texts by hash, none for alerts without them.
    Raises :class:`~schemas.errors.ConfigurationError` where there are too few data.
    """
    _check_enough(histories, task)
    decline = decline_of(histories, task)
    examples = labelled_moments(
        histories, task, task.until_ms, lambda done: run.report.done(DATASET, done), decline
    )
    run.report.finished(DATASET)
    plan = plan_of(histories, task, len(examples.bin), folds)
    run.report.plan([*plan.first_fits(), *plan.after_validation("both")])
    run.interruption.heeded = True
    asked = questions(histories, task)
    columns = choose_columns(histories, examples, asked, task, run, decline)
    validated = validate(histories, columns, asked, task, run, decline=decline)
    run.report.plan(plan.after_validation(validated.variant))
    network, levels, seen_until_ms = validated.network, Levels(validated.platt), task.first_until_ms
    if not run.interruption.requested:
        final = _final_fit(histories, examples, columns, task, validated, run)
        if not run.interruption.requested:
            network, seen_until_ms = final, task.until_ms
            levels = levels_of(final, histories, task, decline)
    if decline is not None and levels.decline is None:
        levels = levels_of(network, histories, task, decline)._replace(absence=validated.platt)
    served: Served | None = None
    if not run.interruption.requested:
        served = serve_heads(validated.network, network, histories, columns, task, run)
    heads = served and served.heads

    edges = _edges(validated, network, levels, histories, task, decline, run)
    run.report.done(BUNDLE, 1)
    typical = cut_moments(histories, validation_cuts(task), task.active_ms)
    reference = reference_point(network, levels, histories, typical)
    run.report.done(BUNDLE, 1)
    graphs = {
        **transformer_graphs(network),
        QUERY_NAME: query_graph(network, levels),
    }
    if heads is not None:
        graphs[ALERT_NAME] = alert_graph(network, heads)
    check_agreement(differences(network, levels, heads, graphs, histories))
    run.report.done(BUNDLE, 1)
    golden = golden_vectors(network, levels, heads, histories, SILENCE_GRID_S)
    names = bucket_names(categories or {}, histories, task.size.category_buckets)
    manifest = manifest_of(
        histories,
        task,
        name,
        validated,
        levels,
        decline,
        network.head.features,
        edges,
        reference,
        served and served.described(histories, names),
        served.metrics if served else {},
        SILENCE_GRID_S,
        seen_until_ms=seen_until_ms,
        interrupted=served is None,
    )
    written = write_bundle(out, manifest, graphs, golden)
    run.report.finished(BUNDLE)
    return Bundled(written, validated, columns)


def _final_fit(
    histories: Histories,
    examples: Examples,
    columns: npt.NDArray[np.int64],
    task: Task,
    validated: Validated,
    run: Run,
) -> Network:
    """The chosen variant, trained on everybody for as many epochs as the first fit found best."""
    nobody = np.zeros(histories.users, bool)
    data = material(histories, examples, columns, task, nobody)
    fit = Fit(FINAL_FIT, data, task, run, validated.epochs)
    # Also where its hidden vector has no say in the risk: it is served, and describes the user.
    fit.learn_language()
    return fit.network(validated.variant)


def _edges(
    validated: Validated,
    network: Network,
    levels: Levels,
    histories: Histories,
    task: Task,
    decline: Decline | None,
    run: Run,
) -> Edges:
    """Those of the network that is served; how losses are found the first fit says, which can be judged."""
    if decline is None:
        return absence_edges(network, levels, histories, task)
    compared = NOT_COMPARED
    if not run.interruption.requested and has_amounts(histories):
        wanted = alerts_a_week(histories, task)
        compared = compare_methods(validated.network, histories, task, decline, wanted)
    return decline_edges(network, levels, histories, task, decline, compared)


def decline_of(histories: Histories, task: Task) -> Decline | None:
    """What is asked about decline, from what a first fit may know; ``None`` where absence is all."""
    if task.definition == "absence":
        return None
    return Decline(shop_mean_of(histories, task, task.first_until_ms), task.window_ms)


def _check_enough(histories: Histories, task: Task) -> None:
    needed = task.until_ms - 3 * task.horizon_ms
    if not len(histories.tokens) or histories.times.min() > needed:
        raise ConfigurationError(
            f"training needs events from before {format_timestamp(needed)}, three horizons before "
            "--train-until: give more data, a later --train-until or a shorter --horizon"
        )
    needed = task.until_ms - 3 * task.window_ms
    if task.definition == "decline" and histories.times.min() > needed:
        raise ConfigurationError(
            f"to learn who declines, events from before {format_timestamp(needed)} are needed, three times "
            "--window before --train-until: give more data, a shorter --window, or --definition absence"
        )
