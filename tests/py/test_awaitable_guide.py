"""docs/coroutines-in-c.md shows what examples/native has, which is built, run
and compared by test_awaitable_example.py: so that the guide cannot rot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.extension

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "native"
GUIDE = (ROOT / "docs" / "coroutines-in-c.md").read_text()
HEADER = ROOT / "pymod" / "include" / "awaitd" / "awaitable.h"

# Where a block in that language must stand, word by word.
SOURCES = {
    "c": [*EXAMPLE.glob("*.c"), *EXAMPLE.glob("*.h")],
    "python": [EXAMPLE / "equivalents.py"],
    "cmake": [EXAMPLE / "CMakeLists.txt"],
}

BLOCKS = [
    pytest.param(
        found[1],
        found[2],
        id=f"line {GUIDE[: found.start()].count(chr(10)) + 1}",
    )
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", GUIDE, re.M | re.S)
]


def test_guide_has_blocks_of_each_kind():
    languages = [block.values[0] for block in BLOCKS]
    assert all(languages.count(language) >= 1 for language in SOURCES)
    assert languages.count("c") > 10 and languages.count("python") > 8


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_block_is_in_the_example(language, text):
    assert language in SOURCES, f"no source for a block in {language!r}"
    assert any(text in path.read_text() for path in SOURCES[language])


def test_guide_shows_every_equivalent():
    """Nap is my_sleep in one line."""
    functions = re.findall(
        r"^async def (\w+)", (EXAMPLE / "equivalents.py").read_text(), re.M
    )
    missing = [it for it in functions if f"async def {it}(" not in GUIDE]
    assert missing == ["nap"]


def test_guide_names_only_what_the_header_has():
    header = HEADER.read_text()
    names = set(re.findall(r"\bPyAwaitable_\w+", GUIDE))
    assert len(names) > 20
    assert [name for name in names if name not in header] == []
