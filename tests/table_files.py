"""What lies in RocksDB's table files: every version of every key, and each deletion.

Searching a file's bytes would miss them: blocks are compressed, and a key leaves out what it has in common
with the one before it. Format: https://github.com/facebook/rocksdb/wiki/Rocksdb-BlockBasedTable-Format
(version 6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

import cramjam

FOOTER_BYTES = 53
MAGIC = bytes.fromhex("f7cff485b741e288")
VERSION = 6
BLOCK_TRAILER_BYTES = 5
INTERNAL_BYTES = 8
"""A sequence number and the kind of entry end each key."""
UNCOMPRESSED, SNAPPY = 0, 1


def files_with(folder: Path, texts: Collection[bytes]) -> Iterator[tuple[Path, bytes]]:
    """Files below ``folder`` and which of ``texts`` occurs in them, as it is or inside a table's blocks."""
    for file in folder.rglob("*"):
        try:
            content = file.read_bytes() if file.is_file() else b""
        except FileNotFoundError:  # a database in use, which has deleted it meanwhile
            continue
        entries = chain.from_iterable(entries_of(content)) if file.suffix == ".sst" else ()
        readable = b"\n".join((content, *entries))
        yield from ((file, text) for text in texts if text in readable)


def entries_of(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All keys and values of a table file; a file that is still being written has none.

    Raises:
        ValueError: the file is of another version than this reads.
    """
    footer = table[-FOOTER_BYTES:]
    if not footer.endswith(MAGIC):
        return
    if (version := int.from_bytes(footer[41:45], "little")) != VERSION:
        raise ValueError(f"a RocksDB table of format {version}: teach this module to read it")
    size = int.from_bytes(footer[13:17], "little")
    directory = _block(table, len(table) - FOOTER_BYTES - BLOCK_TRAILER_BYTES - size, size)
    (index,) = (value for key, value in _entries(directory) if key == b"rocksdb.index")
    for _, handle in _entries(_block(table, *_handle(index)), handles=True):
        for key, value in _entries(_block(table, *_handle(handle))):
            yield key[:-INTERNAL_BYTES], value


def _block(table: bytes, offset: int, size: int) -> bytes:
    content, compression = table[offset : offset + size], table[offset + size]
    if compression == UNCOMPRESSED:
        return content
    if compression == SNAPPY:
        return bytes(cramjam.snappy.decompress_raw(content))
    raise ValueError(f"a RocksDB block of compression {compression}: teach this module to read it")


def _entries(block: bytes, *, handles: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; an index's values, ``handles``, are two numbers without a length."""
    restarts = int.from_bytes(block[-4:], "little") & 0x7FFFFFFF
    at, end, key = 0, len(block) - 4 * (restarts + 1), b""
    while at < end:
        shared, at = _number(block, at)
        unshared, at = _number(block, at)
        size, at = (0, at) if handles else _number(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        if handles:
            _, after = _number(block, at)
            _, after = _number(block, after)
            size = after - at
        yield key, block[at : at + size]
        at += size


def _handle(value: bytes) -> tuple[int, int]:
    offset, at = _number(value, 0)
    return offset, _number(value, at)[0]


def _number(block: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where the next thing starts."""
    number = shift = 0
    while True:
        byte = block[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
