"""The class path of Apache Kafka: locked jars from Maven Central, kept in the user's cache.

Each jar is fetched into a directory of its own, compared with the lock and moved into the cache in
one step, so an interrupted or a concurrent download never leaves a damaged jar behind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from schemas.errors import BrokerError, ConfigurationError
from streamer.processes.broker.lock import KAFKA_VERSION, locked_jars, sha256_of

PARALLEL_DOWNLOADS = 4

Progress = Callable[[int, int], None]
"""Called with the jars present and the jars needed, before the first download and after each."""


def jar_cache() -> Path:
    """Where the jars are kept: ``$XDG_CACHE_HOME/churn-streamer/kafka-VERSION``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "churn-streamer" / f"kafka-{KAFKA_VERSION}"


def class_path(progress: Progress | None = None) -> str:
    """The class path of the broker; downloads what the cache lacks (43 MB the first time).

    Raises :class:`BrokerError` when Maven Central cannot be reached or sends other bytes than the
    locked ones, :class:`ConfigurationError` when the package that downloads is not installed or the
    cache cannot be written.
    """
    cache, jars = jar_cache(), locked_jars()
    paths = {coordinate: cache / _file_name(coordinate) for coordinate in jars}
    missing = [coordinate for coordinate, path in paths.items() if not path.exists()]
    if missing:
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the cache directory {cache} cannot be written ({error.strerror}): "
                "set XDG_CACHE_HOME to a directory that can"
            ) from error
        present = len(jars) - len(missing)
        if progress is not None:
            progress(present, len(jars))
        with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
            fetched = pool.map(lambda name: _fetch(name, jars[name], paths[name]), missing)
            for count, _ in enumerate(fetched, start=present + 1):
                if progress is not None:
                    progress(count, len(jars))
    return os.pathsep.join(str(path) for path in paths.values())


def _file_name(coordinate: str) -> str:
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def _fetch(coordinate: str, sha256: str, target: Path) -> None:
    try:
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is missing: install churn-streamer[demo], which brings the local broker"
        ) from error

    group, artifact, version = coordinate.split(":")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as staging:
        context = MavenContext(
            repo_cache=Path(staging), remote_repos={"central": MAVEN_CENTRAL_URL}, timeout=60
        )
        try:
            jar = context.project(group, artifact).at_version(version).artifact().resolve()
        # The downloader lets requests' own errors and a bare RuntimeError through.
        except (OSError, RuntimeError) as error:
            raise BrokerError(
                f"{coordinate} could not be fetched from {MAVEN_CENTRAL_URL}: {error}. "
                f"The local broker needs Maven Central once, or its jars in {target.parent}"
            ) from error
        found = sha256_of(jar)
        if found != sha256:
            raise BrokerError(
                f"{coordinate} from {MAVEN_CENTRAL_URL} is not the locked jar "
                f"(sha256 {found}, expected {sha256}): something between here and there changes downloads"
            )
        jar.replace(target)
