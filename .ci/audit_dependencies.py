"""Known vulnerabilities of the locked dependencies: one that is found fails, a service that is away is told.

An index that has packages and no vulnerability data answers for none of them; pip-audit calls that well.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

LOCK = Path(__file__).parents[1] / "requirements" / "dev.lock"
AUDIT = (
    "-m",
    "pip_audit",
    "--disable-pip",
    "--require-hashes",
    "--progress-spinner",
    "off",
    "--format",
    "json",
)
# What pip-audit says of a service that it cannot reach.
UNREACHABLE = ("Could not connect", "timed out", "HTTPError", "Max retries")
NAMED = 10


def verdict(output: str, errors: str) -> tuple[int, str]:
    """The exit code, and what to tell, from what pip-audit wrote."""
    try:
        found: list[dict[str, Any]] = msgspec.json.decode(output)["dependencies"]
    except (msgspec.DecodeError, KeyError):
        if any(words in errors for words in UNREACHABLE):
            return 0, "NOT AUDITED: the vulnerability service cannot be reached from here."
        return 1, f"pip-audit failed:\n{errors}"
    vulnerable = [
        f"{each['name']} {each['version']}: {flaw['id']}, fixed in {flaw['fix_versions'] or 'no version'}"
        for each in found
        for flaw in each.get("vulns", ())
    ]
    skipped = [each["name"] for each in found if "skip_reason" in each]
    audited = f"{len(found) - len(skipped)} of {len(found)} locked packages were audited"
    if vulnerable:
        return 1, "\n".join([f"{audited}, with known vulnerabilities:", *vulnerable])
    if skipped:
        names = ", ".join(skipped[:NAMED]) + (", …" if len(skipped) > NAMED else "")
        return 0, f"NOT AUDITED: the vulnerability service knows nothing of {names}. {audited}."
    return 0, f"{audited}, none has a known vulnerability."


def main() -> int:
    """Audit the lock file of everything that is installed anywhere."""
    command = [sys.executable, *AUDIT, "--requirement", str(LOCK)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    code, words = verdict(ended.stdout, ended.stderr)
    print(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
