"""Secrets are planted in every setting that takes one; the real commands are run and all they say is read."""

from __future__ import annotations

import os
import socket
import subprocess
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from schemas.errors import ConfigurationError
from streamer.cli import COMMANDS
from streamer.kafka.connection import Connection, connection_of
from streamer.processes.child import child_environment
from streamer.settings.loading import load_settings
from streamer.settings.secret import MASK, Secret
from streamer.settings.settings import Settings
from streamer.settings.sources import ENVIRONMENT_PREFIX
from tests.integration.shop import DEMO_BUNDLE, STREAMER

SECRETS = sorted(name for name, kind in get_type_hints(Settings).items() if Secret in get_args(kind))
AGAINST_A_BROKER = [
    ["status", "--json"],
    ["topics"],
    ["worker"],
    ["erase", "somebody"],
    ["model", "promote"],
    ["dlq", "list"],
    ["export", "churn.alerts.v1", "--out", "out.ndjson"],
    ["model", "load", str(DEMO_BUNDLE)],
]


def planted(name: str) -> str:
    return f"pl4nted-{name}-value"


@pytest.fixture(params=["value", "file"])
def environment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Settings of a worker at debug, whose broker refuses connections; secrets as they are or in files."""
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # It listens to nobody.
        given = {
            "bootstrap": f"127.0.0.1:{taken.getsockname()[1]}",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": "streamer",
            "bundle": str(DEMO_BUNDLE),
            "log_level": "debug",
        }
        for name in SECRETS:
            if request.param == "file":
                (tmp_path / name).write_text(planted(name) + "\n")
                given[f"{name}_file"] = str(tmp_path / name)
            else:
                given[name] = planted(name)
        yield {ENVIRONMENT_PREFIX + name.upper(): value for name, value in given.items()}


def told(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Exit code and all that the console script says."""
    ended = subprocess.run(
        [str(STREAMER), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def assert_no_secret(text: str) -> None:
    assert text
    for name in SECRETS:
        assert planted(name) not in text


def with_local_variables(settings: Settings, connection: Connection) -> str:
    """What the most talkative of tracebacks says of an error here."""
    try:
        raise ConfigurationError(f"{settings} {connection}")
    except ConfigurationError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def test_the_secrets_are_known() -> None:
    """One more has to be a ``Secret`` to be looked for here."""
    assert SECRETS == ["erasure_secret", "sasl_password"]
    telling = ("password", "secret", "token", "credential")
    named = {name for name in Settings.__struct_fields__ if any(word in name for word in telling)}
    assert named == {*SECRETS, *(f"{name}_file" for name in SECRETS)}


def test_a_broker_that_refuses_connections(environment: dict[str, str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda arguments: told(environment, *arguments), AGAINST_A_BROKER))
    for arguments, (code, text) in zip(AGAINST_A_BROKER, ended, strict=True):
        assert code == 1, (arguments, text)
        assert environment["STREAMER_BOOTSTRAP"] in text, arguments
        assert_no_secret(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("partitions", "many"),
        ("sasl_pasword", planted("sasl_password")),
        ("erasure_secrets", planted("erasure_secret")),
        ("bootstrap", f"streamer:{planted('sasl_password')}@kafka:9092"),
        ("bootstrap", f"kafka:9092,kafka://streamer:{planted('sasl_password')}@kafka:9092"),
    ],
)
def test_a_setting_that_is_refused(environment: dict[str, str], name: str, value: str) -> None:
    variable = ENVIRONMENT_PREFIX + name.upper()
    code, text = told(environment | {variable: value}, "status", "--json")
    assert code == 2
    assert variable in text
    assert_no_secret(text)


def test_help_shows_no_value_of_a_setting(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from streamer.cli import run

    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    for name in COMMANDS:
        assert run([name, "--help"]) == 0
    assert_no_secret(capsys.readouterr().out)


def test_settings_show_none_and_hand_them_to_workers_alone(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load_settings(environment=environment)
    connection = connection_of(settings)
    shown = [
        f"{settings}",
        repr(settings),
        str(settings),
        f"{settings!r:>9}",
        repr(connection),
        repr([settings]),
    ]
    shown.append(with_local_variables(settings, connection))
    assert_no_secret("".join(shown))
    assert connection.sasl is not None
    assert connection.sasl.password.reveal() == planted("sasl_password")
    assert MASK in repr(connection)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert not [name for name in child_environment(tmp_path) if name.startswith(ENVIRONMENT_PREFIX)]
    of_a_worker = child_environment(tmp_path, settings)
    assert load_settings(environment={name: of_a_worker[name] for name in environment}) == settings
