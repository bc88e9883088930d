"""What to do about an extension that this Python cannot import."""

from __future__ import annotations

import pathlib
import re
import sys


def _built_for(folder: pathlib.Path) -> list[str]:
    """The versions of Python that the extensions in a folder are for."""
    found = [
        re.match(r"_awaitd\.cpython-(\d)(\d+)", path.name)
        for path in folder.glob("_awaitd.*.so")
    ]
    return sorted(f"{match[1]}.{match[2]}" for match in found if match)


def advice() -> str:
    """Which Pythons would do, and how to build for this one."""
    version = "%d.%d" % sys.version_info[:2]
    folder = pathlib.Path(__file__).absolute().parent.parent
    there = ", ".join(_built_for(folder))
    return (
        f"awaitd's extension is not built for this Python, {version}: "
        f"{folder} has it for {there or 'none'}. `./run extension "
        f"{sys.executable or 'PYTHON'}` builds it into build-py{version}"
    )
