"""Flat records of one type into a file, by the name's ending: a column for each field."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import msgspec

from streamer.data.files.kind import files_extra, kind_of
from streamer.data.files.streams import replacing, writing


def write_records(path: Path, record_type: type[msgspec.Struct], records: Sequence[msgspec.Struct]) -> None:
    """Write ``records`` in their order to .ndjson or .csv (also .gz, .zst), or .parquet.

    Fields are texts or numbers (float), or null. Raises ``ConfigurationError`` where the name says no known
    kind of file.
    """
    kind = kind_of(path)
    if kind.format == "parquet":
        _write_parquet(path, record_type, records)
        return
    with writing(path, kind.compression) as stream:
        if kind.format == "ndjson":
            stream.writelines(msgspec.json.encode(record) + b"\n" for record in records)
            return
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        rows = csv.writer(text)
        rows.writerow(record_type.__struct_fields__)
        rows.writerows(msgspec.structs.astuple(record) for record in records)
        text.flush()
        text.detach()


def _write_parquet(path: Path, record_type: type[msgspec.Struct], records: Sequence[msgspec.Struct]) -> None:
    pyarrow = files_extra("pyarrow")
    parquet = files_extra("pyarrow.parquet")
    types = {str: pyarrow.string(), str | None: pyarrow.string()}
    columns = {
        field.name: pyarrow.array(
            [getattr(record, field.name) for record in records], types.get(field.type, pyarrow.float64())
        )
        for field in msgspec.structs.fields(record_type)
    }
    with replacing(path) as partial:
        parquet.write_table(pyarrow.table(columns), partial, compression="zstd")
