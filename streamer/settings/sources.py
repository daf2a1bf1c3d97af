"""Values of settings from the environment and from a TOML file, checked against their types."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from schemas.errors import ConfigurationError
from streamer.settings.secret import MASK, Secret
from streamer.settings.values import expected, form_of

ENVIRONMENT_PREFIX: Final = "STREAMER_"
CONFIG_VARIABLE: Final = "STREAMER_CONFIG"
DEFAULT_FILE: Final = Path("streamer.toml")


def from_environment(environment: Mapping[str, str], types: Mapping[str, Any]) -> dict[str, Any]:
    """Settings among ``environment``; ``types``: of all settings, by name.

    Raises :class:`ConfigurationError` that names the variable and what was expected.
    """
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


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` for a child that has nothing to do with our settings, and least of all with secrets."""
    return {name: value for name, value in environment.items() if not name.startswith(ENVIRONMENT_PREFIX)}


def from_file(
    config: Path | None, environment: Mapping[str, str], types: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings in the file ``config``, else in the one that ``environment`` names, else in the default one.

    Raises :class:`ConfigurationError` that names the file, the key and what was expected.
    """
    file = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    if file is None:
        if not DEFAULT_FILE.exists():
            return {}
        file = DEFAULT_FILE
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
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
        converted = msgspec.convert(value, annotated, strict=strict, dec_hook=_custom)
        form = form_of(annotated)
        return converted if form is None else form.plain(converted)
    # msgspec's own errors are ValueErrors too.
    except (ValueError, NotImplementedError) as error:
        shown = "the value (a secret)" if _is_secret(annotated) else _without_credentials(repr(value))
        raise ConfigurationError(
            f"{name} in {source}: {shown} does not fit: {expected(annotated)}"
        ) from error


def _custom(expected_type: type, value: object) -> Path | Secret:
    if isinstance(value, str) and value:
        if expected_type is Path:
            return Path(value)
        if expected_type is Secret:
            return Secret(value)
    raise NotImplementedError


def _is_secret(annotated: Any) -> bool:
    return Secret in (annotated, *(part for each in get_args(annotated) for part in (each, *get_args(each))))


def _without_credentials(shown: str) -> str:
    """Addresses without what stands before an ``@``, as in ``user:password@host``."""
    return re.sub(r"[^\s,/'\"]*@", f"{MASK}@", shown)


def _hint(name: str, known: Iterable[str], spelled: Callable[[str], str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {spelled(near[0])}?" if near else f"known are {', '.join(map(spelled, known))}"
