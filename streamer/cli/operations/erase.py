"""``streamer erase``: forget a user."""

from __future__ import annotations

import asyncio
import time
import uuid

import click

from schemas.erasure import ErasureRequest
from schemas.errors import ConfigurationError, MalformedEventError
from schemas.timestamps import format_timestamp
from schemas.wire.erasure_decoding import decode_erasure
from streamer.cli.settings_option import settings_option
from streamer.settings.settings import Settings

WAIT_S = 60.0


@click.command(name="erase")
@click.argument("user_id", metavar="USER")
@click.option("--wait", is_flag=True, help="Wait, up to a minute, until the workers have carried it out.")
@settings_option
def command(user_id: str, wait: bool, settings: Settings) -> int:
    """Ask the workers to forget a user, and print the request's id.

    Removes state and score, closes an open alert as erased, and refuses events of the user's time up to now;
    a later event makes a new user. Exit code 1 when --wait has waited in vain; the request stays valid.
    """
    from schemas.wire.encoding import encode_erasure
    from streamer.operations.erasure import publish_erasure, wait_for_erasures

    now_ms = time.time_ns() // 1_000_000
    request = ErasureRequest(
        user_id=user_id, requested_at=format_timestamp(now_ms), request_id=str(uuid.uuid4())
    )
    try:
        decode_erasure(encode_erasure(request), now_ms)
    except (MalformedEventError, UnicodeError) as error:
        raise ConfigurationError(f"USER: no event can have this id as its user_id ({error})") from error
    asyncio.run(publish_erasure(settings, request))
    click.echo(request.request_id)
    if wait and not asyncio.run(wait_for_erasures(settings, WAIT_S)):
        click.echo(
            "not carried out yet: `streamer status` says whether a worker runs, and how it is", err=True
        )
        return 1
    return 0
