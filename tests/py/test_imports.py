"""Two scripts that have modules of one name: who gets the other's is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hosted import Host, host, put  # noqa: F401

from awaitd._host import imports
from awaitd._host.check import compile_script
from awaitd._host.slot import Settings

WARNING = "scripts share the modules of one name"


# ---- what is found ----


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """look(source, *paths): (name, own, got) of each import of a script in
    `two`, whose folder comes behind that of `one`, relative to the test's."""
    put(tmp_path / "one/here.py")
    put(tmp_path / "two/here.py")

    def run(source: str, *paths: str) -> list[tuple[str, str, str]]:
        folders = [str(tmp_path / "one"), str(tmp_path / "two")]
        own = [str(tmp_path / path) for path in paths]
        monkeypatch.setattr(sys, "path", [*folders, *own, *sys.path])
        settings = Settings(str(tmp_path / "two/script.py"), folders[1], [], own)
        code = compile_script(source.encode(), settings.path)
        found = imports.foreign(settings, source.encode(), code)
        return [
            (it.name, *(str(Path(file).relative_to(tmp_path))
                        for file in (it.own, it.file)))
            for it in found
        ]  # fmt: skip

    return run


BOTH = [("two/here.py", "one/here.py")]


@pytest.mark.parametrize(
    "source",
    [
        "import here",
        "import os, here as there",
        "from here import x",
        "def late():\n    import here",
        "try:\n    from here import x\nexcept ImportError: pass",
        "await 1\nimport here",
    ],
)
def test_import_of_the_other_ones_module_is_found(look, source):
    assert look(source) == [("here", *BOTH[0])]


@pytest.mark.parametrize(
    "source",
    ["", "here = 1", "import os", "from .here import x", "x.here"],
)
def test_what_imports_nothing_of_it_is_not_found(look, source):
    assert look(source) == []


def test_module_that_only_one_of_them_has_is_not_found(look, tmp_path):
    put(tmp_path / "one/theirs.py")
    put(tmp_path / "two/mine.py")
    assert look("import theirs, mine") == []


def test_first_of_a_name_in_its_own_folders_is_its_own(look, tmp_path):
    put(tmp_path / "lib/here.py")
    assert look("import here", "lib") == [("here", *BOTH[0])]


def test_module_in_paths_is_its_own(look, tmp_path):
    put(tmp_path / "one/tool.py")
    put(tmp_path / "lib/tool.py")
    assert look("import tool", "lib") == [("tool", "lib/tool.py", "one/tool.py")]


def test_package_hides_all_that_is_in_it(look, tmp_path):
    put(tmp_path / "one/pack/__init__.py")
    put(tmp_path / "two/pack/__init__.py")
    put(tmp_path / "two/pack/inner.py")
    found = [("pack", "two/pack/__init__.py", "one/pack/__init__.py")]
    assert look("import pack.inner") == [("pack.inner", *found[0][1:])]
    assert look("from pack import inner") == found


def test_folder_without_an_init_is_shared_and_its_modules_are_not(
    look, tmp_path
):
    put(tmp_path / "one/space/same.py")
    put(tmp_path / "two/space/same.py")
    put(tmp_path / "two/space/other.py")
    assert look("import space.other, space") == []
    assert look("from space import same") == [
        ("space.same", "two/space/same.py", "one/space/same.py")
    ]


def test_module_of_its_own_is_looked_into(look, tmp_path):
    put(tmp_path / "two/helper.py", "import deeper\n")
    put(tmp_path / "two/deeper.py", "import helper, here\n")
    assert look("import helper") == [("here", *BOTH[0])]


def test_module_that_cannot_be_read_is_passed_over(look, tmp_path):
    put(tmp_path / "two/helper.py", "import = here\n")
    assert look("import helper, here") == [("here", *BOTH[0])]


def test_files_that_are_looked_into_are_limited(look, tmp_path):
    for number in range(imports._FILES + 1):
        put(tmp_path / f"two/chain{number}.py",
            f"import chain{number + 1}\n")  # fmt: skip
    put(tmp_path / f"two/chain{imports._FILES + 1}.py", "import here\n")
    assert look("import chain2") == [("here", *BOTH[0])]
    assert look("import chain0") == []


