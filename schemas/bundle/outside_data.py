"""Whether an ONNX graph keeps weights in other files: a path in the graph would then decide what is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.bundle.protobuf import parts

_Message = Mapping[int, str]
"""Fields of a message that may hold a tensor, and the messages that they are."""

_EXTERNAL_DATA: Final = 13  # of a TensorProto
_MESSAGES: Final[Mapping[str, _Message]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}


def names_other_files(graph: bytes) -> bool:
    """Whether any tensor of ``graph``, a serialised ONNX model, says that its data lie elsewhere.

    Raises ``ValueError`` where it is none.
    """
    waiting = [("model", graph)]
    while waiting:
        kind, message = waiting.pop()
        if kind == "tensor":
            if any(True for _ in parts(message, _EXTERNAL_DATA)):
                return True
            continue
        for number, inner in _MESSAGES[kind].items():
            waiting.extend((inner, part) for part in parts(message, number))
    return False
