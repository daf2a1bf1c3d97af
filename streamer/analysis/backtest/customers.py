"""What every customer had done by any moment, and what came in the window after it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.units import DAY_MS
from streamer.core.engine.grouped_events import GroupedEvents, PartitionEvent
from streamer.core.history.aggregates import Aggregates, advance, empty
from streamer.core.history.calendar import Calendar
from streamer.core.history.token import PURCHASE, REFUND, are_actions
from streamer.core.history.usual import DECLINE_SHARE, Usual, usual_of
from streamer.core.model.decline import DeclineTerms

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


class Windows(NamedTuple):
    """Of customers at moments, each ``[questions]``. ``usual``: as of the last visit by then.

    ``usual_spend``, ``spend``: money over the window after the moment, usual and actual; an actual one is
    never below 0, and NaN where an amount is unknown. ``declined``: whether there are fewer than half of the
    usual visit days in it; meaningless where nothing is usual.
    """

    usual: Usual
    usual_spend: Floats
    spend: Floats
    declined: npt.NDArray[np.bool_]

    def at(self, chosen: npt.NDArray[np.bool_]) -> Windows:
        """Of some of the questions."""
        usual = Usual(*(values[chosen] for values in self.usual))
        return Windows(usual, self.usual_spend[chosen], self.spend[chosen], self.declined[chosen])


class Customers:
    """All events, customer after customer, each in the ring's order; an id that one has twice counts once.

    ``calendar``: whose days are visit days.
    """

    def __init__(self, events: Sequence[PartitionEvent], terms: DeclineTerms, calendar: Calendar) -> None:
        grouped = GroupedEvents(events)
        user = np.repeat(np.arange(len(grouped.user_ids)), grouped.users.counts)
        order = np.lexsort((grouped.tokens["event"], grouped.tokens["time"], user))
        tokens, user = grouped.tokens[order], user[order]
        _, first = np.unique((user << 32) | tokens["event"], return_index=True)
        first.sort()
        self._tokens, self._user = tokens[first], user[first]
        self._calendar, self._terms = calendar, terms
        self._number = {user_id: number for number, user_id in enumerate(grouped.user_ids)}
        self._starts = np.searchsorted(self._user, np.arange(len(grouped.user_ids) + 1))
        times = self._tokens["time"]
        self._begin, self._span = int(times.min()), int(times.max()) - int(times.min()) + 1
        # Customers in turn, each with a stretch of time of its own: one ascending sequence.
        self._places = self._user * (self._span + 1) + (times - self._begin)
        # Sums over all events before each one, and over all.
        money = self._signed_amounts()
        self._visit_days = _sums(self._begins_visit())
        self._money, self._unknown = _sums(np.nan_to_num(money)), _sums(np.isnan(money))

    def numbers(self, user_ids: Iterable[str]) -> Numbers:
        """By which each is asked about."""
        return np.array([self._number[user_id] for user_id in user_ids], np.int64)

    def active_at(self, at_ms: int, active_ms: int) -> Numbers:
        """Who had acted by ``at_ms``, that moment included, and was silent for at most ``active_ms`` then."""
        everyone = np.arange(len(self._starts) - 1)
        last = self._behind(everyone, np.full(len(everyone), at_ms)) - 1
        # Of whom nothing but what the shop did is known, the first of that stands for the last action.
        acts = are_actions(self._tokens)
        acts[self._starts[:-1]] = True
        acted = np.maximum.accumulate(np.where(acts, np.arange(len(acts)), 0))
        known = last >= self._starts[:-1]
        silence = at_ms - self._tokens["time"][acted[np.maximum(last, 0)]]
        return everyone[known & (silence <= active_ms)]

    def windows(self, users: Numbers, moments_ms: Numbers) -> Windows:
        """Of ``users`` ``[questions]``, each at its moment, by which all have had an event.

        What happens at the moment itself is known by it; the window ends with its last millisecond.
        """
        behind = self._behind(users, moments_ms)
        ended = self._behind(users, moments_ms + self._terms.window_ms)
        usual = usual_of(self._aggregates(behind - 1), self._terms.shop, self._terms.churn_types)
        window_days = self._terms.window_ms / DAY_MS
        days, money, unknown = self._visit_days, self._money, self._unknown
        spend = np.where(
            unknown[ended] > unknown[behind], np.nan, np.maximum(money[ended] - money[behind], 0.0)
        )
        declined = days[ended] - days[behind] < DECLINE_SHARE * usual.visit_days * window_days
        return Windows(usual, usual.spend * window_days, spend, declined)

    def _behind(self, users: Numbers, moments_ms: Numbers) -> Numbers:
        """Index of each customer's first event after the moment, the customer's end where there is none."""
        within = np.clip(moments_ms - self._begin, -1, self._span)
        return np.searchsorted(self._places, users * (self._span + 1) + within, side="right")

    def _aggregates(self, wanted: Numbers) -> Aggregates:
        """Right after each of the events ``wanted``, ``[wanted, columns]``: all customers folded at once."""
        if not len(wanted):
            return empty(0)
        distinct, back = np.unique(wanted, return_inverse=True)
        kept = np.empty((len(distinct), empty(0).shape[1]))
        lengths = np.diff(self._starts)
        order = np.argsort(-lengths, kind="stable")
        starts, lengths = self._starts[:-1][order], lengths[order]
        rows = empty(len(order))
        for step in range(int(lengths.max(initial=0))):
            more = int(np.searchsorted(-lengths, -step, side="left"))
            events = starts[:more] + step
            rows[:more] = advance(rows[:more], self._tokens[events], self._calendar)
            at = np.minimum(np.searchsorted(distinct, events), len(distinct) - 1)
            hit = distinct[at] == events
            kept[at[hit]] = rows[:more][hit]
        return kept[back]

    def _begins_visit(self) -> npt.NDArray[np.bool_]:
        """Whether each event is its customer's first of the churn kind on its day."""
        bought = self._terms.churn_types == "purchase"
        kinds = self._tokens["type"] == PURCHASE if bought else are_actions(self._tokens)
        of_kind = np.flatnonzero(kinds)
        days = self._calendar.days(self._tokens["time"][of_kind].astype(np.float64))
        users = self._user[of_kind]
        begins = np.zeros(len(kinds), np.bool_)
        same = (users[1:] == users[:-1]) & (days[1:] == days[:-1])
        begins[of_kind] = np.concatenate([[True], ~same])[: len(of_kind)]
        return begins

    def _signed_amounts(self) -> Floats:
        """Money of each event, of refunds below 0; NaN where an amount is unknown."""
        types, values = self._tokens["type"], self._tokens["value"].astype(np.float64)
        return np.where(types == PURCHASE, values, np.where(types == REFUND, -np.abs(values), 0.0))


def _sums(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
