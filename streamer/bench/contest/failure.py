"""What can go wrong in a benchmark."""

from __future__ import annotations

from schemas.errors import ChurnStreamerError


class BenchError(ChurnStreamerError):
    """A part of the benchmark failed, or did not do what it was measured for."""
