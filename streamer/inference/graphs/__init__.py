"""ONNX graphs as functions over arrays, and the arena that they read and write in place."""
