"""Checkpoints of a training: one file a stage, replaced as a whole after each epoch."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from schemas.errors import ConfigurationError

_OPTIONS_NAME: Final = "options.json"


class Checkpoints:
    """The folder of a training's checkpoints, made for one set of ``options``, by name.

    What is stored is tensors, numbers and strings; no file can run code when it is read.
    """

    def __init__(self, folder: Path, options: Mapping[str, str]) -> None:
        self._folder = folder
        self._options = dict(options)

    def begin(self, *, resume: bool) -> None:
        """Look at what an earlier training left in the folder; without ``resume`` it is dropped.

        Raises :class:`~schemas.errors.ConfigurationError` where ``resume`` meets the checkpoints of a
        training with other events or options.
        """
        if not resume:
            self.remove()
        file = self._folder / _OPTIONS_NAME
        if not file.exists():
            return
        try:
            found = dict(json.loads(file.read_bytes()))
        except ValueError as error:
            raise self._damaged(file) from error
        other = [name for name in self._options if self._options[name] != found.get(name)]
        if other:
            raise ConfigurationError(
                f"--resume: {self._folder} is of a training with other {', '.join(other)}: give the "
                "same files and options as then, or leave out --resume to begin anew"
            )

    def load(self, stage: str) -> dict[str, Any] | None:
        """What was last saved of ``stage``; ``None`` if nothing was."""
        file = self._file(stage)
        if not file.exists():
            return None
        try:
            return torch.load(file, weights_only=True)
        except Exception as error:  # torch.load names no common base of what damaged files raise
            raise self._damaged(file) from error

    def save(self, stage: str, state: Mapping[str, Any]) -> None:
        """Replace what was saved of ``stage``; a crash leaves the old file or the new one."""
        file = self._file(stage)
        self._folder.mkdir(parents=True, exist_ok=True)
        options = self._folder / _OPTIONS_NAME
        if not options.exists():
            _write(options, json.dumps(self._options, indent=2).encode())
        partial = file.with_suffix(".partial")
        torch.save(dict(state), partial)
        _replace(partial, file)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, stage: str) -> Path:
        return self._folder / f"{re.sub('[^a-z0-9]+', '-', stage.lower())}.pt"

    def _damaged(self, file: Path) -> ConfigurationError:
        return ConfigurationError(f"--resume: {file} is damaged: leave out --resume to begin anew")


def _write(file: Path, data: bytes) -> None:
    partial = file.with_suffix(".partial")
    partial.write_bytes(data)
    _replace(partial, file)


def _replace(partial: Path, file: Path) -> None:
    """Give the complete file ``partial`` its name, once its bytes are on the disk."""
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(file)
