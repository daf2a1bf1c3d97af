"""Where the transformer runs: on the CPU, or on a GPU through CUDA."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import onnxruntime

from schemas.errors import ConfigurationError

Device = Literal["cpu", "cuda"]
DeviceSetting = Literal["auto", "cpu", "cuda"]

CPU_PROVIDER: Final = "CPUExecutionProvider"
CUDA_PROVIDER: Final = "CUDAExecutionProvider"


def find_device(wanted: DeviceSetting) -> Device:
    """The device for ``wanted``; ``auto`` takes a GPU where there is one.

    Raises :class:`~schemas.errors.ConfigurationError` for ``cuda`` where it cannot be used.
    """
    if wanted == "cpu":
        return "cpu"
    obstacle = cuda_obstacle()
    if obstacle is None:
        return "cuda"
    if wanted == "cuda":
        raise ConfigurationError(f"device: cuda cannot be used, because {obstacle}, or set device to cpu")
    return "cpu"


def cuda_obstacle() -> str | None:
    """Why CUDA cannot be used, and what to do; ``None`` where it can."""
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        return (
            "the ONNX Runtime installed here knows no GPU: pip uninstall -y onnxruntime, then "
            "pip install 'churn-streamer[gpu]'"
        )
    onnxruntime.preload_dlls()
    try:
        onnxruntime.OrtValue.ortvalue_from_shape_and_type((1,), np.float32, "cuda", 0)
    except Exception as error:  # onnxruntime raises classes of its own that share no other base
        reason = str(error).strip().splitlines()[-1]
        return f"this machine has no GPU that works ({reason}): see what nvidia-smi says"
    return None


def providers(device: Device) -> list[Any]:
    """Execution providers for sessions on ``device``, in their order of preference."""
    if device == "cpu":
        return [CPU_PROVIDER]
    # TF32 keeps 10 bits of each factor: hidden vectors would be off by 1e-3.
    return [(CUDA_PROVIDER, {"device_id": 0, "use_tf32": 0}), CPU_PROVIDER]


def check_provider(session: onnxruntime.InferenceSession, device: Device) -> None:
    """Raise ``ConfigurationError`` unless ``session`` really uses ``device``: it would only log."""
    if device == "cuda" and CUDA_PROVIDER not in session.get_providers():
        raise ConfigurationError(
            "device: cuda cannot be used: ONNX Runtime fell back to the CPU, most likely because CUDA 13 or "
            "cuDNN 9 is missing. pip install 'churn-streamer[gpu]' brings both; or set device to cpu"
        )
