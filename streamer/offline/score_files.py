"""Scores into a file, by the name's ending."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import msgspec

from streamer.files.kind import files_extra, kind_of
from streamer.files.streams import replacing, writing
from streamer.offline.scores import UserScore

COLUMNS = UserScore.__struct_fields__


def write_scores(path: Path, scores: Sequence[UserScore]) -> None:
    """Write the scores in their order to .ndjson or .csv (also .gz, .zst), or .parquet.

    Raises ``ConfigurationError`` where the name says no known kind of file.
    """
    kind = kind_of(path)
    if kind.format == "parquet":
        _write_parquet(path, scores)
        return
    with writing(path, kind.compression) as stream:
        if kind.format == "ndjson":
            stream.writelines(msgspec.json.encode(score) + b"\n" for score in scores)
            return
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        rows = csv.writer(text)
        rows.writerow(COLUMNS)
        rows.writerows(msgspec.structs.astuple(score) for score in scores)
        text.flush()
        text.detach()


def _write_parquet(path: Path, scores: Sequence[UserScore]) -> None:
    pyarrow = files_extra("pyarrow")
    parquet = files_extra("pyarrow.parquet")
    types = (pyarrow.string(), pyarrow.float64(), pyarrow.float64(), pyarrow.string())
    schema = pyarrow.schema(list(zip(COLUMNS, types, strict=True)))
    columns = [[getattr(score, name) for score in scores] for name in COLUMNS]
    table = pyarrow.table(dict(zip(COLUMNS, columns, strict=True)), schema=schema)
    with replacing(path) as partial:
        parquet.write_table(table, partial, compression="zstd")