def test_module_that_is_imported_already_counts(look, tmp_path, monkeypatch):
    put(tmp_path / "two/tool.py")
    module = type(sys)("tool")
    module.__file__ = str(put(tmp_path / "elsewhere/tool.py"))
    monkeypatch.setitem(sys.modules, "tool", module)
    assert look("import tool") == [
        ("tool", "two/tool.py", "elsewhere/tool.py")
    ]


def test_name_of_a_builtin_is_as_in_python3(look, tmp_path):
    put(tmp_path / "two/time.py")
    assert look("import time") == []


def test_script_of_the_name_that_it_imports_is_not_its_module(look, tmp_path):
    put(tmp_path / "two/script.py")
    put(tmp_path / "one/script.py")
    assert look("import script") == []


def test_link_to_one_file_is_one_module(look, tmp_path):
    (tmp_path / "two/linked.py").symlink_to(put(tmp_path / "one/linked.py"))
    assert look("import linked") == []


# ---- what is told ----

SCRIPT = """
    import asyncio, helper
    print(helper.WHO, flush=True)
    await asyncio.Event().wait()
"""


def start(host: Host, text: str) -> Any:  # noqa: F811
    for name in ("one", "two"):
        put(host.folder / name / "lib/helper.py", f"WHO = {name!r}\n")
        host.write(f"{name}/{name}.py", SCRIPT)
    file = host.write("awaitd.yaml", text)
    return host._run_daemon("run", "-c", file, "-d", "bus=virtual:can")


BOTH_SCRIPTS = """
    reload_settle_s: 0.1
    scripts:
      - {path: one/one.py, paths: [one/lib]}
      - {path: two/two.py, paths: [two/lib]}
"""


@pytest.mark.daemon
def test_script_that_gets_the_other_ones_module_is_warned_with_both_files(
    host: Host,  # noqa: F811
) -> None:
    process = start(host, BOTH_SCRIPTS)
    lines = [process.line(": one") for _ in range(2)]
    assert sorted(lines) == ["one: one", "two: one"]
    line = process.line(WARNING, stream="stderr")
    folder = host.folder
    assert (
        f"two: awaitd: warning: script two: import helper gets "
        f"{folder}/one/lib/helper.py of script one, and not its own "
        f"{folder}/two/lib/helper.py: {WARNING}"
    ) == line
    process.signal(15)
    assert process.finish() == 0
    assert process.stderr.count(WARNING) == 1


@pytest.mark.daemon
def test_new_version_is_not_warned_again_but_of_another_file(
    host: Host,  # noqa: F811
) -> None:
    process = start(host, BOTH_SCRIPTS)
    process.line("two: one")
    for name in ("one", "two"):
        put(host.folder / name / "lib/second.py", f"WHO = {name!r}\n")
    host.write("two/two.py", SCRIPT.replace("asyncio,", "asyncio, second,"))
    process.signal(1)
    process.line("two: one")
    process.line("two is reloaded", stream="stderr")
    process.signal(15)
    assert process.finish() == 0
    assert process.stderr.count(WARNING) == 2
    assert "import second gets" in process.stderr


RUDE = """
    import asyncio, sys, types
    class Late(types.ModuleType):
        def __getattr__(self, name): raise ImportError("not yet")
    sys.modules["late"] = Late("late")
    del sys.modules["late"].__spec__
    sys.path[:0] = [b"/bytes", None]
    print("rude", flush=True)
    await asyncio.Event().wait()
"""


@pytest.mark.daemon
def test_what_another_script_has_done_to_sys_keeps_nobody_from_starting(
    host: Host,  # noqa: F811
) -> None:
    put(host.folder / "two/lib/helper.py", "WHO = 'two'\n")
    host.write("one/one.py", RUDE)
    host.write("two/two.py", SCRIPT)
    file = host.write("awaitd.yaml", BOTH_SCRIPTS)
    process = host._run_daemon("run", "-c", file, "-d", "bus=virtual:can")
    began = {process.line(": ") for _ in range(2)}  # in whatever order
    assert began == {"one: rude", "two: two"}
    host.write("two/two.py", SCRIPT + "    # again\n")
    process.signal(1)
    process.line("two: two")
    process.line("two is reloaded", stream="stderr")
    process.signal(15)
    assert process.finish() == 0
