"""With which exit code a process ends."""

from __future__ import annotations

from aiokafka.errors import ProducerFenced

from schemas.errors import StateError
from streamer.worker.runtime.ending import Ending


def test_exit_codes() -> None:
    stopped, failed_before, failed_after, fenced_after = Ending(), Ending(), Ending(), Ending()
    failed_before.fail(ProducerFenced())
    for each in (stopped, failed_before, failed_after, fenced_after):
        each.stop()
    failed_after.fail(StateError("broken"))
    fenced_after.fail(ProducerFenced())
    assert [each.exit_code() for each in (stopped, failed_before, failed_after, fenced_after)] == [0, 1, 1, 0]
    # Faust has its own idea of a failure.
    assert [each.exit_code(1) for each in (stopped, fenced_after, Ending())] == [0, 0, 1]
