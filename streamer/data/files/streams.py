"""Byte streams of text files, compressed or not."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from schemas.errors import InputFileError
from streamer.data.files.kind import Compression, files_extra

_BUFFER_BYTES = 1024 * 1024


@contextmanager
def reading(path: Path, compression: Compression | None) -> Generator[io.BufferedReader]:
    """The file's uncompressed bytes; raises ``InputFileError`` where they cannot be read."""
    damaged: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
    try:
        with path.open("rb") as file:
            raw: IO[bytes] = file
            if compression == "gz":
                raw = cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb"))
            elif compression == "zst":
                zstandard = files_extra("zstandard")
                damaged = (*damaged, zstandard.ZstdError)
                raw = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            stream = io.BufferedReader(cast("Any", raw), _BUFFER_BYTES)
            if stream.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raise InputFileError(f"{path} is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8).")
            yield stream
    except damaged as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputFileError(f"{path} cannot be read: {reason}") from error


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A path to write to; what is there takes the place of ``path`` at the end, if all went well."""
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        os.replace(partial, path)  # noqa: PTH105 - one call for both, as the standard library documents it
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path, compression: Compression | None) -> Generator[IO[bytes]]:
    """A stream whose content takes the place of ``path`` at the end; the same input gives the same bytes."""
    with replacing(path) as partial, partial.open("wb", _BUFFER_BYTES) as file:
        if compression == "gz":
            # Neither name nor time in the header: equal content, equal file.
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as stream:
                yield cast("IO[bytes]", stream)
        elif compression == "zst":
            with (
                files_extra("zstandard").ZstdCompressor(level=6).stream_writer(file, closefd=False) as stream
            ):
                yield stream
        else:
            yield file
