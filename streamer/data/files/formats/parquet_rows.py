"""Events from Parquet: one event a row, flat or with ``items`` as a list of structs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from schemas.errors import InputFileError
from streamer.data.files.formats.columns import columns_of
from streamer.data.files.formats.fields import IDENTIFIER_COLUMNS, ITEM_COLUMNS, NUMBER_COLUMNS, row_event
from streamer.data.files.kind import files_extra
from streamer.data.files.rows import Row

_BATCH_ROWS: Final = 8_192


def parquet_rows(path: Path, latest_ms: int) -> Iterator[Row]:
    """Decode batch by batch. Integer and UUID ids are read as text; a time must be an instant (with a zone).

    ``latest_ms``: later events are left out. Raises ``InputFileError`` that names the column which cannot be
    one of an event's.
    """
    pyarrow = files_extra("pyarrow")
    parquet = files_extra("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            present: list[str] = file.schema_arrow.names
            places = columns_of(path, present)
            # Columns are asked for by name, and names that nobody wants may occur twice.
            wanted = [present[place] for place in places.values()]
            unknown_columns = len(set(present)) - len(places)
            row = 0
            for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
                columns = [
                    _values(path, pyarrow, name, batch.column(column))
                    for name, column in zip(places, wanted, strict=True)
                ]
                for cells in zip(*columns, strict=True):
                    row += 1
                    fields = {
                        name: cell for name, cell in zip(places, cells, strict=True) if cell is not None
                    }
                    yield row_event(path, row, fields, unknown_columns, latest_ms)
    except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
        raise InputFileError(f"{path} cannot be read as Parquet: {error}") from error


def _values(path: Path, pyarrow: Any, name: str, array: Any) -> list[Any]:
    """The column as the plain values that the contract's field takes."""
    types = pyarrow.types
    kind = array.type.value_type if types.is_dictionary(array.type) else array.type
    if types.is_null(kind):
        return [None] * len(array)
    if name == "items":
        if _is_list(types, kind) and types.is_struct(kind.value_type):
            return _item_lists(path, pyarrow, array)
        raise _misfit(path, name, kind, "a list of structs is")
    if name == "timestamp" and types.is_timestamp(kind) and kind.tz is not None:
        in_ms = array.cast(pyarrow.timestamp("ms", kind.tz), safe=False)
        return in_ms.cast(pyarrow.int64()).to_pylist()
    if name == "timestamp" and types.is_integer(kind):
        return array.to_pylist()
    if name in NUMBER_COLUMNS:
        if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
            numbers = array.cast(pyarrow.float64(), safe=False)
            compute = files_extra("pyarrow.compute")
            # Polars, DuckDB, Spark and numpy write a number that is not known as NaN.
            return compute.if_else(compute.is_nan(numbers), None, numbers).to_pylist()
        raise _misfit(path, name, kind, "numbers are")
    if _is_text(types, kind):
        return array.cast(pyarrow.string()).to_pylist()
    if name in IDENTIFIER_COLUMNS:
        # Some databases write integers as decimals without decimals.
        if types.is_integer(kind) or (types.is_decimal(kind) and kind.scale == 0):
            return array.cast(pyarrow.string()).to_pylist()
        if isinstance(kind, pyarrow.UuidType):
            return [None if value is None else str(value) for value in array.to_pylist()]
    if name in IDENTIFIER_COLUMNS:
        raise _misfit(path, name, kind, "text, integers or UUIDs are")
    wanted = (
        "an instant with a time zone, epoch milliseconds or text is" if name == "timestamp" else "text is"
    )
    raise _misfit(path, name, kind, wanted)


def _item_lists(path: Path, pyarrow: Any, array: Any) -> list[list[dict[str, Any]] | None]:
    """Item fields column by column: far cheaper than nested Arrow scalars."""
    structs = array.flatten()
    names = [field.name for field in structs.type if field.name in ITEM_COLUMNS]
    present = dict(zip((field.name for field in structs.type), structs.flatten(), strict=True))
    columns = [_values(path, pyarrow, name, present[name]) for name in names]
    rows = zip(*columns, strict=True) if columns else iter([()] * len(structs))
    items = (
        {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None} for cells in rows
    )
    lengths: list[int | None] = array.value_lengths().to_pylist()
    return [None if length is None else list(islice(items, length)) for length in lengths]


def _is_list(types: Any, kind: Any) -> bool:
    return types.is_list(kind) or types.is_large_list(kind)


def _is_text(types: Any, kind: Any) -> bool:
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _misfit(path: Path, name: str, kind: Any, wanted: str) -> InputFileError:
    return InputFileError(f"{path}, column {name}: the type is {kind}, and {wanted} needed.")
