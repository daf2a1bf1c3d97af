from __future__ import annotations

from schemas.event import Event
from streamer.core.ring import Placement, put
from streamer.core.token import TOKEN, TOKEN_BYTES, as_array, tokenise


def token(number: int, time: int) -> bytes:
    return tokenise(Event(f"e{number}", "u", "view", time))


def times(ring: bytes) -> list[int]:
    return as_array(ring)["time"].tolist()


def filled(*moments: int) -> bytes:
    return b"".join(token(moment, moment) for moment in moments)


def test_a_token_takes_26_bytes() -> None:
    assert TOKEN_BYTES == len(token(1, 1)) == TOKEN.itemsize == 26


def test_newer_tokens_are_appended_and_push_the_oldest_out() -> None:
    placed = put(filled(10, 20, 30), token(40, 40), capacity=3)
    assert placed.placement is Placement.APPENDED
    assert times(placed.ring) == [20, 30, 40]
    assert times(placed.left) == [10]


def test_a_late_token_finds_its_place() -> None:
    placed = put(filled(10, 30), token(20, 20), capacity=3)
    assert placed.placement is Placement.INSERTED
    assert times(placed.ring) == [10, 20, 30]
    assert placed.left == b""


def test_a_token_before_everything_in_a_full_ring_is_too_old() -> None:
    full = filled(10, 20, 30)
    placed = put(full, token(5, 5), capacity=3)
    assert placed.placement is Placement.TOO_OLD
    assert placed.ring == full


def test_a_token_before_everything_still_fits_where_there_is_room() -> None:
    assert times(put(filled(10, 20), token(5, 5), capacity=3).ring) == [5, 10, 20]


def test_the_same_event_is_seen_wherever_it_lies() -> None:
    ring = filled(10, 20, 30)
    for number in (10, 20, 30):
        assert put(ring, token(number, 99), capacity=8).placement is Placement.DUPLICATE


def test_an_id_hash_that_straddles_fields_is_no_duplicate() -> None:
    first = bytearray(token(1, 10))
    second = token(2, 20)
    first[9:13] = second[8:12]
    assert put(bytes(first), second, capacity=8).placement is Placement.APPENDED


def test_ties_of_time_do_not_depend_on_the_order_of_arrival() -> None:
    a, b = token(1, 10), token(2, 10)
    assert put(put(b"", a, 8).ring, b, 8).ring == put(put(b"", b, 8).ring, a, 8).ring
