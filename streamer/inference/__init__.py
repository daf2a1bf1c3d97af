"""Model bundles served with ONNX Runtime: loading, checking, and the cache of keys and values."""

import os

# Set before the runtime is imported anywhere: its Linux packages report usage to their maker by default.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
