"""Files of events with the contract's field names: NDJSON, CSV (both also .gz, .zst) and Parquet.

Reading and writing stream: memory does not grow with the file.
"""

from streamer.data.files.counts import ReadCounts
from streamer.data.files.reading import read_events, read_files
from streamer.data.files.writing import write_events

__all__ = ["ReadCounts", "read_events", "read_files", "write_events"]
