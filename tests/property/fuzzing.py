"""How many inputs are tried, and what becomes of each.

``FUZZ_INPUTS`` says how many in all, ten thousand by default; the tests share them out.
"""

from __future__ import annotations

import faulthandler
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

from hypothesis import HealthCheck, seed, settings

INPUTS: Final = int(os.environ.get("FUZZ_INPUTS", "10000"))
BY_CHANCE: Final = "FUZZ_INPUTS" in os.environ
"""Else the same inputs every time, so that a build never fails by chance."""

HANGS_S: Final = 60.0
EXAMPLES_A_ROUND: Final = 100


class Fuzzing:
    """One test's part of all inputs. ``outcomes``: what they ended as, with how many."""

    def __init__(self, share: float) -> None:
        self._wanted = math.ceil(share * INPUTS)
        self.outcomes: Counter[str] = Counter()

    @property
    def tried(self) -> int:
        return self.outcomes.total()

    def run(self, one_round: Callable[[], None]) -> None:
        """Run a Hypothesis test, round after round with other draws, until its part has been tried."""
        settled = settings(
            max_examples=EXAMPLES_A_ROUND,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )(one_round)
        for number in count():
            if self.tried >= self._wanted:
                return
            before = self.tried
            (settled if BY_CHANCE else seed(number)(settled))()
            assert self.tried > before, "a round without any input"


@contextmanager
def ended_if_it_hangs() -> Iterator[None]:
    """End the process, with a trace of where it hangs: nothing else interrupts a decoder written in C."""
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
