"""A replay is warned of topics that would not keep it."""

from __future__ import annotations

import pytest

from schemas.units import DAY_MS
from streamer.kafka.retention import retention_warning

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("configuration", "age_days", "warned"),
    [
        ({"cleanup.policy": "delete", "retention.ms": "-1"}, 4_000, False),
        ({"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}, 6, False),
        ({"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}, 8, True),
        ({"cleanup.policy": "compact,delete", "retention.ms": str(7 * DAY_MS)}, 8, True),
        ({"cleanup.policy": "compact", "retention.ms": str(7 * DAY_MS)}, 8, False),
    ],
)
def test_only_records_older_than_the_retention(
    configuration: dict[str, str], age_days: int, warned: bool
) -> None:
    warning = retention_warning("shop.events", configuration, NOW_MS - age_days * DAY_MS, NOW_MS)
    assert (warning is not None) == warned
    if warning is not None:
        assert "shop.events keeps records for 7 days" in warning
        assert "retention.ms=-1" in warning


def test_a_topic_with_times_of_its_own() -> None:
    warning = retention_warning("t", {"message.timestamp.type": "LogAppendTime"}, NOW_MS, NOW_MS)
    assert warning is not None
    assert "message.timestamp.type=CreateTime" in warning
