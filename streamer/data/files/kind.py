"""What a file is, by its name."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Final, Literal, NamedTuple

from schemas.errors import ConfigurationError

Format = Literal["ndjson", "csv", "parquet"]
Compression = Literal["gz", "zst"]

_FORMATS: Final[dict[str, Format]] = {
    ".json": "ndjson",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".parquet": "parquet",
}
_COMPRESSIONS: Final[dict[str, Compression]] = {".gz": "gz", ".zst": "zst"}


class FileKind(NamedTuple):
    """Format and compression of a file; Parquet compresses within itself."""

    format: Format
    compression: Compression | None = None


def kind_of(path: Path) -> FileKind:
    """The kind that the name says; raises ``ConfigurationError`` for a name that says none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = compression_of(path)
    if compression is not None:
        suffixes.pop()
    file_format = _FORMATS.get(suffixes[-1]) if suffixes else None
    if file_format is None or (file_format == "parquet" and compression is not None):
        raise ConfigurationError(
            f"{path}: the name does not say what the file is. Known are .ndjson (.json, .jsonl) and .csv, "
            "each also with .gz or .zst, and .parquet."
        )
    return FileKind(file_format, compression)


def compression_of(path: Path) -> Compression | None:
    """The compression that the name's last ending says."""
    return _COMPRESSIONS.get(path.suffix.lower())


def files_extra(module: str) -> ModuleType:
    """A module that only the ``files`` extra installs; raises ``ConfigurationError`` that says how."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"{module} is not installed, and this kind of file needs it: pip install 'churn-streamer[files]'"
        ) from error
