"""Whether what comes from the shop can be read: the shares of the records that were read last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from schemas.units import DAY_MS
from streamer.worker.stage.partition.partition_status import PartitionStatus

REFUSED_SHARE: Final = 0.05
"""More dead letters than this are no single sender's slip."""

SKIPPED_SHARE: Final = 0.99
"""Most of a shop's visitors may be unknown, and most of a platform's events no business of ours; not all."""

RECENT_MS: Final = DAY_MS
"""What was read before tells nothing of now."""


def reads_findings(statuses: Iterable[PartitionStatus], now_ms: int) -> list[str]:
    """What to do where much of what was read last became dead letters, or nearly all was passed over."""
    recent = [
        status.recent
        for status in statuses
        if status.recent is not None and status.recent.until_ms >= now_ms - RECENT_MS
    ]
    recent.sort(key=lambda reads: reads.until_ms)
    refused, skipped = sum(reads.refused for reads in recent), sum(reads.skipped for reads in recent)
    # Those that are refused may also have been forwarded, or be requests to forget a user.
    records = max(sum(reads.records for reads in recent), refused + skipped)
    found: list[str] = []
    if refused > REFUSED_SHARE * records:
        cause = [reads.cause for reads in recent if reads.cause][-1]
        found.append(
            f"of the {records:,} records read last {refused:,} became dead letters, the newest for {cause}: "
            "`streamer dlq list` says why and where they came from. Mend what sends them, then "
            "`streamer dlq redrive`."
        )
    if skipped and refused + skipped >= SKIPPED_SHARE * records:
        reason = [reads.reason for reads in recent if reads.reason][-1]
        found.append(
            f"of the {records:,} records read last {skipped:,} were skipped, the newest for {reason}, and "
            "next to nothing was applied. See to the types and the user ids that are sent, and to "
            "STREAMER_EVENT_FORMAT."
        )
    return found
