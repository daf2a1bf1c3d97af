"""The alert policy in words: ``docs/policy.md``, with an alert's transitions as the code makes them.

``python -m streamer.policy.document`` writes the document anew after a change of the rules.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import msgspec

from schemas.units import HOUR_MS
from streamer.policy.file import PolicyFile
from streamer.policy.transitions import transitions
from streamer.settings.values import expected

POLICY_DOCUMENT = Path(__file__).parents[2] / "docs" / "policy.md"

EXAMPLE = """\
# Fifty calls a day at most, for those with the most to lose. Every tenth customer is left alone,
# to compare with.
watch = 0.5
high = 0.7
critical = 0.85
daily_budget = 50
cooldown_days = 14
weekly_cap = 1
holdout_share = 0.1
holdout_salt = "spring"
alerts_from = 2026-03-01T00:00:00Z
"""

_HEAD = """\
# The alert policy

The model says how likely a customer is to be lost, and how much money with him. The policy says when that
is worth an alert, and what may go out. It is a TOML file, named by `STREAMER_POLICY`;
whatever it leaves out has its default, and without a file all of it has. A field or a value that does not
fit ends the worker at its start with exit code 2 and a message that names it.

```toml
{example}```

## Fields

| field | value | default | meaning |
|---|---|---|---|
{fields}
## What alerts go by

A bundle that foretells decline says how much money is expected to be lost with each customer: what he
usually spends within the bundle's window, times how likely it is that he comes on fewer than half of his
usual days (or another way that training found to be better; the manifest's `expected_loss` says which).
Alerts go by that money. The bands are amounts then, `hysteresis` is a share of each edge, and the daily
budget goes to the highest amounts.

- **Nobody who is on time is raised.** An alert waits until a customer's own usual gap has passed without
  a visit (`least_overdue = 1`), to the moment. `usual` in the alert says what that gap is.
- **Nothing is usual below four visits.** Such a customer is not raised; the decision `suppressed:
  no_usual` puts that on record once for each silence.
- With `alert_by = "probability"` the bands are probabilities of a decline, whatever the money. A bundle
  without amounts knows nothing else, and one of `--definition absence` alerts by the probability of
  absence, as its horizon says.

## What an alert lives through

An alert is raised once for an episode of risk, follows the risk up and down the bands, and is resolved when
the customer is back, when the risk has fallen, or when the horizon (under decline the window) has passed.
`churn.alerts.v1` has what was sent; `churn.decisions.v1` has every decision, also those that came to
nothing, with the reason.

- A band is left at a lower risk than it is entered, and only when the risk has stayed there for a while, so
  that an alert does not flap.
- A purchase never raises. Without silence only what `crossed` does: an emptied cart, a refund.
- Raises and escalations wait while the worker lags behind the shop (a restart, a replay). Once it has
  caught up, those that still hold go out, and the others are on record as `overtaken`. The end of an alert
  never waits.
- With a daily budget a raise waits for the end of the day, midnight in the bundle's time zone, where the
  highest expected loss wins; where alerts go by the probability it is risk times spending. The budget is
  shared out among the topic's partitions; what does not go into their number goes round, day by day.
- A customer who is held out is followed like all others, but nothing is sent. `streamer uplift` compares.
- Moved to a later time, `alerts_from` holds back what begins. An alert already sent gets its revisions, and
  above all its end.
- After a change of the policy, or of the model, every customer is looked at again within an hour of shop
  time.

## Transitions

Made by asking the code; "risk" stands for whatever alerts go by. Bands begin at 0.4 (watch), 0.6 (high)
and 0.8 (critical), with a hysteresis of 0.05; dwells, cooldown and cap have their defaults; a budget, a
holdout or a start of alerts is there only where it is named. "Asked again" is when the policy looks
again by itself, even if nothing changes.

| alert before | what happens | decision | alert after | asked again |
|---|---|---|---|---|
{transitions}"""


def policy_document() -> str:
    """The whole document, as Markdown."""
    rows = "".join(
        f"| {row.before} | {row.event} | {row.decision} | {row.after} | {_span(row.again_ms)} |\n"
        for row in transitions()
    )
    return _HEAD.format(example=EXAMPLE, fields=_fields(), transitions=rows)


def _fields() -> str:
    types = get_type_hints(PolicyFile, include_extras=True)
    rows = ""
    for field in msgspec.structs.fields(PolicyFile):
        info = msgspec.inspect.type_info(types[field.name])
        description = (getattr(info, "extra_json_schema", None) or {}).get("description", "")
        default = "" if field.default is None else f"`{field.default}`" if field.default != "" else "(empty)"
        rows += f"| `{field.name}` | {expected(types[field.name])} | {default} | {description} |\n"
    return rows


def _span(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    hours = milliseconds / HOUR_MS
    return f"after {hours:g} h" if hours < 48 else f"after {hours / 24:g} days"


if __name__ == "__main__":
    POLICY_DOCUMENT.write_text(policy_document(), encoding="utf-8")
