"""What the benchmarks share: where things are, fairness, and tables."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _awaitd

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0

# Shared with the tests.
sys.path.insert(0, str(ROOT / "tests" / "support"))
namespaces: Any = importlib.import_module("namespaces")
free_port: Any = importlib.import_module("ports").free_port


def program(name: str) -> Path:
    path = Path(_awaitd.__file__).parent / "tests" / "bench" / name
    if not path.exists():
        raise SystemExit(f"bench: {path} is missing: ./run build makes it")
    return path


def on_last_processor(*command: object) -> list[str]:
    """What sends is there; what receives runs where it likes."""
    last = max(os.sched_getaffinity(0))
    return ["taskset", "-c", str(last), *map(str, command)]


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Page:
    """The tables, printed; and put into a page, each between its marks:
    `<!-- bench: NAME -->` and `<!-- end -->`."""

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}

    def table(self, name: str, title: str, head: str, rows: list[str]) -> None:
        body = "\n".join(line.rstrip() for line in (head, *rows))
        self.tables[name] = body
        indented = body.replace("\n", "\n  ")
        print(f"\n{title}\n\n  {indented}", flush=True)

    def write(self, path: Path) -> None:
        text = path.read_text()
        for name, body in self.tables.items():
            begin = f"<!-- bench: {name} -->\n"
            before, found, after = text.partition(begin)
            if not found:
                print(f"bench: {path} has no place for the table {name}")
                continue
            _, end, rest = after.partition("<!-- end -->")
            text = f"{before}{begin}```text\n{body}\n```\n{end}{rest}"
        path.write_text(text)
