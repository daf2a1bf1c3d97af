"""A request to forget a user."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from schemas.event import Identifier
from schemas.parts import Timestamp
from schemas.timestamps import parse_timestamp


class ErasureRequest(Struct, frozen=True, kw_only=True):
    """Forget ``user_id``: state, scores and open alerts, and every event up to ``requested_at``."""

    user_id: Identifier
    requested_at: Timestamp
    request_id: Annotated[str, Meta(min_length=1, description="the sender's own, for its records")]

    @property
    def requested_ms(self) -> int:
        """``requested_at`` as epoch milliseconds; raises ``ValueError`` where it is not a time."""
        return parse_timestamp(self.requested_at)
