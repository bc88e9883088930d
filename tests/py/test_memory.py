"""How much memory the threads of a daemon may spread over."""

from __future__ import annotations

import re

import pytest
from hosted import Host, host  # noqa: F401

pytestmark = pytest.mark.daemon

THREADS = 8
# Each thread's first malloc finds it a heap; ctypes has it call without the GIL.
SPREADS = f"""
    import ctypes, threading
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.fopen.restype = ctypes.c_void_p
    libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.fclose.argtypes = [ctypes.c_void_p]
    met = threading.Barrier({THREADS} + 1)
    def work():
        libc.malloc(5000)
        met.wait()
        met.wait()
    for _ in range({THREADS}):
        threading.Thread(target=work).start()
    met.wait()
    file = libc.fopen(b"/dev/stdout", b"w")
    libc.malloc_info(0, file)
    libc.fclose(file)
    met.wait()
"""


@pytest.mark.parametrize(
    "env, heaps",
    [
        ({}, 2),
        ({"MALLOC_ARENA_MAX": "5"}, 5),
        ({"GLIBC_TUNABLES": "glibc.malloc.arena_max=4"}, 4),
    ],
    ids=["default", "variable", "tunable"],
)
def test_threads_share_two_heaps_unless_the_environment_says_otherwise(
    host: Host, monkeypatch, env, heaps  # noqa: F811
):
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    process = host.run(SPREADS, env=env)
    assert len(re.findall("<heap nr=", process.stdout)) == heaps
