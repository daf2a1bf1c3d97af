"""The compressed part of a record batch, decompressed as far as a bound: few bytes can be gigabytes."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Any, Final

import cramjam
from aiokafka.codec import snappy_decode
from aiokafka.record.default_records import DefaultRecordBase

# Most batches fit into the first guess; what does not is tried again with more.
_FIRST_GUESS_BYTES: Final = 64 * 1024
_FIRST_RATIO: Final = 16

_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16


class TooLargeError(Exception):
    """The bytes decompress to more than the bound, or to nothing at all."""


def decompress(codec: int, compressed: bytes, most_bytes: int) -> bytes | bytearray | memoryview:
    """``compressed`` by the ``codec`` of a batch's attributes; never holds much more than ``most_bytes``.

    Raises ``TooLargeError``.
    """
    try:
        return _CODECS[codec](compressed, most_bytes)
    except (cramjam.DecompressionError, OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise TooLargeError(str(error)) from error


def _gzip(compressed: bytes, most_bytes: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(compressed)) as stream:
        found = stream.read(most_bytes + 1)
    if len(found) > most_bytes:
        raise TooLargeError
    return found


def _snappy(compressed: bytes, most_bytes: int) -> bytes:
    """Snappy tells how much each of its blocks holds before it is decompressed."""
    if _snappy_bytes(compressed) > most_bytes:
        raise TooLargeError
    return snappy_decode(compressed)


def _snappy_bytes(compressed: bytes) -> int:
    if not compressed.startswith(_XERIAL_MAGIC) or len(compressed) <= _XERIAL_HEADER_BYTES:
        return cramjam.snappy.decompress_raw_len(compressed)
    total, position = 0, _XERIAL_HEADER_BYTES
    while position < len(compressed):
        start = position + 4
        position = start + int.from_bytes(compressed[position:start])
        total += cramjam.snappy.decompress_raw_len(compressed[start:position])
    return total


def _into(decompress_into: Callable[[Any, Any], int]) -> Callable[[bytes, int], memoryview]:
    """A codec that fills a buffer given to it: larger and larger ones, up to the bound."""

    def decompressed(compressed: bytes, most_bytes: int) -> memoryview:
        room = max(_FIRST_GUESS_BYTES, _FIRST_RATIO * len(compressed))
        while room < most_bytes:
            buffer = bytearray(room)
            try:
                return memoryview(buffer)[: decompress_into(compressed, buffer)]
            except cramjam.DecompressionError:
                room *= _FIRST_RATIO
        buffer = bytearray(most_bytes)
        return memoryview(buffer)[: decompress_into(compressed, buffer)]

    return decompressed


_CODECS: Final[dict[int, Callable[[bytes, int], bytes | memoryview]]] = {
    DefaultRecordBase.CODEC_GZIP: _gzip,
    DefaultRecordBase.CODEC_SNAPPY: _snappy,
    DefaultRecordBase.CODEC_LZ4: _into(cramjam.lz4.decompress_into),
    DefaultRecordBase.CODEC_ZSTD: _into(cramjam.zstd.decompress_into),
}
