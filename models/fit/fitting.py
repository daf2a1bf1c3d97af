"""One fit: the parts of a network, each trained when it is first asked for."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import torch

from models.fit.language_model import LanguageModel, Surprise, learn_language, surprise
from models.fit.material import Material, Tensors
from models.fit.training import train_head, train_sequence
from models.loop.epochs import Run
from models.network.network import Network, NextEvent, base_hazards
from models.network.query_head import DeclineStart, FeatureEncoding, QueryHead
from models.network.transformer import Transformer
from models.recipe import Task, Variant
from streamer.core.model.features import FEATURES

HEAD = "query head"
LANGUAGE = "language model"

SILENCE = np.array([FEATURES.index("silence")])


class Fit:
    """What is learnt from ``material``, the same for the same seed; ``label`` names the fit in progress
    reports.

    ``epochs``: of each stage by its name, where an earlier fit has found them; by default the users held out
    say when a stage ends. ``found`` holds them in either case.
    """

    def __init__(
        self, label: str, material: Material, task: Task, run: Run, epochs: Mapping[str, int] | None = None
    ) -> None:
        self._label = label
        self._material = material
        self._task = task
        self._run = run
        self._epochs = epochs
        self.found: dict[str, int] = {}
        self._head: QueryHead | None = None
        self._language: LanguageModel | None = None
        self._made: dict[Variant, Network] = {}

    def learn_language(self) -> LanguageModel:
        """The transformer, trained to foretell events."""
        if self._language is None:
            self._language = self._new_language()
            trained = learn_language(
                self._stage(LANGUAGE),
                self._language,
                self._material,
                self._task,
                self._run,
                self._wanted(LANGUAGE),
            )
            self.found[LANGUAGE] = trained.epochs
        return self._language

    def surprise(self) -> Surprise | None:
        """How well the language model, where it was trained, foretells the users held out."""
        return None if self._language is None else surprise(self._language, self._material)

    def network(self, variant: Variant) -> Network:
        """The network of ``variant``, in evaluation mode.

        That of aggregates alone takes no notice of its transformer, which is the language model's where that
        was trained before.
        """
        if variant == "aggregates":
            language = self._language or self._new_language()
            return Network(language.transformer, language.next_event, self._trained_head()).eval()
        if variant not in self._made:
            self._made[variant] = self._with_sequence(variant)
        return self._made[variant]

    def _with_sequence(self, variant: Variant) -> Network:
        language = copy.deepcopy(self.learn_language())
        head = copy.deepcopy(self._trained_head()) if variant == "both" else self._new_head(SILENCE)
        network = Network(language.transformer, language.next_event, head)
        trained = train_sequence(
            self._stage(variant),
            network,
            variant,
            self._material,
            self._task,
            self._run,
            self._wanted(variant),
        )
        self.found[variant] = trained.epochs
        return network

    def _trained_head(self) -> QueryHead:
        if self._head is None:
            self._head = self._new_head(self._material.columns)
            trained = train_head(
                self._stage(HEAD), self._head, self._material, self._task, self._run, self._wanted(HEAD)
            )
            self.found[HEAD] = trained.epochs
        return self._head

    def _new_head(self, columns: npt.NDArray[np.int64]) -> QueryHead:
        self._seed(HEAD)
        size, examples = self._task.size, self._material.examples
        known = torch.from_numpy(self._material.examples_of(held_out=False))
        hazards = base_hazards(examples.bins[known], examples.seen[known])
        decline = None if self._task.definition == "absence" else _start_of(examples, known)
        quantiles = size.quantiles if decline is None else size.decline_quantiles
        encoding = FeatureEncoding(examples.features[known].numpy(), columns, quantiles)
        return QueryHead(encoding, size, self._task.recipe.dropout, hazards, decline)

    def _new_language(self) -> LanguageModel:
        self._seed(LANGUAGE)
        size = self._task.size
        return LanguageModel(Transformer(size), NextEvent(size))

    def _seed(self, part: str) -> None:
        """What a part begins with depends on nothing that happened before."""
        drawn = sha256(f"{self._task.seed}/{self._stage(part)}".encode()).digest()
        torch.manual_seed(int.from_bytes(drawn[:7], "big"))

    def _wanted(self, part: str) -> int | None:
        return None if self._epochs is None else self._epochs[part]

    def _stage(self, part: str) -> str:
        return stage_name(self._label, part)


def _start_of(examples: Tensors, chosen: torch.Tensor) -> DeclineStart:
    """Where the examples ``chosen`` have decline and spending begin."""
    declined, spend = examples.declined[chosen], examples.spend[chosen]
    declined, spend = declined[~torch.isnan(declined)], spend[~torch.isnan(spend)]
    amounts = spend[spend > 0].log()
    several = len(amounts) > 1
    return DeclineStart(
        float(declined.mean()) if len(declined) else 0.5,
        len(amounts) / max(len(spend), 1),
        float(amounts.mean()) if several else 0.0,
        float(amounts.std()) if several else 1.0,
    )


def stage_name(label: str, part: str) -> str:
    """How progress reports and checkpoints call a part of a fit."""
    return f"{label}: {part}"
