"""What an interpreter inside a daemon may do to it: the rows, by number, and
where the tests of each one are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """``letters``: T holds with scripts as threads; P only with a process for
    each script: here it is at best reported. Either way there must be a test:
    of P, that it is reported as well as can be."""

    letters: str
    case: str


ROWS = {
    1: Row("T", "a reader posts to a closed loop"),
    2: Row("T", "a foreign thread asks for the GIL while Python finalises"),
    3: Row("T", "a foreign thread asks for the GIL after that"),
    4: Row("T", "a get() is cancelled as its frame arrives"),
    5: Row("T", "a storm of timeouts"),
    6: Row("T", "wait_for() swallows a cancel"),
    7: Row("T", "the first of two waiters is cancelled after the wake"),
    8: Row("T", "a sibling fails while a finished task holds the frame"),
    9: Row("T", "a queue is closed, or its script reloaded, under a get()"),
    10: Row("TP", "a script ignores cancellation for ever"),
    11: Row("T", "while True: pass"),
    12: Row("TP", "the same, and it swallows every exception"),
    13: Row("P", "time.sleep() and locks, which nothing interrupts"),
    14: Row("T", "C code that keeps the GIL"),
    15: Row("T", "the stack of a stuck script"),
    16: Row("T", "sys.exit() in a coroutine, in a task"),
    17: Row("P", "os._exit(), os.abort(), os.kill()"),
    18: Row("P", "a crash in a C extension"),
    19: Row("T", "os.fork()"),
    20: Row("T", "return codes of children"),
    21: Row("T", "signal.signal(), add_signal_handler()"),
    22: Row("T", "SIGPIPE"),
    23: Row("T", "an empty locale"),
    24: Row("T", "a flood of prints into a full pipe"),
    25: Row("T", "errors that nobody catches"),
    26: Row("T", "asyncio.run() twice, nested; a queue and two loops"),
    27: Row("T", "uvloop"),
    28: Row("T", "a thread that never ends"),
    29: Row("T", "an executor that is stuck at the stop"),
    30: Row("T", "subinterpreters and daemon threads: not used"),
    31: Row("T", "subinterpreters with a GIL of their own: not offered"),
    32: Row("T", "Python is finalised with tasks pending"),
    33: Row("T", "Python is finalised from an atexit handler: never"),
    34: Row("T", "a storm of reloads"),
    35: Row("T", "a reload that fails"),
    36: Row("T", "a reload where a helper module changed"),
    37: Row("T", "a script is edited while it is loaded"),
    38: Row("TP", "recursion without a limit"),
    39: Row("P", "memory, descriptors and threads without a limit"),
    40: Row("T", "the wall clock jumps"),
    41: Row("T", "malloc() fails"),
    42: Row("T", "an interface goes down, comes up, is deleted"),
    43: Row("T", "a busy thread beside a full bus"),
    44: Row("T", "a lock of ours that is held while the GIL is asked for"),
    45: Row("T", "Python without a GIL"),
    46: Row("T", "a get() that is kept after its loop has closed"),
    47: Row("TP", "two scripts import different modules of one name"),
    48: Row("T", "sys.executable"),
    49: Row("T", "pickle, dataclasses and type hints of own classes"),
    50: Row("T", "the signal mask of a child"),
}

# What a test of these can show here, and what it cannot, which is skipped aloud.
UNTESTED = {
    10: "a script that is abandoned takes the daemon with it",
    12: "one that swallows every exception takes the daemon with it",
    13: "what nothing interrupts takes the daemon with it",
    17: "os._exit() and signals end all scripts",
    18: "a crash ends all scripts",
    38: "without RLIMIT_AS the kernel ends all scripts",
    39: "a limit is all scripts', and a fork bomb is the cgroup's matter",
    45: "the extension on a free-threaded build: none is packaged",
    47: "two scripts with different modules of one name share the first",
}

_TEST = re.compile(r"^\s*(?:async )?def test((?:_h\d\d)+)_|"
                   r"^static void test((?:_h\d\d)+)_", re.M)


def tested(folder: Path) -> set[int]:
    """The rows that have a test, test_hNN_..., below the folder."""
    found = set()
    for pattern in ("py/test_*.py", "guest/test_*.py", "unit/test_*.c"):
        for path in folder.glob(pattern):
            for names in _TEST.findall(path.read_text()):
                found |= {int(it) for it in re.findall(r"\d\d", "".join(names))}
    return found


def untested(folder: Path) -> list[str]:
    """The rows that have no test, as sentences."""
    rows = tested(folder)
    return [
        f"H{number:02}: {row.case}"
        for number, row in ROWS.items()
        if number not in rows
    ]
