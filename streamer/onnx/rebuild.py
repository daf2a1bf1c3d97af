"""The rebuild graph: hidden vectors and caches of users from their last tokens, all tokens in one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import onnxruntime

from streamer.core.transformer_inputs import TransformerInputs
from streamer.onnx.padding import padded


class Rebuilt(NamedTuple):
    """``hidden`` ``[users, width]``; ``cache`` ``[users, layers, 2, window, width]``."""

    hidden: npt.NDArray[np.float32]
    cache: npt.NDArray[np.float32]


def rebuild(
    session: onnxruntime.InferenceSession,
    inputs: Sequence[TransformerInputs],
    positions: npt.NDArray[np.int64],
    length: int,
) -> Rebuilt:
    """What stepping through each user's ``inputs``, at most ``length`` tokens, gives from an empty cache.

    ``positions`` ``[users]``: events before each user's newest token.
    """
    count = np.array([len(of_user.codes) for of_user in inputs], np.int64)
    codes = np.zeros((len(inputs), length, inputs[0].codes.shape[1]), np.int64)
    numbers = np.zeros((len(inputs), length, inputs[0].numbers.shape[1]), np.float32)
    for row, of_user in enumerate(inputs):
        codes[row, length - len(of_user.codes) :] = of_user.codes
        numbers[row, length - len(of_user.numbers) :] = of_user.numbers
    feed = {
        "codes": padded(codes),
        "numbers": padded(numbers),
        "count": padded(count),
        "position": padded(positions),
    }
    hidden, cache = cast(list[npt.NDArray[np.float32]], session.run(None, feed))
    return Rebuilt(hidden[: len(inputs)], cache[: len(inputs)])
