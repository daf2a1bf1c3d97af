"""Whatever a file holds, it is read, or refused in words that name it; nothing else is raised."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.errors import InputFileError
from schemas.event import Event
from streamer.data.files.reading import read_rows
from streamer.data.files.rows import LeftOut, Row, Unreadable

REQUIRED = "event_id,user_id,type,timestamp,value,items"
CELLS = st.text(max_size=5) | st.sampled_from(
    [
        *(
            "",
            "e1",
            "purchase",
            "Purchase",
            "NaN",
            "\\N",
            "1e400",
            "1714557600",
            "1714557600000000",
            "9" * 30,
        ),
        *("-0", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "[NaN]", '"[{""price"":NaN}]"'),
        *('"', "\r", "\0", "\ufeff", "sep=;", "[", "\N{ARABIC-INDIC DIGIT THREE}", "9" * 5_000),
    ]
)
TABLES = st.builds(
    lambda separator, header, rows: "\n".join(
        [header.replace(",", separator), *(separator.join(row) for row in rows)]
    ).encode("utf-8", "replace"),
    st.sampled_from([",", ";", "\t", "|", ", "]),
    st.sampled_from([REQUIRED, REQUIRED.upper(), REQUIRED + ",,", "sep=,\n" + REQUIRED]),
    st.lists(st.lists(CELLS, min_size=6, max_size=6), max_size=4),
)
VALUES = st.sampled_from(
    ["NaN", '"NaN"', "null", "1", "1e999", '"purchase"', "[NaN]", '"\\', '{"a":NaN}', "9" * 30]
)
LINES = st.lists(
    st.lists(st.tuples(st.sampled_from(REQUIRED.split(",")), VALUES), max_size=6).map(
        lambda fields: "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"
    ),
    max_size=4,
).map(lambda lines: "\n".join(lines).encode())


@pytest.mark.parametrize("name", ["e.csv", "e.ndjson"])
@given(content=st.binary(max_size=60) | TABLES | LINES)
@example(content=b"\xff\xfe")
@example(content=b"\xef\xbb\xbf")
@example(content=b"sep=;")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_content_is_read_or_refused_in_words(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    rows: list[Row] = []
    with suppress(InputFileError):
        rows = list(read_rows(path))
    for row in rows:
        assert isinstance(row, Event | LeftOut | Unreadable)
        if isinstance(row, Unreadable):
            assert str(path) in row.message
