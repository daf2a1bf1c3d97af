"""Whether a graph's inputs and outputs are those that the manifest lets expect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import onnxruntime

from schemas.bundle.manifest import AlertHeads, ArenaPrecision, Manifest
from schemas.errors import BundleError
from streamer.core.model.transformer_inputs import NUMBERS

_FLOAT: Final = "tensor(float)"
_INTEGER: Final = "tensor(int64)"
_STORED: Final[Mapping[ArenaPrecision, str]] = {"fp32": _FLOAT, "fp16": "tensor(float16)"}

Tensors = Mapping[str, tuple[str, tuple[int, ...]]]
"""By name: the type, and the sizes of all dimensions but the first, which is free."""


def check_shapes(
    session: onnxruntime.InferenceSession, file: Path, inputs: Tensors, outputs: Tensors
) -> None:
    """Raise :class:`~schemas.errors.BundleError`, naming ``file``, unless the graph takes and gives these."""
    for direction, nodes, expected in (
        ("input", session.get_inputs(), inputs),
        ("output", session.get_outputs(), outputs),
    ):
        found = {node.name: (node.type, tuple(node.shape[1:])) for node in nodes}
        for name in sorted({*found, *expected}):
            if found.get(name) != expected.get(name):
                raise BundleError(
                    f"{file}: {direction} {name} is {_in_words(found.get(name))}, and by the manifest it is "
                    f"{_in_words(expected.get(name))}: the files are not of one training; copy the whole "
                    "bundle again, or train it again."
                )


def step_tensors(manifest: Manifest, precision: ArenaPrecision) -> tuple[Tensors, Tensors]:
    """Of the step over an arena."""
    given = {"codes": (_INTEGER, (3,)), "numbers": (_FLOAT, (len(NUMBERS),)), "position": (_INTEGER, ())}
    return _over_arena(given, manifest, precision)


def rebuild_tensors(manifest: Manifest, precision: ArenaPrecision) -> tuple[Tensors, Tensors]:
    """Of the rebuild into an arena."""
    tokens = manifest.exact_tokens
    given = {
        "codes": (_INTEGER, (tokens, 3)),
        "numbers": (_FLOAT, (tokens, len(NUMBERS))),
        "count": (_INTEGER, ()),
        "position": (_INTEGER, ()),
    }
    return _over_arena(given, manifest, precision)


def query_tensors(manifest: Manifest) -> tuple[Tensors, Tensors]:
    """Of the query head."""
    names = ("probability",) if manifest.decline is None else ("probability", "decline", "spend")
    return _of_moment(manifest), dict.fromkeys(names, (_FLOAT, ()))


def alert_tensors(manifest: Manifest, heads: AlertHeads) -> tuple[Tensors, Tensors]:
    """Of the heads for alerts."""
    recent = {"recent": (_INTEGER, (manifest.exact_tokens, 2))}
    return (
        {**_of_moment(manifest), **recent},
        {
            "spend": (_FLOAT, ()),
            "types": (_FLOAT, (manifest.token_encoding.types,)),
            "categories": (_FLOAT, (len(heads.categories),)),
        },
    )


def _of_moment(manifest: Manifest) -> Tensors:
    return {"hidden": (_FLOAT, (manifest.width,)), "features": (_FLOAT, (len(manifest.features),))}


def _over_arena(given: Tensors, manifest: Manifest, precision: ArenaPrecision) -> tuple[Tensors, Tensors]:
    arena = (_STORED[precision], (manifest.width,))
    layers = range(manifest.layers)
    return (
        {**given, "slot": (_INTEGER, ()), **{f"arena_{layer}": arena for layer in layers}},
        {"hidden": (_FLOAT, (manifest.width,)), **{f"written_{layer}": arena for layer in layers}},
    )


def _in_words(tensor: tuple[str, tuple[int, ...]] | None) -> str:
    if tensor is None:
        return "missing"
    kind, sizes = tensor
    return f"{kind} [any, {', '.join(map(str, sizes))}]" if sizes else f"{kind} [any]"
