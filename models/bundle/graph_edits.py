"""What is done to exported graphs before they are written."""

from __future__ import annotations

import onnx
from onnx import TensorProto

from schemas.bundle.manifest import SHARED_WEIGHTS


def shared_weights(graph: bytes) -> bytes:
    """A graph of nothing but the ``SHARED_WEIGHTS`` of ``graph``: where others find theirs."""
    model = onnx.load_from_string(graph)
    held = [tensor for tensor in model.graph.initializer if tensor.name.startswith(SHARED_WEIGHTS)]
    for part in ("node", "initializer", "input", "output", "value_info"):
        model.graph.ClearField(part)
    model.graph.initializer.extend(held)
    return model.SerializeToString(deterministic=True)


def without_shared(graph: bytes, weights: bytes) -> bytes:
    """``graph`` without the ``SHARED_WEIGHTS`` that the graph ``weights`` holds alike."""
    model, source = onnx.load_from_string(graph), onnx.load_from_string(weights)
    held = {tensor.name: tensor for tensor in source.graph.initializer}
    own = [
        tensor
        for tensor in model.graph.initializer
        if not (tensor.name.startswith(SHARED_WEIGHTS) and tensor == held.get(tensor.name))
    ]
    del model.graph.initializer[:]
    model.graph.initializer.extend(own)
    return model.SerializeToString(deterministic=True)


def in_fp32(graph: bytes) -> bytes:
    """``graph``, which keeps keys and values in fp16, with an arena of fp32: its rounding rounds nothing."""
    model = onnx.load_from_string(graph)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    return model.SerializeToString(deterministic=True)


def without_traces(graph: bytes) -> bytes:
    """``graph`` without the exporter's notes, which hold stack traces with paths of the machine."""
    model = onnx.load_from_string(graph)
    model.ClearField("doc_string")
    del model.metadata_props[:]
    for part in (model.graph, *model.functions):
        part.ClearField("doc_string")
        del part.metadata_props[:]
        for item in (*part.node, *part.value_info):
            item.ClearField("doc_string")
            del item.metadata_props[:]
    for item in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        item.ClearField("doc_string")
        del item.metadata_props[:]
    return model.SerializeToString(deterministic=True)
