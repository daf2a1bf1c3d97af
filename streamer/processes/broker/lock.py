"""The jars of Apache Kafka, locked to the byte.

``jars.json`` maps Maven coordinates (``group:artifact:version``) to the SHA-256 of the jar. After a change of
:data:`COORDINATES`, ``python -m streamer.processes.broker.lock`` resolves them anew and rewrites it.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import msgspec

KAFKA_VERSION = "4.1.0"
# The binding that fits the slf4j 1.7 of this Kafka. The exclamation mark keeps the binding's bill of
# materials out of the resolution: it would replace kafka-clients by an older release.
COORDINATES = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!"
LOCK_FILE = Path(__file__).with_name("jars.json")


def locked_jars() -> dict[str, str]:
    """The locked jars: Maven coordinate to SHA-256 in hexadecimal."""
    return msgspec.json.decode(LOCK_FILE.read_bytes(), type=dict[str, str])


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lock() -> None:
    """Resolve :data:`COORDINATES` and write ``jars.json``."""
    import jgo
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as repository:
        context = MavenContext(repo_cache=Path(repository))
        jars: dict[str, str] = {}
        for artifact in jgo.resolve(COORDINATES):
            project = context.project(artifact.groupId, artifact.artifactId)
            jar = project.at_version(artifact.version).artifact().resolve()
            jars[f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"] = sha256_of(jar)
    encoded = msgspec.json.encode(dict(sorted(jars.items())))
    LOCK_FILE.write_bytes(msgspec.json.format(encoded, indent=1) + b"\n")


if __name__ == "__main__":
    write_lock()
