"""Whether exactly one distribution of ONNX Runtime is installed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import distributions
from typing import Final

from schemas.errors import ConfigurationError

RUNTIMES: Final = ("onnxruntime", "onnxruntime-gpu")


def check_installation(installed: Iterable[str] | None = None) -> str:
    """The installed one of :data:`RUNTIMES`.

    ``installed`` are names of distributions, by default those of this environment.

    Both write the same files over each other without a warning, so that two are as bad as none. Raises
    :class:`~schemas.errors.ConfigurationError`.
    """
    names = {name.lower().replace("_", "-") for name in (_installed() if installed is None else installed)}
    found = [runtime for runtime in RUNTIMES if runtime in names]
    if not found:
        raise ConfigurationError(
            "ONNX Runtime is not installed: pip install 'churn-streamer[cpu]', or [gpu] for a GPU, not both."
        )
    if len(found) > 1:
        raise ConfigurationError(
            "onnxruntime and onnxruntime-gpu are both installed and have overwritten each other's files: "
            "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install 'churn-streamer[cpu]' or [gpu]."
        )
    return found[0]


def _installed() -> list[str]:
    return [distribution.name for distribution in distributions() if distribution.name]
