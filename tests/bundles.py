"""The demo's bundle, damaged copies of it, and users to try it on."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnx.numpy_helper

from schemas.bundle.golden import Golden, decode_golden, encode_golden
from schemas.bundle.manifest import GOLDEN_NAME, MANIFEST_NAME, QUERY_NAME
from streamer.core.history.ring import Placement, put
from streamer.core.history.token import TOKEN, TOKEN_BYTES, place
from streamer.core.model.risk_model import Encoding
from streamer.inference.bundle import Bundle, load_bundle

DEMO_BUNDLE = Path(__file__).parents[1] / "streamer" / "demo" / "bundle"


@cache
def demo_bundle() -> Bundle:
    """The demo's bundle, loaded once a test run."""
    return load_bundle(DEMO_BUNDLE)


def rewrite(bundle: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file of a bundle and give the manifest its new hash."""
    data = change((bundle / name).read_bytes())
    (bundle / name).write_bytes(data)
    manifest = msgspec.json.decode((bundle / MANIFEST_NAME).read_bytes())
    manifest["sha256"][name] = sha256(data).hexdigest()
    (bundle / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))


def _is_scalar(tensor: onnx.TensorProto, value: float) -> bool:
    found = onnx.numpy_helper.to_array(tensor)
    return found.shape == () and abs(float(found) - value) < 1e-6


def successor(folder: Path, version: str = "2", shift: float = 0.5) -> Path:
    """The demo's bundle as it would be with another calibration: log odds are higher by ``shift``."""
    shutil.copytree(DEMO_BUNDLE, folder)
    served = demo_bundle().manifest
    assert served.decline is not None
    levels = [of.parameters[1] for of in (served.calibration, served.decline.calibration)]

    def shifted(probability: float) -> float:
        return 1.0 / (1.0 + math.exp(-math.log(probability / (1.0 - probability)) - shift))

    def of_graph(data: bytes) -> bytes:
        graph = onnx.load_from_string(data)
        for level in levels:
            (intercept,) = [each for each in graph.graph.initializer if _is_scalar(each, level)]
            value = onnx.numpy_helper.to_array(intercept) + np.float32(shift)
            intercept.CopyFrom(onnx.numpy_helper.from_array(value, intercept.name))
        return graph.SerializeToString()

    def of_golden(data: bytes) -> bytes:
        golden = decode_golden(data, GOLDEN_NAME)
        histories = tuple(
            msgspec.structs.replace(
                each,
                probabilities=tuple(map(shifted, each.probabilities)),
                decline=each.decline
                and msgspec.structs.replace(
                    each.decline, probabilities=tuple(map(shifted, each.decline.probabilities))
                ),
            )
            for each in golden.histories
        )
        return encode_golden(Golden(histories))

    rewrite(folder, QUERY_NAME, of_graph)
    rewrite(folder, GOLDEN_NAME, of_golden)
    manifest = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    manifest["version"] = version
    (folder / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))
    return folder


@dataclass
class Shopper:
    """A user's ring as the streamer keeps it; every event is drawn from ``random``."""

    user_id: str
    random: np.random.Generator
    ring: bytes = b""
    placed: int = 0
    before: float = math.nan
    now_ms: int = 1_500_000_000_000

    def happen(self, capacity: int, late_ms: int = 0) -> Encoding | None:
        """One more event, ``late_ms`` before the newest; ``None`` where the ring does not take it."""
        if not late_ms:
            self.now_ms += int(self.random.exponential(3 * 86_400_000)) + 1
        placed = put(self.ring, self._token(self.now_ms - late_ms), capacity, self.before)
        if placed.placement not in (Placement.APPENDED, Placement.INSERTED):
            return None
        if placed.left:
            self.before = float(place(placed.left[-TOKEN_BYTES:], 0)[0])
        self.ring = placed.ring
        self.placed += 1
        return self.encoding(appended=placed.placement is Placement.APPENDED)

    def encoding(self, *, appended: bool) -> Encoding:
        """The request to encode the newest token."""
        return Encoding(self.user_id, self.ring, self.placed - 1, self.before, appended)

    def _token(self, time_ms: int) -> bytes:
        token = np.zeros(1, TOKEN)
        token["time"] = time_ms
        for name in ("event", "item", "category"):
            token[name] = self.random.integers(1, 1 << 32)
        token["value"] = self.random.choice([np.nan, self.random.lognormal(3, 1)])
        token["type"] = self.random.integers(0, 12)
        token["lines"] = self.random.integers(0, 40)
        data = token.tobytes()
        assert len(data) == TOKEN_BYTES
        return data
