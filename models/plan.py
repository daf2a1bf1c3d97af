"""The stages of a training, known before the first begins, so that the time left of the whole can be told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from models.data.histories import Histories
from models.fit.fitting import HEAD, LANGUAGE, stage_name
from models.heads.fitting import MOST_QUESTIONS, NEXT_CATEGORY, NEXT_TYPE, SCHEDULES, SPEND
from models.heads.material import MOST_EVENTS
from models.heads.serving import WITH_SEQUENCE
from models.loop.progress import Stage
from models.recipe import VARIANTS, Task, Variant
from models.selection.columns import ALL, STEADY
from models.selection.validation import FIRST_FIT, first_fit_name
from models.selection.variants import FINAL_FIT

EVENTS: Final = "events"
DATASET: Final = "dataset"
BUNDLE: Final = "bundle"

_BUNDLE_STEPS: Final = 4
_EVENT_COST: Final = 3.0
"""Of an event through the transformer, beside an example through the query head; both with the way back."""


class Plan(NamedTuple):
    """The most there may be to do: ``examples`` and ``events`` an epoch, ``folds`` of cross validation.

    ``earlier``: how many events an epoch of the first fit and of a fold has.
    """

    task: Task
    examples: int
    events: int
    earlier: int
    folds: int

    def first_fits(self) -> list[Stage]:
        """Those that compare features and variants."""
        parts = [HEAD, LANGUAGE, *VARIANTS[1:]]
        columns = [stage for label in (STEADY, ALL) for stage in self._fit(label, [HEAD], self.earlier)]
        return columns + [
            stage
            for number in range(self.task.seeds)
            for stage in self._fit(first_fit_name(number), parts, self.earlier)
        ]

    def after_validation(self, variant: Variant) -> list[Stage]:
        """What remains once ``variant`` has been chosen."""
        needed = parts_of(variant)
        parts = [part for part in _PARTS if part in {*needed, LANGUAGE}]
        made = self._fit(FINAL_FIT, parts, self.events)
        made += self._heads()
        made.append(Stage(BUNDLE, _BUNDLE_STEPS, self.examples / _BUNDLE_STEPS))
        for fold in range(self.folds):
            made += self._fit(fold_name(fold, self.folds), needed, self.earlier)
        return made

    def _heads(self) -> list[Stage]:
        units = {
            SPEND: min(self.examples, MOST_QUESTIONS),
            NEXT_TYPE: min(self.events, MOST_EVENTS),
            NEXT_CATEGORY: min(self.events, MOST_EVENTS),
        }
        return [
            Stage(stage_name(label, part), SCHEDULES[part].epochs * count, 1.0)
            for label in (FIRST_FIT, WITH_SEQUENCE, FINAL_FIT)
            for part, count in units.items()
        ]

    def _fit(self, label: str, parts: Iterable[str], events: int) -> list[Stage]:
        recipe = self.task.recipe
        known = {
            HEAD: Stage(HEAD, recipe.head.epochs * self.examples, 1.0),
            LANGUAGE: Stage(LANGUAGE, recipe.language.epochs * events, _EVENT_COST),
            "sequence": Stage("sequence", recipe.sequence.epochs * events, _EVENT_COST),
            "both": Stage("both", recipe.both.epochs * events, _EVENT_COST),
        }
        return [known[part]._replace(name=stage_name(label, part)) for part in parts]


_PARTS: Final = (HEAD, LANGUAGE, "sequence", "both")


def plan_of(histories: Histories, task: Task, examples: int, folds: int) -> Plan:
    """The plan for ``histories``, from which ``examples`` were made."""
    most = task.recipe.most_events
    early = int((histories.times < task.first_until_ms).sum())
    earlier = round((1.0 - task.recipe.held_out) * early)
    return Plan(task, examples, min(len(histories.tokens), most), min(earlier, most), folds)


def parts_of(variant: Variant) -> tuple[str, ...]:
    """The stages that a fit of ``variant`` alone consists of."""
    if variant == "aggregates":
        return (HEAD,)
    return (HEAD, LANGUAGE, "both") if variant == "both" else (LANGUAGE, "sequence")


def fold_name(fold: int, folds: int) -> str:
    """What progress reports call the fit without the users of ``fold``, counted from 0."""
    return f"fold {fold + 1} of {folds}"
