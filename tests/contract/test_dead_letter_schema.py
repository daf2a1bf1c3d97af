"""The headers of a dead letter, read by a validator that knows only the committed JSON Schema."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.dead_letter import DEAD_LETTER_HEADERS, dead_letter_headers, read_dead_letter
from schemas.errors import MalformedEventError
from tests.contract.test_json_schema import VALIDATORS, texts


@settings(deadline=None)
@given(texts, texts, texts, st.integers(0, 2**31 - 1), st.integers(0, 2**53), st.integers(0, 9))
def test_dead_letters(cause: str, message: str, topic: str, partition: int, offset: int, failed: int) -> None:
    before = (("attempts", str(failed).encode()), ("trace", b"7")) if failed else ()
    headers = dead_letter_headers(MalformedEventError(cause, message), topic, partition, offset, before)
    texts_read = {name: value.decode() for name, value in headers if name in DEAD_LETTER_HEADERS}
    whole = {"source-partition", "source-offset", "attempts"}
    VALIDATORS["dead-letter"].validate({n: int(v) if n in whole else v for n, v in texts_read.items()})
    letter = read_dead_letter(headers)
    assert (letter.error_class, letter.source_topic, letter.source_offset) == (cause, topic, offset)
    assert letter.attempts == failed + 1
