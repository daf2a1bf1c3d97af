"""What the query head sees where it also foretells decline."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from models.data.examples import Decline, labelled_moments
from models.fit.fitting import Fit
from models.fit.material import material
from models.fit.shop_mean import shop_mean_of
from models.loop.epochs import Run
from models.recipe import Size, Task
from schemas.bundle.manifest import Definition
from schemas.units import DAY_MS
from streamer.core.model.features import FEATURES
from tests.tiny_training import TASK, shop


def head_inputs(definition: Definition, size: Size) -> int:
    """Numbers that the query head of a short fit takes for a question."""
    task: Task = dataclasses.replace(TASK, definition=definition, window_ms=20 * DAY_MS, size=size)
    histories = shop()
    decline = Decline(shop_mean_of(histories, task, task.until_ms), task.window_ms)
    examples = labelled_moments(
        histories, task, task.until_ms, decline=None if definition == "absence" else decline
    )
    nobody = np.zeros(histories.users, bool)
    fit = Fit("fit", material(histories, examples, np.arange(len(FEATURES)), task, nobody), task, Run())
    return fit.network("aggregates").head.inner.in_features


@pytest.mark.parametrize(("definition", "pieces"), [("absence", 4), ("decline", 1)])
def test_a_head_that_foretells_decline_sees_features_in_fewer_pieces(
    definition: Definition, pieces: int
) -> None:
    size = dataclasses.replace(TASK.size, quantiles=4)
    assert head_inputs(definition, size) == len(FEATURES) * (1 + pieces)
