"""Subinterpreters: the extension works there, or says that it does not."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.extension

PROGRAM = """
    import sys
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters

    INSIDE = '''if True:
        import sys
        sys.path[:] = {path!r}
        try:
            import {module}
        except ImportError as error:
            print("refused:", error, flush=True)
        else:
            print("loaded", flush=True)
    '''.format(path=sys.path, module=sys.argv[1])

    {before}
    interpreter = interpreters.create({isolation})
    failed = interpreters.run_string(interpreter, INSIDE)
    assert not failed, failed
    interpreters.destroy(interpreter)
    {after}
"""


def isolations():
    """Own lock, and the old kind that shares it: (id, argument)."""
    import sys

    if sys.version_info >= (3, 13):
        return ["'isolated'", "'legacy'"]
    return ["isolated=True", "isolated=False"]


@pytest.mark.parametrize("isolation", isolations())
@pytest.mark.parametrize("module", ["_awaitd", "awaitable_probe"])
def test_subinterpreter_is_refused_clearly(python, isolation, module):
    program = PROGRAM.format(isolation=isolation, before="", after="",
                             path="{path}", module="{module}")
    process = python(program, module)
    assert process.finish() == 0, process.stderr
    assert process.stdout.startswith("refused:"), process.stdout
    assert "subinterpreter" in process.stdout


def test_main_interpreter_goes_on_after_a_refusal(python):
    before = "import awaitable_probe as probe; old = probe.new()"
    after = """
    new = probe.new()
    assert type(old) is type(new)
    for aw in (old, new):
        try:
            aw.send(None)
        except StopIteration as stop:
            print("ended with", stop.value)
    """
    process = python(
        PROGRAM.format(isolation=isolations()[1], path="{path}",
                       module="{module}", before=before,
                       after=after.replace("\n    ", "\n    ")),
        "_awaitd",
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout.count("ended with None") == 2
"""
"""
