"""Shoppers for live mode: a history up to now, people whose silence becomes alarming within minutes, a load.

How long somebody must be silent is the model's secret, so it is asked: the histories of the quiet ones are
moved until the stage, run over them in memory, raises each at the moment meant for it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.alert import Alert
from schemas.event import Event
from schemas.timestamps import parse_timestamp
from schemas.topics import ALERTS, with_prefix
from schemas.units import DAY_MS
from schemas.wire.encoding import encode_event
from streamer.analysis.scoring.history import records_of
from streamer.inference.bundle import load_bundle
from streamer.settings.loading import load_settings
from streamer.testing import StageDriver
from streamer.worker.run import build_stage
from tests.faults.shoppers import MALFORMED, Sent

HISTORY_DAYS: Final = 100
KINDS: Final = ("purchase", "purchase", "view", "add_to_cart", "remove_from_cart", "refund")
ROUNDS: Final = 4
RETURN_SHARE: Final = 0.02
LATE_SHARE: Final = 0.02
DUPLICATE_SHARE: Final = 0.02
MALFORMED_SHARE: Final = 0.005


@dataclass
class LiveShoppers:
    """``active`` ones go on in the load, ``quiet`` ones come back rarely.

    ``environment``: settings of the workers. ``window_s``: from when to when, seconds from now, the quiet
    ones' silence becomes alarming.
    """

    seed: int
    environment: Mapping[str, str]
    window_s: tuple[float, float]
    active: int = 300
    quiet: int = 300

    def __post_init__(self) -> None:
        self._random = random.Random(f"live shoppers {self.seed}")
        self._events = 0

    def history(self) -> list[Sent]:
        """What happened until now, in order; each record's Kafka timestamp is its event's time."""
        now_ms = _now_ms()
        events = [event for user in range(self.active) for event in self._visits(f"a{user}", now_ms, 2, 4)]
        quiet = {f"q{user}": self._visits(f"q{user}", now_ms, 2, 6) for user in range(self.quiet)}
        wanted = {user: now_ms + self._random.uniform(*self.window_s) * 1000 for user in quiet}
        for _ in range(ROUNDS):
            raised = self._raised_ms(quiet)
            quiet = {
                user: _moved(visits, int(wanted[user] - raised[user]))
                for user, visits in quiet.items()
                if user in raised
            }
        events += [event for visits in quiet.values() for event in visits]
        events.sort(key=lambda event: event.timestamp)
        self._quiet = list(quiet)
        return [Sent(event.user_id.encode(), encode_event(event), event.timestamp) for event in events]

    def records(self) -> Iterator[Sent]:
        """What happens now, whenever the next record is asked for."""
        draw, newest = self._random, list[Sent]()
        while True:
            now_ms = _now_ms()
            user = (
                draw.choice(self._quiet)
                if draw.random() < RETURN_SHARE
                else f"a{draw.randrange(self.active)}"
            )
            late_ms = draw.randrange(600_000) if draw.random() < LATE_SHARE else 0
            event = self._event(user, now_ms - late_ms)
            sent = Sent(user.encode(), encode_event(event), now_ms)
            newest = [*newest[-20:], sent]
            yield sent
            if draw.random() < DUPLICATE_SHARE:
                yield draw.choice(newest)._replace(timestamp_ms=_now_ms())
            if draw.random() < MALFORMED_SHARE:
                yield Sent(b"bad", draw.choice(MALFORMED), _now_ms())

    def silent(self) -> Sequence[str]:
        """Nobody: who is quiet may come back."""
        return ()

    def now_ms(self) -> int:
        """Wall time."""
        return _now_ms()

    def _visits(self, user: str, until_ms: int, *pace_days: int) -> list[Event]:
        """A user's events of the last weeks, the last of them a purchase."""
        draw, pace = self._random, self._random.uniform(*pace_days)
        at_ms = until_ms - HISTORY_DAYS * DAY_MS + draw.uniform(0, pace) * DAY_MS
        events: list[Event] = []
        while at_ms < until_ms:
            events.append(self._event(user, int(at_ms)))
            at_ms += draw.expovariate(1 / pace) * DAY_MS
        last = events.pop()
        return [*events, Event(last.event_id, user, "purchase", last.timestamp, value=20.0)]

    def _event(self, user: str, at_ms: int) -> Event:
        self._events += 1
        value = round(self._random.uniform(1, 90), 2)
        return Event(f"l{self._events}", user, self._random.choice(KINDS), at_ms, value=value)

    def _raised_ms(self, histories: Mapping[str, list[Event]]) -> dict[str, int]:
        """When silence raises an alert for each user, epoch milliseconds, if it does within the horizon."""
        settings = load_settings(environment={**self.environment, "STREAMER_MODE": "event-time"})
        assert settings.bundle is not None, "the workers' settings name a bundle"
        partition = StageDriver(build_stage(settings, load_bundle(settings.bundle, "cpu", "fp32"), 1))
        events = [event for visits in histories.values() for event in visits]
        last_ms = {user: visits[-1].timestamp for user, visits in histories.items()}
        end = Event("end", "end", "view", max(last_ms.values()) + 27 * DAY_MS)
        raised: dict[str, int] = {}
        for applied in partition.apply(records_of([*events, end])):
            for message in applied.messages:
                if message.topic == with_prefix(settings.topic_prefix, ALERTS):
                    alert = msgspec.json.decode(message.value or b"", type=Alert)
                    at_ms = parse_timestamp(alert.time)
                    if alert.type.endswith("raised.v1") and at_ms > last_ms.get(alert.subject, at_ms):
                        raised.setdefault(alert.subject, at_ms)
        return raised


def _moved(events: list[Event], by_ms: int) -> list[Event]:
    return [msgspec.structs.replace(event, timestamp=event.timestamp + by_ms) for event in events]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
