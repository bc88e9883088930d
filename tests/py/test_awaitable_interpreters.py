"""Subinterpreters: one bridge and one type serve a process, so that the
extension refuses to load there, and says so."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.extension

# load(NAME, KIND): in a new subinterpreter; what its import said.
LOAD = """\
import os, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

INSIDE = '''
import os, sys
sys.path[:] = {path!r}
try:
    import {name}
except ImportError as error:
    said = "refused: " + str(error)
else:
    said = "loaded"
os.write({fd}, said.encode())
'''

def load(name, kind):
    ours, theirs = os.pipe()
    interpreter = interpreters.create(**kind)
    text = INSIDE.format(path=sys.path, name=name, fd=theirs)
    failed = interpreters.run_string(interpreter, text)
    assert not failed, failed
    interpreters.destroy(interpreter)
    os.close(theirs)
    with open(ours) as pipe:
        return pipe.read()

"""

# With a lock of its own, and sharing the main interpreter's.
if sys.version_info >= (3, 13):
    KINDS = [{"config": "isolated"}, {"config": "legacy"}]
else:
    KINDS = [{"isolated": True}, {"isolated": False}]


@pytest.mark.parametrize("kind", KINDS, ids=["isolated", "legacy"])
@pytest.mark.parametrize("name", ["_awaitd", "awaitable_probe"])
def test_h30_h31_subinterpreter_is_refused_clearly(python, name, kind):
    process = python(LOAD + f"print(load({name!r}, {kind!r}))")
    assert process.finish() == 0, process.stderr
    assert process.stdout.startswith("refused:"), process.stdout
    assert "interpreter" in process.stdout


def test_main_interpreter_goes_on_after_a_refusal(python):
    process = python(
        LOAD
        + f"""\
import awaitable_probe as probe
old = probe.new()
load("_awaitd", {KINDS[1]!r})
new = probe.new()
for aw in (old, new):
    try:
        aw.send(None)
    except StopIteration as stop:
        print("ended with", stop.value)
print(type(old) is type(new))
"""
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "ended with None\nended with None\nTrue\n"
