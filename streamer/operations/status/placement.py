"""Whether all that is sent is keyed with one partitioner."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.worker.stage.partition.partition_status import PartitionStatus
from streamer.worker.stage.partition.user_places import UserPlaces, mixed


def places_findings(statuses: Iterable[PartitionStatus], partitions: int) -> list[str]:
    """What to do where users of all ``partitions`` lie as two partitioners put them."""
    each = [status.places for status in statuses if status.places is not None]
    places = UserPlaces(*(sum(getattr(one, field) for one in each) for field in UserPlaces.__struct_fields__))
    if not mixed(places, partitions):
        return []
    return [
        f"{places.elsewhere:,} of {places.users:,} users' states lie in another partition than the one that "
        "`streamer replay` puts the users in (murmur2), so events come from two partitioners, and a customer "
        "of both has two states, of which one falls silent. Set the producer's `partitioner` to "
        "murmur2_random, or STREAMER_REPARTITION=true; docs/platforms.md says how to mend what has been read."
    ]
