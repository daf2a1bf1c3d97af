"""The headers of a dead letter, read by a validator that knows only the committed JSON Schema."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.dead_letter import DEAD_LETTER_HEADERS, LEFT_OUT, dead_letter_headers, read_dead_letter
from schemas.errors import MalformedEventError
from tests.contract.test_json_schema import VALIDATORS, texts


@settings(deadline=None)
@given(
    texts,
    texts,
    texts,
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**53),
    st.integers(0, 9),
    st.just("") | texts,
)
def test_dead_letters(
    cause: str, message: str, topic: str, partition: int, offset: int, failed: int, left_out: str
) -> None:
    names = {*DEAD_LETTER_HEADERS, LEFT_OUT}
    before = (("attempts", str(failed).encode()), ("trace", b"7")) if failed else ()
    error = MalformedEventError(cause, message)
    headers = dead_letter_headers(error, topic, partition, offset, before, left_out)
    texts_read = {name: (value or b"").decode() for name, value in headers if name in names}
    whole = {"source-partition", "source-offset", "attempts"}
    VALIDATORS["dead-letter"].validate({n: int(v) if n in whole else v for n, v in texts_read.items()})
    letter = read_dead_letter(headers)
    assert (letter.error_class, letter.source_topic, letter.source_offset) == (cause, topic, offset)
    assert (letter.attempts, letter.left_out) == (failed + 1, left_out)
