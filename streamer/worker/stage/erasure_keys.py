"""The keys of the marks that erased users leave behind."""

from __future__ import annotations

from typing import Final

from schemas.errors import ConfigurationError
from streamer.core.erasure import deployment_key
from streamer.settings.secret_files import secret_of
from streamer.settings.settings import Settings

LEAST_CHARACTERS: Final = 16


def mark_keys(settings: Settings) -> tuple[bytes, ...]:
    """The secret's key, and that of those who were erased before there was a secret.

    Raises :class:`ConfigurationError` for a secret that could be guessed.
    """
    secret, fallback = secret_of(settings, "erasure_secret"), deployment_key(settings.group_id)
    if secret is None:
        return (fallback,)
    if len(secret.reveal()) < LEAST_CHARACTERS:
        raise ConfigurationError(
            f"erasure_secret has fewer than {LEAST_CHARACTERS} characters: `openssl rand -hex 32` makes one"
        )
    return (secret.reveal().encode(), fallback)
