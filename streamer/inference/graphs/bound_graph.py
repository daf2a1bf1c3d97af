"""A graph bound to the arena once and for all: a run hands over its inputs and takes the hidden vectors."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime import OrtValue

from streamer.inference.device import Device
from streamer.inference.graphs.arena import Arena


@dataclass(frozen=True)
class _Bucket:
    """The tensors of runs of one size. ``staged``: inputs as they are handed over to ``given``."""

    binding: onnxruntime.IOBinding
    staged: Mapping[str, npt.NDArray[Any]]
    given: Mapping[str, OrtValue]
    hidden: OrtValue


class BoundGraph:
    """A session whose inputs ``arena_0``, … and outputs ``written_0``, … are the arena's own memory.

    ONNX Runtime then scatters in place. Nothing but the other inputs and ``hidden`` crosses the bus of a GPU.
    Runs are padded to one of ``buckets`` (ascending) with rows that write into the arena's scratch slot: a
    few shapes whose tensors stay, and on the CPU no row meets a kernel's remainder, which may round
    otherwise.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        arena: Arena,
        device: Device,
        buckets: Sequence[int],
    ) -> None:
        self._session, self._arena, self._device = session, arena, device
        self._sizes = buckets
        self._buckets: dict[int, _Bucket] = {}

    def run(
        self, inputs: Mapping[str, npt.NDArray[Any]], slots: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Hidden vectors ``[users, width]``; ``inputs`` and ``slots`` have a row for each user."""
        hidden: list[npt.NDArray[np.float32]] = []
        for start in range(0, len(slots), self._sizes[-1]):
            part = slice(start, start + self._sizes[-1])
            hidden.append(self._run({name: rows[part] for name, rows in inputs.items()}, slots[part]))
        return hidden[0] if len(hidden) == 1 else np.concatenate(hidden)

    def run_largest(self) -> None:
        """A run of the largest bucket for nobody: what memory it takes is then taken."""
        nobody = np.full(self._sizes[-1], self._arena.scratch)
        staged = self._bucket(len(nobody)).staged
        self.run({name: np.zeros_like(rows) for name, rows in staged.items() if name != "slot"}, nobody)

    def bus_bytes(self, users: int) -> int:
        """Bytes that a run for ``users`` hands over and takes, its padding included."""
        bucket = self._bucket(users)
        return sum(array.nbytes for array in bucket.staged.values()) + bucket.hidden.numpy().nbytes

    def _run(
        self, inputs: Mapping[str, npt.NDArray[Any]], slots: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        users = len(slots)
        bucket = self._bucket(users)
        for name, rows in (*inputs.items(), ("slot", slots)):
            staged = bucket.staged[name]
            staged[:users] = rows
            staged[users:] = self._arena.scratch if name == "slot" else 0
            bucket.given[name].update_inplace(staged)
        self._session.run_with_iobinding(bucket.binding)
        # On the CPU that is the tensor's own memory, which the next run of this size writes to.
        return bucket.hidden.numpy()[:users].copy()

    def _bucket(self, users: int) -> _Bucket:
        size = self._sizes[bisect_left(self._sizes, users)]
        if size not in self._buckets:
            self._buckets[size] = self._open(size)
        return self._buckets[size]

    def _open(self, size: int) -> _Bucket:
        binding = self._session.io_binding()
        staged: dict[str, npt.NDArray[Any]] = {}
        given: dict[str, OrtValue] = {}
        for layer, tensor in enumerate(self._arena.layers):
            binding.bind_ortvalue_input(f"arena_{layer}", tensor)
            binding.bind_ortvalue_output(f"written_{layer}", tensor)
        for node in self._session.get_inputs():
            if not node.name.startswith("arena_"):
                kind = np.float32 if node.type == "tensor(float)" else np.int64
                shape = (size, *node.shape[1:])
                staged[node.name] = np.zeros(shape, kind)
                given[node.name] = OrtValue.ortvalue_from_shape_and_type(shape, kind, self._device, 0)
                binding.bind_ortvalue_input(node.name, given[node.name])
        width = self._session.get_outputs()[0].shape[1]
        hidden = OrtValue.ortvalue_from_shape_and_type((size, width), np.float32, self._device, 0)
        binding.bind_ortvalue_output("hidden", hidden)
        return _Bucket(binding, staged, given, hidden)
