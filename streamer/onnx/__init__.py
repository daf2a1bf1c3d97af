"""Model bundles served with ONNX Runtime: loading, checking, and the cache of keys and values."""
