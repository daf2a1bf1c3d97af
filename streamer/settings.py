"""Settings of the streamer: from the environment, then a TOML file, then the defaults.

A setting ``bootstrap`` is the environment variable ``STREAMER_BOOTSTRAP`` and the key ``bootstrap`` of
the file: the one given, else ``STREAMER_CONFIG``, else ``streamer.toml`` in the working directory if
there is one. Names that are not settings and values that do not fit are refused, never skipped.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from schemas.decoding import EventFormat
from schemas.errors import ConfigurationError
from streamer.settings_description import expected

ENVIRONMENT_PREFIX = "STREAMER_"
CONFIG_VARIABLE = "STREAMER_CONFIG"
DEFAULT_FILE = Path("streamer.toml")

_TOPIC_CHARACTERS = "^[a-zA-Z0-9._-]"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides how a process of the streamer runs.

    A field whose ``Meta`` has ``extra={"secret": True}`` never shows its value: not in ``repr``, not in
    an error, not in the documented table.
    """

    bootstrap: Annotated[
        str,
        Meta(
            pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$",
            description="Kafka brokers to start from: host:port, several separated by commas.",
        ),
    ] = "127.0.0.1:9092"
    topic_prefix: Annotated[
        str, Meta(pattern=_TOPIC_CHARACTERS + "*$", description="Put before the name of every topic.")
    ] = ""
    partitions: Annotated[
        int, Meta(ge=1, description="Partitions of topics that `streamer topics --apply` creates.")
    ] = 4
    replication_factor: Annotated[
        int, Meta(ge=1, description="Replicas of topics that `streamer topics --apply` creates.")
    ] = 1
    application_id: Annotated[
        str,
        Meta(
            pattern=_TOPIC_CHARACTERS + "+$",
            description="Consumer group, and the start of transactional ids and of the changelog's name.",
        ),
    ] = "churn-streamer"
    instance_id: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="Name of this worker in its group; one that keeps it gets its partitions back after "
            "a restart without a wait. Unique among the workers.",
        ),
    ] = None
    bundle: Annotated[Path | None, Meta(description="Folder of the model bundle to score with.")] = None
    policy: Annotated[Path | None, Meta(description="TOML file of the alert policy; see policy.md.")] = None
    data_dir: Annotated[Path, Meta(description="Folder of this worker's local state (RocksDB).")] = Path(
        "var/state"
    )
    mode: Annotated[
        Literal["live", "event-time"],
        Meta(
            description="`live`: wall time moves a partition's clock once it has caught up. `event-time`: "
            "only events do, as when history is replayed.",
        ),
    ] = "live"
    event_format: Annotated[
        EventFormat,
        Meta(description="Whose events the events topic carries: the contract's own, or a platform's."),
    ] = "contract"
    currency: Annotated[
        Annotated[str, Meta(pattern="^[A-Z0-9]{1,16}$")] | None,
        Meta(
            description="The currency of this deployment, as in `USD`. An event in another one keeps its "
            "place, its amounts are unknown. Without this setting amounts count whatever their currency.",
        ),
    ] = None
    time_zone: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="The zone whose days and hours count, an IANA name as in `Europe/Berlin`. "
            "`streamer train` writes it into the bundle, UTC without this setting. A worker takes the "
            "bundle's, and does not start where this setting is another one.",
        ),
    ] = None
    repartition: Annotated[
        bool,
        Meta(
            description="Whether records that lie in another partition than their user's are forwarded "
            "there, for shops that do not key by user_id. The same for all workers; `live` mode only."
        ),
    ] = False
    disorder_s: Annotated[
        float,
        Meta(ge=0, le=86400, description="Seconds that a deadline waits for events that come out of order."),
    ] = 60.0
    max_batch: Annotated[int, Meta(ge=1, description="Largest number of records in one transaction.")] = 2000
    cache_users: Annotated[
        int, Meta(ge=1, description="Users of a partition whose decoded state is kept in memory.")
    ] = 4096
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Meta(
            description="Where the transformer runs: `auto` takes a GPU where there is one; `cuda` does not "
            "start without."
        ),
    ] = "auto"
    arena_mb: Annotated[
        int,
        Meta(
            ge=1,
            description="MiB for the keys and values of cached users, in the GPU's memory if the transformer "
            "runs there. By default 32 KiB a user in fp32, 16 in fp16; the least recently seen give way, and "
            "are rebuilt from their tokens when they come back.",
        ),
    ] = 128
    arena_precision: Annotated[
        Literal["fp32", "fp16"],
        Meta(
            description="As what keys and values are kept. `fp16` holds twice the users and reads faster; "
            "hidden vectors then differ by up to 1e-3. All workers of a deployment should agree."
        ),
    ] = "fp32"
    tick_s: Annotated[
        float, Meta(gt=0, le=60, description="Seconds between looks at the clock while no records come.")
    ] = 1.0
    log_format: Annotated[
        Literal["json", "console"], Meta(description="Log lines for machines or for people.")
    ] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level that is logged.")
    ] = "info"

    def __repr__(self) -> str:
        return masked_repr(self)


