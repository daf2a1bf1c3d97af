"""The tests' own broker: a container where one can be had, and nothing that fails where none can."""

from __future__ import annotations

from contextlib import ExitStack

import docker.errors
import pytest
from testcontainers.core.container import DockerContainer

from tests.integration import conftest

FAILURES = [
    docker.errors.ImageNotFound("no such image"),
    docker.errors.NotFound("manifest unknown"),
    docker.errors.APIError("toomanyrequests"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_an_image_that_cannot_be_had_means_no_container(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def start(_container: DockerContainer) -> DockerContainer:
        raise failure

    monkeypatch.setattr(conftest, "_docker_engine_answers", lambda: True)
    monkeypatch.setattr(DockerContainer, "__init__", lambda *_, **__: None)
    for setting in ("with_bind_ports", "with_env"):
        monkeypatch.setattr(DockerContainer, setting, lambda container, *_: container)
    monkeypatch.setattr(DockerContainer, "__enter__", start)
    with ExitStack() as stack, pytest.warns(UserWarning, match="a local broker instead"):
        assert conftest.containers_bootstrap(stack) is None
