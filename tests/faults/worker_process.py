"""``streamer worker`` with faults inside: started in its place, it is the worker and nothing else.

The faults that no signal and no broker can bring about are read from the environment.
"""

from __future__ import annotations

import sys

from streamer.cli import run

if __name__ == "__main__":
    sys.exit(run(["worker"]))
