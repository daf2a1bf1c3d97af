"""Which expected loss alerts go by: what each would have been worth, and how sure that is."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from models.fit.shortfalls import Shortfalls
from models.selection.loss_method import METHODS, NOT_COMPARED, choose, first_raised
from schemas.bundle.decline import LossMethod
from streamer.core.model.answers import Answers


def asked(
    cut: list[int], user: list[int], shortfall: list[float], on_time: tuple[int, ...] = ()
) -> Shortfalls:
    """Questions, all about who is overdue but for those numbered ``on_time``."""
    count = len(cut)
    nothing = np.zeros(count)
    overdue = np.ones(count, bool)
    overdue[list(on_time)] = False
    return Shortfalls(
        np.array(cut),
        np.array(user),
        Answers(nothing, nothing, nothing),
        nothing,
        overdue,
        np.ones(count),
        np.array(shortfall, float),
    )


def test_the_simplest_comes_first() -> None:
    assert get_args(LossMethod) == METHODS
    assert METHODS[0] == "absence"


def test_the_highest_are_raised_at_each_cut_and_nobody_twice() -> None:
    questions = asked([0, 0, 0, 1, 1, 1], [7, 8, 9, 7, 8, 9], [0.0] * 6)
    expected = np.array([3.0, 1.0, 2.0, 9.0, 1.0, 2.0])
    assert first_raised(questions, expected, 1).tolist() == [0, 5]
    assert first_raised(questions, expected, 2).tolist() == [0, 2, 4]
    assert first_raised(questions, expected, 50).tolist() == [0, 2, 1]


def test_who_is_on_time_is_not_raised() -> None:
    questions = asked([0, 0, 1], [1, 2, 1], [0.0] * 3, on_time=(0,))
    assert first_raised(questions, np.array([5.0, 1.0, 5.0]), 1).tolist() == [1, 2]
    assert not len(first_raised(asked([0], [1], [0.0], on_time=(0,)), np.ones(1), 1))


def raised(questions: Shortfalls, good: LossMethod, count: int) -> dict[LossMethod, npt.NDArray[np.int64]]:
    """The first ``count`` questions by ``good``, and the last ones by the other methods."""
    total = len(questions.cut)
    return {
        method: np.arange(count) if method == good else np.arange(total - count, total) for method in METHODS
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_is_clearly_better_is_chosen(method: LossMethod) -> None:
    random = np.random.default_rng(1)
    shortfalls = np.concatenate([random.normal(100, 30, 40), random.normal(0, 30, 40)]).tolist()
    questions = asked([0] * 80, list(range(80)), shortfalls)
    chosen, figures = choose(questions, raised(questions, method, 40), seed=1)
    assert chosen == method
    by_method = {one.method: one for one in figures}
    assert list(by_method) == list(METHODS)
    assert by_method[method].shortfall == pytest.approx(100, abs=15)
    assert by_method[method].behind == by_method[method].behind_error == 0.0
    other = by_method["absence" if method == "decline" else "decline"]
    assert other.behind == pytest.approx(100, abs=20)
    # Two independent means of 40, each with a deviation of 30.
    assert other.behind_error == pytest.approx(30 * np.sqrt(2 / 40), rel=0.3)


def test_what_may_be_chance_leaves_the_simplest() -> None:
    random = np.random.default_rng(2)
    shortfalls = np.concatenate([random.normal(20, 300, 40), random.normal(0, 300, 40)]).tolist()
    questions = asked([0] * 80, list(range(80)), shortfalls)
    assert choose(questions, raised(questions, "spend", 40), seed=1).chosen == METHODS[0]


def test_methods_that_raise_the_same_differ_by_nothing() -> None:
    questions = asked([0] * 4, [0, 1, 2, 3], [5.0, -1.0, 7.0, 0.0])
    same: dict[LossMethod, npt.NDArray[np.int64]] = {method: np.array([0, 2]) for method in METHODS}
    chosen, figures = choose(questions, same, seed=1)
    assert chosen == METHODS[0]
    assert [(one.shortfall, one.behind, one.behind_error) for one in figures] == [(6.0, 0.0, 0.0)] * 3


def test_where_nobody_is_raised_nothing_is_compared() -> None:
    questions = asked([0], [1], [2.0])
    nobody: dict[LossMethod, npt.NDArray[np.int64]] = {method: np.zeros(0, np.int64) for method in METHODS}
    assert choose(questions, nobody, seed=1) == NOT_COMPARED
