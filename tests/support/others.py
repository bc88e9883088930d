"""Commands as another user, wherever the repository lies.

In a folder that is closed to others, as /root is, it is opened to the command
alone, which gets a mount namespace of its own."""

from __future__ import annotations

import os
from pathlib import Path

NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]

# SHUT REPOSITORY COMMAND…: nothing is in SHUT but what leads to the repository.
_OPEN = """
exec 9<"$2" && mount -t tmpfs -o mode=755 none "$1" && mkdir -p "$2" &&
    mount --no-canonicalize --bind /proc/self/fd/9 "$2" && exec 9<&- &&
    shift 2 && exec "$@"
"""


def way_in() -> list[str]:
    """What to put before the command that becomes another user; root's."""
    for folder in reversed(ROOT.parents):
        if not folder.stat().st_mode & 0o001:
            words = ["unshare", "--mount", "sh", "-c", _OPEN, "sh"]
            return [*words, str(folder), str(ROOT)]
    return []


def nobody() -> list[str]:
    """What to put before a command for a user who owns nothing."""
    words = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups"
    return [*way_in(), *words.split()]


def without_rights() -> list[str]:
    """The same, without a capability; nothing if that is so already."""
    if os.geteuid() != 0:
        return []
    return [*nobody(), "--bounding-set", "-all", "--inh-caps", "-all"]
