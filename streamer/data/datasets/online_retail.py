"""Online Retail: a year of invoices of a British wholesaler of gifts, 4,372 customers, 2010-12 to 2011-12.

Source: D. Chen, "Online Retail", UCI Machine Learning Repository 352, CC BY 4.0. ``--from`` takes its one
table as .parquet or .csv (also .gz, .zst) with its own column names; a time is a timestamp or text, as
``2010-12-01 08:26:00`` or ``12/1/2010 8:26`` (month first). Times name no zone and are taken as UTC.

- An invoice is one purchase with its lines as items, at the time of its first line; amounts are in GBP.
- An invoice ``C…`` is a cancellation and becomes a refund: quantities, which are negative in the table, and
  the value are positive, as what is given back. In a purchase a negative quantity stays: a line given back.
- Lines at a price of zero are kept (gifts and samples), as are postage, discounts and other charges: they are
  part of what the invoice comes to. Lines that occur twice in an invoice were charged twice and stay.
- Lines without a customer (135,080) are skipped, as nobody's; so are adjustments, invoices of another letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas.errors import InputFileError
from schemas.event import Event, Item
from schemas.timestamps import to_epoch_ms
from streamer.data.datasets.source_file import csv_rows, number, require_file, wrong_cell
from streamer.data.files.kind import files_extra

EXPECTED: Final = "the table of invoice lines (InvoiceNo, StockCode, …, CustomerID) as .parquet or .csv"
_COLUMNS: Final = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
_TIME_FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S")
_BATCH_ROWS: Final = 65_536


class _Line(NamedTuple):
    invoice: str
    customer: str
    time_ms: int
    item: Item


def events(file: Path | None, skipped: Counter[str]) -> Iterator[Event]:
    """Purchases and refunds by time, then by id, which is the invoice's number."""
    path = require_file(file, "online-retail", EXPECTED)
    invoices: dict[str, list[_Line]] = {}
    for row, cells in _rows(path):
        line = _line(path, row, cells, skipped)
        if line is not None:
            lines = invoices.setdefault(line.invoice, [])
            if lines and lines[0].customer != line.customer:
                expected = f"{lines[0].customer}, the customer of invoice {line.invoice}'s first line"
                raise wrong_cell(path, row, "CustomerID", line.customer, expected)
            lines.append(line)
    made = [_event(lines) for lines in invoices.values()]
    yield from sorted(made, key=lambda event: (event.timestamp, event.event_id))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    if path.suffix.lower() != ".parquet":
        yield from csv_rows(path, _COLUMNS)
        return
    pyarrow = files_extra("pyarrow")
    try:
        with files_extra("pyarrow.parquet").ParquetFile(path) as file:
            missing = [name for name in _COLUMNS if name not in file.schema_arrow.names]
            if missing:
                raise InputFileError(
                    f"{path}: no column {', '.join(missing)}; expected {', '.join(_COLUMNS)}."
                )
            row = 0
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(_COLUMNS)):
                columns = [_texts(pyarrow, batch.column(name)) for name in _COLUMNS]
                for cells in zip(*columns, strict=True):
                    row += 1
                    yield row, list(cells)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputFileError(f"{path} cannot be read as Parquet: {error}") from error


def _texts(pyarrow: Any, column: Any) -> list[str]:
    """The column as a CSV would hold it."""
    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("s"), safe=False)
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _line(path: Path, row: int, cells: list[str], skipped: Counter[str]) -> _Line | None:
    invoice, code, quantity, time, price, customer = cells
    if not invoice:
        raise wrong_cell(path, row, "InvoiceNo", invoice, "an invoice's number")
    if not customer:
        skipped["lines without a customer"] += 1
        return None
    if not invoice[0].isdigit() and invoice[0] != "C":
        skipped["lines of adjustments"] += 1
        return None
    # Tables that lack some customers hold the others as floating-point numbers.
    whole = number(path, row, "CustomerID", customer)
    if not whole.is_integer():
        raise wrong_cell(path, row, "CustomerID", customer, "a whole number")
    pieces = number(path, row, "Quantity", quantity)
    item = Item(
        item_id=code or None,
        price=number(path, row, "UnitPrice", price),
        quantity=-pieces if invoice[0] == "C" else pieces,
    )
    try:
        time_ms = _epoch_ms(time)
    except ValueError as error:
        expected = "a time as 2010-12-01 08:26:00 or 12/1/2010 8:26"
        raise wrong_cell(path, row, "InvoiceDate", time, expected) from error
    return _Line(invoice, str(int(whole)), time_ms, item)


@lru_cache(maxsize=4096)
def _epoch_ms(text: str) -> int:
    for time_format in _TIME_FORMATS:
        try:
            return to_epoch_ms(datetime.strptime(text, time_format).replace(tzinfo=UTC))
        except ValueError:
            continue
    raise ValueError(text)


def _event(lines: list[_Line]) -> Event:
    first = lines[0]
    return Event(
        event_id=first.invoice,
        user_id=first.customer,
        type="refund" if first.invoice[0] == "C" else "purchase",
        timestamp=min(line.time_ms for line in lines),
        items=tuple(line.item for line in lines),
        value=round(sum((line.item.price or 0.0) * (line.item.quantity or 0.0) for line in lines), 2),
        currency="GBP",
    )
