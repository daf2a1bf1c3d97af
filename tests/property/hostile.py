"""Values that a decoder should not trip over, as bytes of JSON and of MessagePack, and where to put them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
depths = st.sampled_from([1, 20, 500, 1_000, 5_000, 100_000])
lengths = st.sampled_from([1, 255, 256, 257, 65_536, 1_100_000])

_JSON_ODDITIES: Final = (
    # Numbers: none, without end, out of range, in spellings that other languages take.
    *(b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"nan", b"1e999", b"-1e999", b"1e-999", b"-0", b"-0.0"),
    *(
        b"1" * 5_000,
        b"0." + b"3" * 5_000,
        b"1e" + b"9" * 500,
        b"18446744073709551616",
        b"-9223372036854775809",
    ),
    *(b"9007199254740993", b"1e15", b"1.0000000000000002e15", b"0x10", b"1.", b".5", b"+1", b"01", b"1_000"),
    # Texts: half a character, a nul, bytes that are none, ends that never come.
    *(
        rb'"\ud800"',
        rb'"\udc00\ud800"',
        rb'"\ud83d\ude00"',
        rb'"\u0000"',
        b'"\x00"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
    ),
    *(b'"\xc0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', rb'"\x"', rb'"\u12"', b'"', b'"\\', b"'a'", b"a"),
    *(b'"\xef\xbb\xbf"', b'"\xe2\x80\xae"', b'"\x7f"', b'"\t"', b'""', b'" "', b'"\\/"'),
    # Times that are none.
    *(b'"2017-02-30T00:00:00Z"', b'"2017-01-01T24:00:00Z"', b'"2016-12-31T23:59:60Z"', b'"2017-01-01"'),
    *(b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59.999999999-23:59"', b'"2017-01-01T00:00:00"'),
    *(
        b'"2017-01-01t00:00:00z"',
        b'"2017-W01-1T00:00Z"',
        b'"10000-01-01T00:00:00Z"',
        b'"-001-01-01T00:00:00Z"',
    ),
    *(
        b"-62135596800001",
        b"253402300800000",
        b"1e12",
        b"1500000000000.0",
        b"1500000000000.5",
        b'"1500000000000"',
    ),
    # Structures: open, closed twice, of the wrong kind.
    *(b"[", b"]", b"{", b"}", b"[]", b"{}", b"[{}]", b"[null]", b"[[]]", b'{"":{}}', b"[1,]", b'{"a":1,}'),
    *(b"null", b"true", b"tru", b"nulll", b"", b" ", b",", b":", b"/**/1", b"undefined", b"\xef\xbb\xbf1"),
    # What pipelines put around a record.
    *(b"\x00\x00\x00\x00\x07{}", b'{"schema":null,"payload":{}}', b'{"before":null,"after":{},"op":"c"}'),
)
_PACK_ODDITIES: Final = (
    b"\xc1",  # used by nothing
    *(
        b"\xc4\x03abc",
        b"\xc6\x7f\xff\xff\xffa",
        b"\xd9\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xa1\xff",
        b"\xa3\xed\xa0\x80",
    ),
    *(
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\x9f",
        b"\x8f",
        b"\xde\x00\x01\x01\x01",
    ),
    *(
        b"\xd4\x05a",
        b"\xd8\xff" + b"\x00" * 16,
        b"\xc7\x00\x01",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xc7\x03\x7fabc",
    ),
    # Times as extensions: of four, eight and twelve bytes, with too many nanoseconds, out of any calendar.
    *(
        b"\xd6\xff" + b"\xff" * 4,
        b"\xd7\xff" + b"\xff" * 8,
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\xd6\xff\x58\x00\x00\x00",
    ),
    *(b"\xc7\x0c\xff\x3b\x9a\xca\x00" + b"\x00" * 8, b"\xc7\x0c\xff" + b"\x00" * 4 + b"\x7f" + b"\xff" * 7),
    *(b"\xca" + struct.pack(">f", value) for value in (float("nan"), float("inf"), -0.0, 1e30)),
    *(b"\xcb" + struct.pack(">d", value) for value in (float("nan"), float("-inf"), 1.5e12, 1e308)),
    *(
        b"\xcf" + b"\xff" * 8,
        b"\xd3\x80" + b"\x00" * 7,
        b"\xcd\x00",
        b"\xc0",
        b"\xc2",
        b"\x81\xc0\xc0",
        b"\x81\x90\xc0",
    ),
)

json_fragments = (
    st.sampled_from(_JSON_ODDITIES)
    | json_values.map(msgspec.json.encode)
    | st.binary(max_size=8)
    | lengths.map(lambda length: b'"' + b"x" * length + b'"')
    | lengths.map(lambda length: b'"' + "\u4e2d".encode() * (length // 3) + b'"')
    | st.builds(lambda depth, closed: b"[" * depth + b"]" * (depth * closed), depths, st.booleans())
    | st.builds(
        lambda depth, closed: b'{"a":' * depth + b"1" + b"}" * (depth * closed), depths, st.booleans()
    )
    | st.sampled_from([1, 300, 70_000]).map(lambda length: b"[" + b",".join([b"{}"] * length) + b"]")
)
pack_fragments = (
    st.sampled_from(_PACK_ODDITIES)
    | json_values.map(msgspec.msgpack.encode)
    | st.binary(max_size=8)
    | lengths.map(lambda length: msgspec.msgpack.encode("x" * length))
    | depths.map(lambda depth: b"\x91" * depth + b"\xc0")
    | depths.map(lambda depth: b"\x81\xa1a" * depth + b"\xc0")
    | st.sampled_from([1, 300, 70_000]).map(lambda length: b"\xdd" + length.to_bytes(4) + b"\x80" * length)
)

Fields = Mapping[str, object]


def near_misses_in_json(event: Fields, fragment: bytes) -> Iterator[bytes]:
    """``event`` with ``fragment`` in the place of each field in turn, twice over, and around the whole."""
    pairs = {_json(name): _json(value) for name, value in event.items()}
    for name in pairs:
        yield _object({**pairs, name: fragment})
        # The same name twice: whichever counts, it must be the one that is checked.
        yield _object(pairs)[:-1] + b"," + name + b":" + fragment + b"}"
    yield _object({**pairs, fragment: b"1"})
    yield _object({**pairs, b'"unknown"': fragment})
    yield fragment
    yield b"[" + _object(pairs) + b"," + fragment + b"]"
    yield _object(pairs) + fragment
    yield fragment + _object(pairs)


def near_misses_in_pack(event: Fields, fragment: bytes) -> Iterator[bytes]:
    """The same for MessagePack, and the event cut off in the middle."""
    pairs = {_pack(name): _pack(value) for name, value in event.items()}
    for name in pairs:
        yield _map(list({**pairs, name: fragment}.items()))
        yield _map([*pairs.items(), (name, fragment)])
    yield _map([*pairs.items(), (fragment, b"\x01")])
    yield _map([*pairs.items(), (_pack("unknown"), fragment)])
    yield fragment
    yield _map(list(pairs.items())) + fragment
    whole = _map(list(pairs.items()))
    yield whole[: len(fragment) % len(whole)]
    yield bytes([0x80 | (len(pairs) + 1) % 16]) + whole[1:]


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def _object(pairs: Mapping[bytes, bytes]) -> bytes:
    return b"{" + b",".join(name + b":" + value for name, value in pairs.items()) + b"}"


def _map(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b"\xde" + len(pairs).to_bytes(2) + b"".join(name + value for name, value in pairs)
