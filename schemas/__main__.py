"""``python -m schemas`` writes the JSON Schemas anew after a struct has changed."""

from __future__ import annotations

from schemas.json_schema import SCHEMA_DIRECTORY, SCHEMA_TYPES, encode_schema, schema_path


def main() -> None:
    """Write one file for each message."""
    SCHEMA_DIRECTORY.mkdir(exist_ok=True)
    for name in SCHEMA_TYPES:
        schema_path(name).write_bytes(encode_schema(name))


if __name__ == "__main__":
    main()
