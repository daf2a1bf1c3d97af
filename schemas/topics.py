"""The topics by name, key and policy. All of them exist with their partitions before a worker starts."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from schemas.event import MAX_EVENT_BYTES


class Topic(NamedTuple):
    """One topic of the contract; ``name`` is without the configured prefix."""

    name: str
    key: str
    cleanup_policy: Literal["delete", "compact"]
    max_message_bytes: int = MAX_EVENT_BYTES


# Room above the largest event, so that a larger one reaches the worker and is dead-lettered with its bytes
# whole. The limits count compressed bytes, and a shop may compress harder than the worker does: the dead
# letters' limit is far higher.
_EVENT_MESSAGE_BYTES: Final = 4 * MAX_EVENT_BYTES
DEAD_LETTER_BYTES: Final = 64 * MAX_EVENT_BYTES

EVENTS: Final = "commerce.events.v1"
ALERTS: Final = "churn.alerts.v1"
SCORES: Final = "churn.scores.v1"
DECISIONS: Final = "churn.decisions.v1"
DEAD_LETTERS: Final = "churn.dlq.v1"
ERASURES: Final = "privacy.erasure.v1"

TOPICS: Final[tuple[Topic, ...]] = (
    Topic(EVENTS, "user_id", "delete", _EVENT_MESSAGE_BYTES),
    Topic(ALERTS, "user_id", "delete"),
    Topic(SCORES, "user_id", "compact"),
    Topic(DECISIONS, "user_id", "delete"),
    Topic(DEAD_LETTERS, "as it came", "delete", DEAD_LETTER_BYTES),
    Topic(ERASURES, "user_id", "delete"),
)

REPARTITION: Final = Topic("churn.repartition.v1", "user_id", "delete", _EVENT_MESSAGE_BYTES)
"""Between the workers, where a shop does not key by user: records on their way to their user's partition."""


MODELS: Final = Topic("churn.models.v1", "application_id", "compact")
"""What the operator has decided of models; one partition, read by every worker."""


MOVE_EVENTS: Final = (
    "Take the events over into a topic that has as many partitions from its beginning: `streamer export "
    f"{EVENTS} --out events.parquet`; then, with another STREAMER_TOPIC_PREFIX, `streamer topics "
    "--apply` and `streamer replay events.parquet`, which keys them by user anew; and start the workers "
    "with this setting."
)
"""What to do where a topic of keyed records has another number of partitions than it should."""


def with_prefix(prefix: str, name: str) -> str:
    """What a deployment's ``name`` is called on the broker: the prefix, nothing between, the name.

    Of topics and of the application id alike, from which group, transactional ids and changelog are named.
    """
    return prefix + name


def given_topic(prefix: str, name: str) -> str:
    """The topic on the broker that somebody means who may have left the prefix out.

    It always has the prefix: without it, the name is that of another deployment's topic. A name of the
    contract has none yet, even where it happens to begin like one.
    """
    contract = {topic.name for topic in (*TOPICS, REPARTITION, MODELS)}
    return name if name.startswith(prefix) and name not in contract else with_prefix(prefix, name)
