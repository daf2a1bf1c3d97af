"""Every setting, with its values, its default and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.event import MAX_EVENT_BYTES
from schemas.topics import DEAD_LETTER_BYTES, with_prefix
from schemas.wire.decoding import EventFormat
from streamer.settings.bootstrap import WORDS, plain_bootstrap
from streamer.settings.secret import Secret
from streamer.settings.values import Form

MAX_GAP_DAYS = 36_500
_TOPIC_CHARACTERS = "^[a-zA-Z0-9._-]"
_IN_TOPIC_CHARACTERS = "a text of the characters a-z, A-Z, 0-9, `.`, `_` and `-`"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides how a process of the streamer runs.

    A field of type :class:`Secret` never shows its value: not in ``repr``, not in an error.
    """

    bootstrap: Annotated[
        str,
        Meta(
            description="Kafka brokers to start from.",
            extra={"form": Form(WORDS, plain_bootstrap)},
        ),
    ] = "127.0.0.1:9092"
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Meta(description="How brokers are spoken to: `SSL` is TLS, `SASL` says who we are."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] | None,
        Meta(description="How the password is proven. `PLAIN` sends it, and only over TLS."),
    ] = None
    sasl_username: Annotated[
        Annotated[str, Meta(min_length=1)] | None, Meta(description="Who we are to the brokers.")
    ] = None
    sasl_password: Annotated[
        Secret | None, Meta(description="Our password; never shown. Better kept in a file of its own.")
    ] = None
    sasl_password_file: Annotated[
        Path | None,
        Meta(description="File with nothing but the password; a line end after it does not count."),
    ] = None
    tls_ca_file: Annotated[
        Path | None,
        Meta(
            description="PEM file of the authorities that may vouch for brokers. Without it those that this "
            "machine trusts. That a broker's certificate bears its name is always checked.",
        ),
    ] = None
    tls_cert_file: Annotated[
        Path | None,
        Meta(description="PEM file of our own certificate, for brokers that ask for one; may hold the key."),
    ] = None
    tls_key_file: Annotated[
        Path | None, Meta(description="PEM file of its key, not encrypted; protect it by its permissions.")
    ] = None
    topic_prefix: Annotated[
        str,
        Meta(
            pattern=_TOPIC_CHARACTERS + "*$",
            extra={"form": Form(f"{_IN_TOPIC_CHARACTERS}, or nothing")},
            description="Put before the name of every topic and before `application_id`: deployments of "
            "different prefixes share nothing on a broker.",
        ),
    ] = ""
    partitions: Annotated[
        int, Meta(ge=1, description="Partitions of topics that `streamer topics --apply` creates.")
    ] = 4
    replication_factor: Annotated[
        int, Meta(ge=1, description="Replicas of topics that `streamer topics --apply` creates.")
    ] = 1
    longest_outage_days: Annotated[
        float,
        Meta(
            ge=0,
            description="Days without a worker that no event may be lost to; `streamer topics` warns where a "
            "topic that workers read keeps less.",
        ),
    ] = 3.0
    application_id: Annotated[
        str,
        Meta(
            pattern=_TOPIC_CHARACTERS + "+$",
            extra={"form": Form(_IN_TOPIC_CHARACTERS)},
            description="Behind `topic_prefix`, the consumer group, and the start of transactional ids and "
            "of the changelog's name.",
        ),
    ] = "churn-streamer"
    instance_id: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="Name of this worker in its group, unique among the workers. One that ends is waited "
            "for six seconds and gets its partitions back; without a name others take them at once.",
        ),
    ] = None
    bundle: Annotated[Path | None, Meta(description="Folder of the model bundle to score with.")] = None
    bundle_root: Annotated[
        Path | None,
        Meta(
            description="Folder that bundles are loaded from, links followed. By default the one that "
            "`bundle` is named in; where a command names a bundle, that one's.",
        ),
    ] = None
    policy: Annotated[Path | None, Meta(description="TOML file of the alert policy; see policy.md.")] = None
    data_dir: Annotated[
        Path,
        Meta(
            description="Folder of this worker's local state (RocksDB), and of no other worker at the same "
            "time. It is made for its owner alone."
        ),
    ] = Path("var/state")
    mode: Annotated[
        Literal["live", "event-time"],
        Meta(
            description="`live`: wall time moves a partition's clock once it has caught up. `event-time`: "
            "only events do, as when history is replayed.",
        ),
    ] = "live"
    longest_gap_days: Annotated[
        float,
        Meta(
            gt=0,
            le=MAX_GAP_DAYS,
            description="In `event-time` mode the longest time in which a partition may have had no event. "
            "One that would move the clock further goes to the dead letters (`clock-jump`), since its "
            "sender's clock may be wrong. The same for all workers.",
        ),
    ] = 90.0
    event_format: Annotated[
        EventFormat,
        Meta(description="Whose events the events topic carries: the contract's own, or a platform's."),
    ] = "contract"
    currency: Annotated[
        Annotated[str, Meta(pattern="^[A-Z0-9]{1,16}$", extra={"form": Form("1 to 16 of A-Z and 0-9")})]
        | None,
        Meta(
            description="The currency of this deployment, as in `USD`. An event in another one keeps its "
            "place, its amounts are unknown. Without this setting amounts count whatever their currency.",
        ),
    ] = None
    time_zone: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="The zone whose days and hours count, an IANA name as in `Europe/Berlin`. "
            "`streamer train` writes it into the bundle, UTC without this setting. A worker takes the "
            "bundle's, and does not start where this setting is another one.",
        ),
    ] = None
    repartition: Annotated[
        bool,
        Meta(
            description="Whether records that lie in another partition than their user's are forwarded "
            "there, for shops that do not key by user_id. The same for all workers; `live` mode only."
        ),
    ] = False
    dead_letter_max_bytes: Annotated[
        int,
        Meta(
            ge=MAX_EVENT_BYTES,
            le=DEAD_LETTER_BYTES,
            description="Bytes that a message on churn.dlq.v1 may have: its `max.message.bytes`. What would "
            "be larger is left out of a dead letter, and told by its length and SHA-256. Less than the "
            "default is for brokers that cap it. The same for all workers.",
        ),
    ] = DEAD_LETTER_BYTES
    disorder_s: Annotated[
        float,
        Meta(ge=0, le=86400, description="Seconds that a deadline waits for events that come out of order."),
    ] = 60.0
    standbys: Annotated[
        int,
        Meta(
            ge=0,
            le=3,
            description="How many other workers keep a copy of each partition's state, and go on with it "
            "when its worker is lost, without reading the changelog first. The same for all workers.",
        ),
    ] = 0
    max_batch: Annotated[int, Meta(ge=1, description="Largest number of records in one transaction.")] = 4000
    transaction_timeout_s: Annotated[
        float,
        Meta(
            ge=1,
            le=900,
            description="Seconds after which the broker ends a transaction that a worker has left open. "
            "Until then one that hangs holds back who reads its outputs; one that takes longer ends its "
            "worker. At most the brokers' `transaction.max.timeout.ms`.",
        ),
    ] = 15.0
    cache_users: Annotated[
        int, Meta(ge=1, description="Users of a partition whose decoded state is kept in memory.")
    ] = 4096
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Meta(
            description="Where the transformer runs: `auto` takes a GPU where there is one; `cuda` does not "
            "start without."
        ),
    ] = "auto"
    arena_mb: Annotated[
        int,
        Meta(
            ge=1,
            description="MiB for the keys and values of cached users, in the GPU's memory if the transformer "
            "runs there. By default 32 KiB a user in fp32, 16 in fp16; the least recently seen give way, and "
            "are rebuilt from their tokens when they come back.",
        ),
    ] = 128
    arena_precision: Annotated[
        Literal["fp32", "fp16"],
        Meta(
            description="As what keys and values are kept. `fp16` holds twice the users and reads faster; "
            "hidden vectors then differ by up to 1e-3. All workers of a deployment should agree."
        ),
    ] = "fp32"
    erasure_secret: Annotated[
        Secret | None,
        Meta(
            description="Key of the hashes by which late events of erased users are known, 16 characters at "
            "least, the same for all workers and for ever; see privacy.md. Without it whoever can read the "
            "changelog can try user ids out."
        ),
    ] = None
    erasure_secret_file: Annotated[
        Path | None,
        Meta(description="File with nothing but that key; a line end after it does not count."),
    ] = None
    tick_s: Annotated[
        float, Meta(gt=0, le=60, description="Seconds between looks at the clock while no records come.")
    ] = 1.0
    http_port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="Port of `/live` and `/ready`; without it they are not served."),
    ] = None
    http_host: Annotated[
        str,
        Meta(min_length=1, description="Address to serve them at: this machine alone unless told otherwise."),
    ] = "127.0.0.1"
    stuck_after_s: Annotated[
        float,
        Meta(
            ge=1,
            description="`/live` answers 503 when a worker has had something to do for so many seconds and "
            "has committed nothing.",
        ),
    ] = 120.0
    log_format: Annotated[
        Literal["json", "console"], Meta(description="Log lines for machines or for people.")
    ] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level that is logged.")
    ] = "info"
    log_user_ids: Annotated[
        bool,
        Meta(
            description="Whether logs show user ids as they are, for development. Otherwise as pseudonyms "
            "that change with each start of the process."
        ),
    ] = False

    @property
    def group_id(self) -> str:
        """Consumer group, and what transactional ids and the changelog's name begin with."""
        return with_prefix(self.topic_prefix, self.application_id)
