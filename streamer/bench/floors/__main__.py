"""One floor in this process: ``python -m streamer.bench.floors SPEC``, where SPEC is JSON."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from streamer.bench.floors.spec import FloorSpec


def main() -> None:
    """Measure, and write the answer."""
    spec = msgspec.json.decode(sys.argv[1], type=FloorSpec)
    match spec.floor:
        case "consume":
            from streamer.bench.floors.consume import consume

            spent = asyncio.run(consume(spec))
        case "step":
            from streamer.bench.floors.step import step

            spent = step(spec)
        case "transaction":
            from streamer.bench.floors.transaction import transaction

            spent = asyncio.run(transaction(spec))
    Path(spec.answer).write_bytes(msgspec.json.encode(spent))


if __name__ == "__main__":
    main()
