"""A worker process around a deterministic stage; run as ``python -m
tests.integration.worker.transactions_worker``.

The stage counts each user's records and keeps a running hash of them, in memory and in the table; the count
of all of them is its status, and must fit the table that comes with it. It
answers each record with one output: user, revision, hash so far, offset, and whether wall time was given.
The first tick with wall time is answered too, once for each partition and process. With a repartition topic
it forwards what lies in another partition than its user's. What a reader of the
outputs and of the changelog must find follows from the input alone, see :func:`expected`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import struct
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path

import msgspec

from streamer.kafka.connection import Connection
from streamer.worker.runtime.application import build_application, run
from streamer.worker.runtime.options import WorkerOptions
from streamer.worker.stage.protocol import BatchOutcome, Message, Record
from streamer.worker.stage.repartition import partition_of

STATE = struct.Struct("<q16s")
POISON = b"poison"
EMPTY = STATE.pack(0, bytes(16))


class Output(msgspec.Struct, frozen=True):
    """One answer of the stage; ``user`` is empty for a tick. ``value`` is the record's, in hexadecimal."""

    user: str
    value: str
    revision: int
    digest: str
    offset: int
    current: bool


class WorkerArguments(msgspec.Struct, frozen=True):
    """What a test tells a worker process, as one JSON argument."""

    bootstrap: str
    application_id: str
    event_topic: str
    output_topic: str
    data_dir: str
    repartition_topic: str | None = None
    instance_id: str | None = None
    partitions: int = 4
    max_batch: int = 200
    padding: int = 0
    freeze_file: str | None = None
    refuse_poison: bool = False
    answer_ticks: bool = False
    standbys: int = 0


def advance(state: bytes, value: bytes) -> bytes:
    """The state after one more record."""
    revision, digest = STATE.unpack_from(state)
    return STATE.pack(revision + 1, hashlib.blake2b(digest + value, digest_size=16).digest())


def expected(
    values: Iterable[tuple[str, bytes]],
) -> tuple[dict[str, bytes], dict[str, list[tuple[int, str]]]]:
    """Table and outputs (revision, digest) by user for records ``(user, value)`` in each user's order."""
    table: dict[str, bytes] = {}
    outputs: dict[str, list[tuple[int, str]]] = {}
    for user, value in values:
        table[user] = advance(table.get(user, EMPTY), value)
        revision, digest = STATE.unpack(table[user])
        outputs.setdefault(user, []).append((revision, digest.hex()))
    return table, outputs


class CountingStage:
    """Keeps its state in memory as well, and refuses to go on when the store disagrees."""

    def __init__(self, arguments: WorkerArguments) -> None:
        self._arguments = arguments
        self._padding = bytes(arguments.padding)
        self._states: dict[int, dict[bytes, bytes]] = {}
        self._ticked: set[int] = set()

    def opening(
        self,
        partition: int,
        items: Iterable[tuple[bytes, bytes]],
        status: str = "",
        next_offset: int = 0,  # noqa: ARG002 - the stage's interface
    ) -> Generator[None]:
        yield
        assert partition not in self._states, "opened twice"
        self._states[partition] = {key: value[: STATE.size] for key, value in items}
        revisions = sum(STATE.unpack(state)[0] for state in self._states[partition].values())
        assert int(status or "0") == revisions, "status and table disagree"

    def close(self, partition: int) -> None:
        del self._states[partition]

    def process(
        self,
        partition: int,
        read: Callable[[bytes], bytes | None],
        records: Sequence[Record],
        now_ms: int | None,
    ) -> BatchOutcome:
        self._maybe_freeze(records)
        states = self._states[partition]
        changed: dict[bytes, bytes | None] = {}
        messages: list[Message] = []
        for record in records:
            assert record.key is not None
            assert record.value is not None
            home = partition_of(record.key.decode(), self._arguments.partitions)
            if self._arguments.repartition_topic is not None and not record.forwarded and home != partition:
                topic = self._arguments.repartition_topic
                messages.append(Message(topic, record.key, record.value, record.headers, home))
                continue
            if self._arguments.refuse_poison and record.value == POISON:
                raise ValueError("poisoned record")
            before = states.get(record.key)
            if record.key not in changed:
                stored = read(record.key)
                assert (stored and stored[: STATE.size]) == before, "store and memory disagree"
            after = states[record.key] = advance(before or EMPTY, record.value)
            changed[record.key] = after + self._padding
            revision, digest = STATE.unpack(after)
            current = now_ms is not None
            output = Output(
                record.key.decode(), record.value.hex(), revision, digest.hex(), record.offset, current
            )
            messages.append(self._message(output))
        if self._arguments.answer_ticks and not records and now_ms and partition not in self._ticked:
            self._ticked.add(partition)
            messages.append(self._message(Output("", "", 0, "", -1, True)))
        return BatchOutcome(changed, messages)

    def status(self, partition: int, wall_ms: int) -> str:  # noqa: ARG002 - the protocol's
        return str(sum(STATE.unpack(state)[0] for state in self._states[partition].values()))

    def _message(self, output: Output) -> Message:
        headers = (("content-type", b"application/json"),)
        key = output.user.encode() or None
        return Message(self._arguments.output_topic, key, msgspec.json.encode(output), headers)

    def _maybe_freeze(self, records: Sequence[Record]) -> None:
        """With a batch in hand and the freeze file there, stop this process until SIGCONT."""
        freeze_file = self._arguments.freeze_file
        if records and freeze_file is not None and (path := Path(freeze_file)).exists():
            path.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    arguments = msgspec.json.decode(sys.argv[1].encode(), type=WorkerArguments)
    options = WorkerOptions(
        connection=Connection(arguments.bootstrap),
        application_id=arguments.application_id,
        event_topic=arguments.event_topic,
        data_dir=Path(arguments.data_dir),
        instance_id=arguments.instance_id,
        max_batch=arguments.max_batch,
        repartition_topic=arguments.repartition_topic,
        standbys=arguments.standbys,
    )
    return run(build_application(options, CountingStage(arguments)))


if __name__ == "__main__":
    sys.exit(main())
