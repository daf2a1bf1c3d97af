"""What tests of trainings share."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from torch import nn

from models.bundle import export


@pytest.fixture(autouse=True, scope="session")
def graphs_exported_once() -> Iterator[None]:
    """A network that has been exported before is not exported again: that is most of a small training's time.

    That the same network gives the same graph is shown elsewhere, by trainings in processes of their own.
    """
    exported: dict[str, bytes] = {}
    real = export._graph

    def remembered(module: nn.Module, *arguments: Any) -> bytes:
        key = sha256(repr((module, arguments[1:])).encode())
        for name, weights in module.state_dict().items():
            key.update(name.encode() + weights.numpy().tobytes())
        for example in arguments[0]:
            key.update(repr(getattr(example, "shape", example)).encode())
        if key.hexdigest() not in exported:
            exported[key.hexdigest()] = real(module, *arguments)
        return exported[key.hexdigest()]

    patch = pytest.MonkeyPatch()
    patch.setattr(export, "_graph", remembered)
    yield
    patch.undo()
