"""How a user stands with the alert policy: the open episode, and what holds the next one back."""

from __future__ import annotations

import msgspec

from streamer.core.alerts.decisions import Action, Obstacle


class Episode(msgspec.Struct, array_like=True, gc=False):
    """A user at risk, from the raise to the resolve. ``level`` counts band edges, so 1 is watch.

    ``unsent`` says why nothing of it goes out: the user is held out, or it began before alerts were sent.
    ``opened_ms`` and ``changed_ms``, the newest transition's moment, are epoch milliseconds.
    """

    alert_id: str
    revision: int
    level: int
    opened_ms: int
    changed_ms: int
    unsent: Action | None = None


class AlertState(msgspec.Struct, array_like=True, gc=False):
    """What the policy remembers of a user. Moments are epoch milliseconds, 0 for none.

    ``leaning_ms``: since when the signal has belonged to another band than the episode's, ``leaning_up``
    whether to a higher one. ``obstacle``: why a raise is withheld, as last put on record. ``rank_ms``: the
    day's end at which the raise competes for the budget. ``closed_ms``: when the last alert was resolved.
    ``raised_ms``: moments of the alerts sent within a week. ``stamp`` names the policy and the model that
    set the user's deadline.
    """

    episode: Episode | None = None
    leaning_ms: int = 0
    leaning_up: bool = False
    obstacle: Obstacle | None = None
    rank_ms: int = 0
    closed_ms: int = 0
    raised_ms: tuple[int, ...] = ()
    stamp: bytes = b""

    @property
    def level(self) -> int:
        """The open episode's band, 0 without one."""
        return self.episode.level if self.episode else 0

    @property
    def is_idle(self) -> bool:
        """Whether no alert is open and none is on its way, so that there is nothing to close or take back.

        Nor is there where nothing is usual yet: that goes with the next visit.
        """
        return (
            self.episode is None
            and (self.obstacle is None or self.obstacle == "no_usual")
            and not self.leaning_ms
            and not self.rank_ms
        )

    def lean(self, up: bool, now_ms: int) -> int:
        """Note that the signal belongs to a higher or lower band now; returns since when it does."""
        if not self.leaning_ms or self.leaning_up != up:
            self.leaning_ms, self.leaning_up = now_ms, up
        return self.leaning_ms

    def settle(self) -> None:
        """The signal belongs to the episode's band, or to none without one."""
        self.leaning_ms, self.obstacle, self.rank_ms = 0, None, 0
