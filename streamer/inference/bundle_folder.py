"""The files of a bundle's folder: nothing outside it is read, whatever links and names say."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from schemas.errors import BundleError, ConfigurationError

MOST_BYTES: Final = 256 * 1024 * 1024


def allowed_folder(path: Path, root: Path | None) -> Path:
    """Where the bundle called ``path`` lies, links followed: below ``root``, else below where it is named.

    Raises ``ConfigurationError`` for one that lies elsewhere.
    """
    folder = path.resolve()
    allowed = (named_in(path) if root is None else root).resolve()
    if not folder.is_relative_to(allowed):
        raise ConfigurationError(
            f"the bundle {path} lies at {folder}, which is not below {allowed}: put it there, or set "
            "STREAMER_BUNDLE_ROOT to the folder that holds all bundles"
        )
    return folder


def named_in(path: Path) -> Path:
    """The folder that ``path`` is named in, as written: no link is followed, and ".." is worked out."""
    return Path(os.path.abspath(path)).parent  # noqa: PTH100 - resolve follows links, absolute keeps ".."


def read_file(folder: Path, name: str) -> bytes:
    """The file called ``name``, which may be a link to another one of ``folder``.

    Raises ``BundleError`` for one that cannot be read, lies elsewhere, is none or is too large.
    """
    path = folder / name
    try:
        file = path.resolve(strict=True)
        if not file.is_relative_to(folder.resolve()):
            raise BundleError(f"{path} leads out of its bundle, to {file}: copy the whole bundle again.")
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{path} is not a file: copy the whole bundle again.")
        if found.st_size > MOST_BYTES:
            raise BundleError(f"{path} has {found.st_size:,} bytes, and {MOST_BYTES:,} are read at most.")
        return file.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read: {error.strerror}. A bundle is a folder made by `streamer train`."
        ) from error
