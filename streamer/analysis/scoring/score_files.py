"""Scores into a file, by the name's ending."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamer.analysis.scoring.scores import UserScore
from streamer.data.files.records import write_records

COLUMNS = UserScore.__struct_fields__


def write_scores(path: Path, scores: Sequence[UserScore]) -> None:
    """Write the scores in their order to .ndjson or .csv (also .gz, .zst), or .parquet.

    Raises ``ConfigurationError`` where the name says no known kind of file.
    """
    write_records(path, UserScore, scores)
