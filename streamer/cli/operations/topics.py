"""``streamer topics``: show, check or create the topics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from schemas.errors import TopicError
from schemas.topics import ERASURES, EVENTS, REPARTITION, with_prefix
from streamer.cli.settings_option import settings_option
from streamer.kafka.retention import ahead_warning, outage_warning, stamp_warning
from streamer.kafka.topics import TopicState, create_missing_topics, repair_of, topic_states
from streamer.processes.broker.announcement import wait_for_start
from streamer.processes.broker.configuration import HOST
from streamer.settings.bootstrap import broker_addresses
from streamer.settings.settings import Settings

HEAD = ("topic", "partitions", "policy", "state")


@click.command(name="topics")
@click.option("--apply", is_flag=True, help="Create what is missing; nothing that exists is changed.")
@settings_option
def command(apply: bool, settings: Settings) -> None:
    """Show, check or create the topics.

    All topics have as many partitions as the events topic; where that is missing too, STREAMER_PARTITIONS
    says how many. Exit code 1 when a topic is missing or does not fit. A retention that is shorter than the
    longest outage to survive (STREAMER_LONGEST_OUTAGE_DAYS) is a warning, and so are a topic of outputs that
    is stamped by the workers' clocks and one of events that takes any sender's clock.

    A `streamer broker` on this machine that has just been started is waited for.
    """
    _wait_for_local_broker(settings)
    created = asyncio.run(create_missing_topics(settings)) if apply else []
    states = asyncio.run(topic_states(settings))
    click.echo(_table(states, created))
    events = next(state for state in states if state.plan.name == with_prefix(settings.topic_prefix, EVENTS))
    if events.partitions is not None and events.partitions != settings.partitions:
        click.echo(
            f"note: {events.plan.name} has {events.partitions} partitions and decides; "
            f"the setting partitions = {settings.partitions} has no effect",
            err=True,
        )
    for warning in [*_outage_warnings(states, settings), *_stamp_warnings(states)]:
        click.echo(f"warning: {warning}", err=True)
    wrong = [state for state in states if state.differences]
    if wrong:
        repairs = " ".join(dict.fromkeys(repair_of(state) for state in wrong))
        raise TopicError(f"{len(wrong)} of {len(states)} topics are missing or do not fit. {repairs}")


def _wait_for_local_broker(settings: Settings) -> None:
    if settings.security_protocol == "PLAINTEXT":
        addresses = broker_addresses(settings.bootstrap)
        ports = [address.port for address in addresses if address.host in (HOST, "localhost")]
        if len(ports) == len(addresses):
            wait_for_start(ports, lambda what: click.echo(what, err=True))


def _outage_warnings(states: Sequence[TopicState], settings: Settings) -> list[str]:
    """Of the topics that workers read."""
    read = {with_prefix(settings.topic_prefix, name) for name in (EVENTS, ERASURES, REPARTITION.name)}
    warnings = [
        outage_warning(state.plan.name, state.configuration, settings.longest_outage_days)
        for state in states
        if state.plan.name in read and state.partitions is not None
    ]
    return [warning for warning in warnings if warning is not None]


def _stamp_warnings(states: Sequence[TopicState]) -> list[str]:
    """Of the topics that workers write, and of the one that the shop writes."""
    warnings = [
        warning_of(state.plan.name, state.plan.configuration, state.configuration)
        for warning_of in (stamp_warning, ahead_warning)
        for state in states
        if state.partitions is not None
    ]
    return [warning for warning in warnings if warning is not None]


def _table(states: Sequence[TopicState], created: Sequence[str]) -> str:
    rows: list[tuple[str, ...]] = [HEAD]
    for state in states:
        partitions = "-" if state.partitions is None else str(state.partitions)
        policy = state.configuration.get("cleanup.policy", "-")
        good = "created" if state.plan.name in created else "ok"
        rows.append((state.plan.name, partitions, policy, "; ".join(state.differences) or good))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
