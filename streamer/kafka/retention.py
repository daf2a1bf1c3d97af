"""Whether a topic would delete what is still needed: a history about to be replayed, events that wait."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.timestamps import format_timestamp
from schemas.units import DAY_MS


def retention_warning(topic: str, configuration: Mapping[str, str], first_ms: int, now_ms: int) -> str | None:
    """What would go wrong with records from ``first_ms`` on in a topic so configured, or None.

    Kafka counts retention by record timestamps, so a history is deleted at the next check (five minutes
    at the latest) unless the topic keeps records of that age.
    """
    if configuration.get("message.timestamp.type") == "LogAppendTime":
        return (
            f"topic {topic} stamps records with the time of their arrival, not of the event: set "
            "message.timestamp.type=CreateTime."
        )
    retention_ms = int(configuration.get("retention.ms", "-1"))
    age_ms = now_ms - first_ms
    if "delete" not in configuration.get("cleanup.policy", "delete") or not 0 <= retention_ms < age_ms:
        return None
    return (
        f"topic {topic} keeps records for {retention_ms / DAY_MS:g} days by their own time, "
        f"and the first event is of {format_timestamp(first_ms)}: Kafka will delete such records at its next "
        "check. Set retention.ms=-1 on the topic to keep them."
    )


def stamp_warning(topic: str, expected: Mapping[str, str], configuration: Mapping[str, str]) -> str | None:
    """What would go wrong in a topic that is ``expected`` to be stamped by the broker and is not, or None."""
    name = "message.timestamp.type"
    if name not in expected or configuration[name] == expected[name]:
        return None
    return (
        f"topic {topic} stamps records with the writing worker's clock: a wrong one costs outputs, which "
        f"Kafka takes for too old. Set {name}={expected[name]} on the topic."
    )


def ahead_warning(topic: str, expected: Mapping[str, str], configuration: Mapping[str, str]) -> str | None:
    """What would go wrong in a topic that takes records from further ahead than ``expected``, or None.

    Also for a broker that knows no such bound, whose configuration does not tell one.
    """
    name = "message.timestamp.after.max.ms"
    if name not in expected or name not in configuration or int(configuration[name]) <= int(expected[name]):
        return None
    return (
        f"topic {topic} takes records from senders whose clocks are far ahead, and their events go to the "
        f"dead letters. Set {name}={expected[name]} on the topic: Kafka then refuses what they send."
    )


def outage_warning(topic: str, configuration: Mapping[str, str], longest_outage_days: float) -> str | None:
    """What would go wrong in a topic so configured if no worker read it for that long, or None."""
    if "delete" not in configuration["cleanup.policy"]:
        return None
    retention_ms, retention_bytes = int(configuration["retention.ms"]), int(configuration["retention.bytes"])
    if 0 <= retention_ms < longest_outage_days * DAY_MS:
        return (
            f"topic {topic} keeps records for {retention_ms / DAY_MS:.3g} days, and workers "
            f"may be down for {longest_outage_days:g} (STREAMER_LONGEST_OUTAGE_DAYS): what is deleted before "
            "it is read is lost. Raise retention.ms of the topic."
        )
    if retention_bytes >= 0:
        return (
            f"topic {topic} keeps {retention_bytes:,} bytes a partition, however little time that is, and "
            f"workers may be down for {longest_outage_days:g} days (STREAMER_LONGEST_OUTAGE_DAYS): what is "
            "deleted before it is read is lost. Set retention.bytes=-1 on the topic."
        )
    return None