def load_settings(
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from the environment (``os.environ`` by default), the TOML file, the defaults, in that order.

    Raises :class:`ConfigurationError` that names the setting, where it came from and what was expected.
    """
    environment = os.environ if environment is None else environment
    types = get_type_hints(Settings, include_extras=True)
    values = _from_file(config, environment, types) | _from_environment(environment, types)
    return Settings(**values)


def is_secret(annotated: Any) -> bool:
    """Whether a setting's type is marked as a secret."""
    metadata: tuple[Any, ...] = getattr(annotated, "__metadata__", ())
    return any(isinstance(meta, Meta) and (meta.extra or {}).get("secret", False) for meta in metadata)


def masked_repr(struct: msgspec.Struct) -> str:
    """``repr`` of a struct with its secret fields masked."""
    types = get_type_hints(type(struct), include_extras=True)
    fields = (
        f"{name}=***" if is_secret(types[name]) else f"{name}={getattr(struct, name)!r}"
        for name in struct.__struct_fields__
    )
    return f"{type(struct).__name__}({', '.join(fields)})"


def _from_environment(environment: Mapping[str, str], types: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in types or variable != variable.upper():
            hint = _hint(name, types, lambda known: ENVIRONMENT_PREFIX + known.upper())
            raise ConfigurationError(f"{variable} in the environment is not a setting: {hint}")
        values[name] = _converted(types[name], text, variable, "the environment", strict=False)
    return values


def _from_file(
    config: Path | None, environment: Mapping[str, str], types: Mapping[str, Any]
) -> dict[str, Any]:
    file = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    if file is None:
        if not DEFAULT_FILE.exists():
            return {}
        file = DEFAULT_FILE
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the settings file {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"the settings file {file} is not TOML: {error}") from error
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in types:
            raise ConfigurationError(f"{name} in {file} is not a setting: {_hint(name, types, str)}")
        values[name] = _converted(types[name], value, name, str(file), strict=True)
    return values


def _converted(annotated: Any, value: object, name: str, source: str, *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, annotated, strict=strict, dec_hook=_path)
    except (msgspec.ValidationError, NotImplementedError) as error:
        shown = "the value (a secret)" if is_secret(annotated) else repr(value)
        raise ConfigurationError(
            f"{name} in {source}: {shown} does not fit: {expected(annotated)}"
        ) from error


def _path(expected_type: type, value: object) -> Path:
    if expected_type is Path and isinstance(value, str) and value:
        return Path(value)
    raise NotImplementedError


def _hint(name: str, known: Iterable[str], spelled: Callable[[str], str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {spelled(near[0])}?" if near else f"known are {', '.join(map(spelled, known))}"
