from __future__ import annotations

import math

from schemas.event import Event
from streamer.core.history.ring import Placed, Placement
from streamer.core.history.ring import put as put_after
from streamer.core.history.token import TOKEN, TOKEN_BYTES, as_array, tokenise


def token(number: int, time: int) -> bytes:
    return tokenise(Event(f"e{number}", "u", "view", time))


def times(ring: bytes) -> list[int]:
    return as_array(ring)["time"].tolist()


def filled(*moments: int) -> bytes:
    return b"".join(token(moment, moment) for moment in moments)


def put(ring: bytes, token: bytes, capacity: int) -> Placed:
    """Into a ring that nothing has left yet."""
    return put_after(ring, token, capacity, math.nan)


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


def test_a_token_no_newer_than_what_has_left_is_too_old_even_where_there_is_room() -> None:
    ring = filled(10, 20, 30)
    for capacity in (3, 8):
        placed = put_after(ring, token(5, 5), capacity, time_before=5)
        assert placed.placement is Placement.TOO_OLD
        assert placed.ring == ring


def test_a_token_between_the_ring_and_what_has_left_finds_its_place() -> None:
    ring = filled(10, 20, 30)
    full, roomy = (put_after(ring, token(5, 5), capacity, time_before=4) for capacity in (3, 8))
    assert full.placement is roomy.placement is Placement.INSERTED
    assert (times(full.left), times(full.ring)) == ([5], [10, 20, 30])
    assert (times(roomy.left), times(roomy.ring)) == ([], [5, 10, 20, 30])


def test_a_ring_that_has_become_too_long_is_cut_to_its_new_capacity() -> None:
    placed = put(filled(10, 20, 30, 40), token(15, 15), capacity=2)
    assert (times(placed.left), times(placed.ring)) == ([10, 15, 20], [30, 40])


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
