"""What every command that reads files of events says of the rows that it left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from schemas.errors import ChurnStreamerError, InputFileError
from streamer.data.files import ReadCounts


@contextmanager
def counted_rows() -> Iterator[ReadCounts]:
    """Counts to read with; in the end they are told on standard error.

    Raises ``InputFileError`` where rows were left out and no event remained.
    """
    counts = ReadCounts()
    try:
        yield counts
    except ChurnStreamerError as error:
        _refuse_nothing_but(counts, error)
        _tell(counts)
        raise
    _refuse_nothing_but(counts, None)
    _tell(counts)


def _refuse_nothing_but(counts: ReadCounts, cause: ChurnStreamerError | None) -> None:
    if counts.left_out and not counts.events and not isinstance(cause, InputFileError):
        raise InputFileError(f"there is no event to work with: {'; '.join(counts.sentences())}") from cause


def _tell(counts: ReadCounts) -> None:
    for sentence in counts.sentences():
        click.echo(f"warning: {sentence}", err=True)
