"""An extension finds the API when it is imported, or says why it does not."""

from __future__ import annotations

import pytest

# A module _awaitd with another capsule, of version 0.
PLANTED = """\
import ctypes, sys, types

new = ctypes.pythonapi.PyCapsule_New
new.restype = ctypes.py_object
new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

table = (ctypes.c_int * 200)()  # its first member is the version
planted = types.ModuleType("_awaitd")
planted.awaitable = new(ctypes.addressof(table), {name!r}, None)
sys.modules["_awaitd"] = planted
"""
IMPORT = """\
try:
    import awaitable_probe
except ImportError as error:
    print(error)
except AttributeError as error:
    print(error)
"""


@pytest.mark.extension
def test_older_implementation_is_refused_naming_both_versions(python):
    process = python(PLANTED.format(name=b"_awaitd.awaitable") + IMPORT)
    assert process.finish() == 0, process.stderr
    assert "needs version 1 of _awaitd.awaitable, which has 0" in process.stdout


@pytest.mark.extension
def test_foreign_capsule_is_refused(python):
    process = python(PLANTED.format(name=b"another") + IMPORT)
    assert process.finish() == 0, process.stderr
    assert "_awaitd.awaitable" in process.stdout


@pytest.mark.extension
def test_missing_implementation_is_named(python):
    process = python("import sys; sys.modules['_awaitd'] = None\n" + IMPORT)
    assert process.finish() == 0, process.stderr
    assert "_awaitd" in process.stdout


@pytest.mark.extension
def test_extension_may_be_imported_before_awaitd(python):
    process = python(
        """
        import awaitable_probe as probe
        import sys
        assert "awaitd" not in sys.modules
        import awaitd
        aw = probe.new()
        try:
            aw.send(None)
        except StopIteration:
            print("awaited")
        """
    )
    assert process.finish() == 0, process.stderr
    assert process.stdout == "awaited\n"


@pytest.mark.daemon
def test_extension_in_the_daemon_uses_the_built_in(run_daemon, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import awaitable_probe as probe, _awaitd\n"
        "aw = probe.new()\n"
        "probe.set_result(aw, 42)\n"
        "print(await aw, _awaitd.__spec__.origin)\n"
    )
    process = run_daemon("run", "-q", "-d", "bus=virtual:can", script)
    assert process.finish() == 0, process.stderr
    assert process.stdout == "42 built-in\n"
