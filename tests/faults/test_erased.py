"""Who was erased is judged apart, and can be found not to be gone."""

from __future__ import annotations

from collections import Counter

import msgspec

from schemas.alert import Alert
from schemas.topics import ALERTS
from tests.faults.checker import Observed, check
from tests.faults.erased import check_erased, expected_without, observed_without
from tests.faults.reading import Row
from tests.faults.test_checker import observed_of, reference


def one_with_alerts() -> bytes:
    """A user whose last alert, of several, is not resolved."""
    effects = reference().kept[ALERTS]
    count = Counter(effect.key for effect in effects)
    newest = {effect.key: msgspec.json.decode(effect.value or b"", type=Alert) for effect in effects}
    return next(
        user
        for user, alert in newest.items()
        if user and alert.data.status == "open" and alert.data.revision > 1 and count[user] > 2
    )


def forgotten() -> tuple[bytes, Observed]:
    """A world in which one user was erased as it should be."""
    user, observed = one_with_alerts(), observed_of(reference())
    del observed.table[user], observed.scores[user]
    last = [row for row in observed.kept[ALERTS] if row.key == user][-1]
    alert = msgspec.json.decode(last.value or b"", type=Alert)
    data = msgspec.structs.replace(alert.data, status="resolved", reason="erased", revision=99)
    end = msgspec.json.encode(msgspec.structs.replace(alert, id="end", data=data))
    observed.kept[ALERTS].append(last._replace(offset=10**6, value=end))
    return user, observed


def found(user: bytes, observed: Observed) -> set[str]:
    return {finding.kind for finding in check_erased(0, {user}, observed, reference())}


def test_who_is_gone_is_gone_and_all_others_are_judged_as_ever() -> None:
    user, observed = forgotten()
    assert found(user, observed) == set()
    others = observed_without(observed, {user}), expected_without(reference(), {user})
    assert check({0: others[0]}, {0: others[1]}) == []
    assert check({0: observed}, {0: reference()}) != []


def test_what_is_left_of_the_erased_is_named() -> None:
    user, observed = forgotten()
    observed.table[user] = reference().table[user]
    assert found(user, observed) == {"different"}
    user, observed = forgotten()
    observed.scores[user] = reference().scores[user]
    assert found(user, observed) == {"different"}


def test_alerts_of_the_erased() -> None:
    user, observed = forgotten()
    unresolved = observed.kept[ALERTS].pop()
    assert found(user, observed) == {"missing_alert"}
    mine = next(row for row in observed.kept[ALERTS] if row.key == user)
    observed.kept[ALERTS] += [unresolved, Row(10**6 + 2, 0, user, mine.value)]
    assert "false_alert" in found(user, observed)
    user, observed = forgotten()
    first = next(n for n, row in enumerate(observed.kept[ALERTS]) if row.key == user)
    del observed.kept[ALERTS][first]
    assert found(user, observed) == {"different"}
