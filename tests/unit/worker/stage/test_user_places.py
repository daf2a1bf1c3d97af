"""Where users lie: one partitioner alone, whichever it is, or two of them."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from zlib import crc32

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.units import DAY_MS
from streamer.worker.stage.partition.partition_status import PartitionStatus, decode_status
from streamer.worker.stage.partition.user_places import PlacesWatch, UserPlaces, mixed
from streamer.worker.stage.repartition import partition_of
from tests.unit.worker.stage.test_erasure import erase, request
from tests.unit.worker.stage.test_scoring_stage import START, Worker, new_stage, purchase

Partitioner = Callable[[str, int], int]

ids = st.sets(st.text(min_size=1, max_size=12), max_size=60)
numbers = st.integers(1, 64)


def by_crc32(user_id: str, partitions: int) -> int:
    return crc32(user_id.encode()) % partitions


def by_another(user_id: str, partitions: int) -> int:
    return int.from_bytes(sha256(user_id.encode()).digest()[:8]) % partitions


def placed(partitions: int, *each: tuple[set[str], Partitioner]) -> UserPlaces:
    """The users of all partitions, for each set of them and how its records are keyed."""
    lying = {(user, partitioner(user, partitions)) for users, partitioner in each for user in users}
    sums = [0, 0, 0, 0]
    for number in range(partitions):
        watch = PlacesWatch(number, partitions, None)
        for user, partition in lying:
            if partition == number:
                watch.adopt(user)
        found = watch.places
        for place, users in enumerate((found.both, found.murmur2, found.crc32, found.neither)):
            sums[place] += users
    return UserPlaces(*sums)


@given(ids, numbers)
def test_users_of_one_known_partitioner_are_no_mix(users: set[str], partitions: int) -> None:
    for partitioner in (partition_of, by_crc32):
        places = placed(partitions, (users, partitioner))
        assert not mixed(places, partitions)
        assert places.users == len(users)
        assert places.elsewhere == sum(
            partitioner(user, partitions) != partition_of(user, partitions) for user in users
        )


@pytest.mark.parametrize("partitions", [1, 2, 3, 4, 12, 64])
@pytest.mark.parametrize("users", [1, 2, 5, 24, 200, 3_000])
def test_neither_are_users_of_a_partitioner_of_their_own(users: int, partitions: int) -> None:
    assert not mixed(placed(partitions, ({f"u{n}" for n in range(users)}, by_another)), partitions)


@pytest.mark.parametrize("partitions", [2, 4, 12, 64])
@pytest.mark.parametrize("live", [by_crc32, by_another])
def test_history_and_live_events_of_two_partitioners_are_noticed(live: Partitioner, partitions: int) -> None:
    users = {f"u{n}" for n in range(24 if live is by_crc32 else 400)}
    places = placed(partitions, (users, partition_of), (users, live))
    assert mixed(places, partitions)
    assert places.elsewhere == places.users - len(users)


@given(st.integers(2, 64))
def test_a_single_stray_among_many_is_noticed(partitions: int) -> None:
    users = {f"u{n}" for n in range(100)}
    assume(by_crc32("stray", partitions) != partition_of("stray", partitions))
    assert mixed(placed(partitions, (users, partition_of), ({"stray"}, by_crc32)), partitions)
    assert mixed(placed(partitions, (users, by_crc32), ({"stray"}, partition_of)), partitions)


def told(worker: Worker) -> PartitionStatus:
    status = decode_status(worker.stage.status(0, START))
    assert status is not None
    return status


def test_a_status_tells_of_the_users_who_are_there() -> None:
    """Newcomers once, whoever takes the partition over, and nobody who was refused or has gone."""
    worker = Worker(partitions=2)
    home = [user for user in (f"u{n}" for n in range(20)) if partition_of(user, 2) == 0]
    elsewhere = [user for user in (f"u{n}" for n in range(20)) if partition_of(user, 2) == 1]
    for day, users in enumerate((home, home + elsewhere, elsewhere)):
        worker.process(*(purchase(f"{user}-{day}", user, day) for user in users), b"no event")
        places = told(worker).places
        assert places is not None
        assert (places.users, places.elsewhere) == ((len(home), 0) if not day else (20, len(elsewhere)))
        status = worker.stage.status(0, START)
        worker.stage = new_stage(partitions=2)
        # A status of an earlier release says nothing of them: they are counted in the table.
        worker.stage.open(0, worker.table.items(), status if day == 1 else "")
        assert told(worker).places == places

    erase(worker, request(elsewhere[0], START + 40 * DAY_MS))
    places = told(worker).places
    assert places is not None
    assert (places.users, places.elsewhere) == (19, len(elsewhere) - 1)
