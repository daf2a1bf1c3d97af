"""Settings: where they come from, which come first, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from schemas.topics import with_prefix
from streamer.kafka.topics import planned_topics
from streamer.settings.document import SETTINGS_DOCUMENT, settings_table
from streamer.settings.loading import load_settings
from streamer.settings.settings import Settings
from streamer.settings.sources import ENVIRONMENT_PREFIX
from streamer.worker.run import worker_options
from streamer.worker.stage.erasure_keys import mark_keys


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("directory")
def test_defaults_stand_alone() -> None:
    assert load_settings(environment={}) == Settings()


def test_environment_comes_before_the_file_before_the_defaults(directory: Path) -> None:
    (directory / "streamer.toml").write_text('bootstrap = "file:1"\npartitions = 7\n')
    settings = load_settings(environment={"STREAMER_BOOTSTRAP": "environment:2"})
    assert (settings.bootstrap, settings.partitions, settings.max_batch) == (
        "environment:2",
        7,
        Settings().max_batch,
    )


def test_the_given_file_comes_before_the_named_one_before_the_default_one(directory: Path) -> None:
    for name, partitions in (("streamer.toml", 1), ("named.toml", 2), ("given.toml", 3)):
        (directory / name).write_text(f"partitions = {partitions}\n")
    named = {"STREAMER_CONFIG": "named.toml"}
    assert load_settings(environment={}).partitions == 1
    assert load_settings(environment=named).partitions == 2
    assert load_settings(Path("given.toml"), named).partitions == 3


def test_a_byte_order_mark_before_the_file_is_passed_over(directory: Path) -> None:
    (directory / "streamer.toml").write_bytes(b"\xef\xbb\xbfpartitions = 7\n")
    assert load_settings(environment={}).partitions == 7


def test_the_prefix_separates_groups_transactions_and_changelogs() -> None:
    wide, plain = Settings(topic_prefix="wide."), Settings()
    assert wide.group_id == f"wide.{plain.application_id}"
    one, other = worker_options(wide), worker_options(plain)
    assert one.application_id != other.application_id
    assert one.changelog_topic == with_prefix("wide.", other.changelog_topic)
    assert not {plan.name for plan in planned_topics(wide, 1)} & {p.name for p in planned_topics(plain, 1)}
    assert not set(mark_keys(wide)) & set(mark_keys(plain))


@pytest.mark.usefixtures("directory")
def test_texts_from_the_environment_become_typed_values() -> None:
    settings = load_settings(
        environment={
            "STREAMER_PARTITIONS": "12",
            "STREAMER_DISORDER_S": "0.5",
            "STREAMER_BUNDLE": "bundles/demo",
            "STREAMER_INSTANCE_ID": "7",
            "STREAMER_MODE": "event-time",
        }
    )
    assert settings == Settings(
        partitions=12, disorder_s=0.5, bundle=Path("bundles/demo"), instance_id="7", mode="event-time"
    )


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        (
            "STREAMER_PARTITION",
            "4",
            ["STREAMER_PARTITION in the environment", "did you mean STREAMER_PARTITIONS"],
        ),
        ("STREAMER_ZZZ", "4", ["STREAMER_ZZZ", "is not a setting", "STREAMER_BOOTSTRAP"]),
        ("STREAMER_Partitions", "4", ["STREAMER_Partitions", "is not a setting"]),
        ("STREAMER_PARTITIONS", "many", ["STREAMER_PARTITIONS", "'many'", "a whole number, at least 1"]),
        ("STREAMER_PARTITIONS", "0", ["STREAMER_PARTITIONS", "'0'", "at least 1"]),
        ("STREAMER_DISORDER_S", "nan", ["STREAMER_DISORDER_S", "'nan'", "a number, at least 0"]),
        ("STREAMER_DISORDER_S", "inf", ["STREAMER_DISORDER_S", "'inf'", "at most 86400"]),
        ("STREAMER_MODE", "replay", ["STREAMER_MODE", "'replay'", "one of event-time, live"]),
        ("STREAMER_BOOTSTRAP", "kafka", ["STREAMER_BOOTSTRAP", "'kafka'", "host:port[,host:port]..."]),
        ("STREAMER_TOPIC_PREFIX", "a b", ["STREAMER_TOPIC_PREFIX", "'a b'", "a-z, A-Z, 0-9", "or nothing"]),
        (
            "STREAMER_APPLICATION_ID",
            "é",
            ["STREAMER_APPLICATION_ID", "'é'", "a text of the characters a-z"],
        ),
        ("STREAMER_CURRENCY", "usd", ["STREAMER_CURRENCY", "'usd'", "1 to 16 of A-Z and 0-9"]),
        ("STREAMER_INSTANCE_ID", "", ["STREAMER_INSTANCE_ID", "not empty"]),
        ("STREAMER_BUNDLE", "", ["STREAMER_BUNDLE", "a path"]),
        ("STREAMER_CONFIG", "missing.toml", ["missing.toml", "cannot be read"]),
    ],
)
def test_wrong_environment_is_refused_in_words(variable: str, value: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(environment={variable: value})
    assert refusal.value.exit_code == 2
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("partition = 4", ["partition in streamer.toml", "did you mean partitions?"]),
        ('partitions = "4"', ["partitions in streamer.toml", "'4'", "a whole number"]),
        ("[web]\nport = 1", ["web in streamer.toml", "is not a setting"]),
        ("application_id = 1", ["application_id in streamer.toml", "a text"]),
        ("bundle = 1", ["bundle in streamer.toml", "a path"]),
        ("partitions =", ["streamer.toml is not TOML"]),
        ("\udcff", ["streamer.toml is not TOML"]),
    ],
)
def test_a_wrong_file_is_refused_in_words(directory: Path, text: str, words: list[str]) -> None:
    (directory / "streamer.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(environment={})
    for word in words:
        assert word in str(refusal.value)


def test_no_setting_is_explained_by_a_regular_expression() -> None:
    assert "^" not in settings_table(Settings, ENVIRONMENT_PREFIX)


def test_the_documented_table_agrees_with_the_settings() -> None:
    assert SETTINGS_DOCUMENT.read_text(encoding="utf-8") == settings_table(Settings, ENVIRONMENT_PREFIX), (
        "docs/settings.md is stale: run python -m streamer.settings.document"
    )
