"""What a script leaves to its next run: its file, and what is left out of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hosted import Host, host  # noqa: F401
from process import Process
from reloading import under  # noqa: F401

from awaitd._state import State

BROKEN = ("", "{", '{"a": 1', "[]", '[["a", 1]]', "null", '{"a": \udcff}',
          "[" * 100_000, "1" * 5000)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "under.json"


def write(path: Path, text: str) -> None:
    path.write_bytes(text.encode(errors="surrogateescape"))


def kept(path: Path) -> dict[str, str]:
    """The names and texts of what lies beside it."""
    return {
        it.name: it.read_bytes().decode(errors="surrogateescape")
        for it in path.parent.iterdir()
        if it != path
    }


# ---- a file that cannot be used ----


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_broken_file_is_set_aside_and_named(path, capsys, text):
    write(path, text)
    state = State(str(path))
    assert state == {}
    assert kept(path) == {"under.json.broken": text}
    said = capsys.readouterr().err
    assert f"cannot use the state in {path}: " in said
    assert f"the file is kept as {path}.broken" in said


def test_state_is_saved_where_the_broken_file_was(path):
    write(path, "{")
    state = State(str(path))
    state["runs"] = 1
    state.save()
    assert json.loads(path.read_text()) == {"runs": 1}
    assert kept(path) == {"under.json.broken": "{"}


def test_earlier_broken_files_are_kept_up_to_a_number(path):
    for number in range(8):
        write(path, f"broken {number}")
        State(str(path))
    assert kept(path) == {
        "under.json.broken": "broken 7",
        "under.json.broken.2": "broken 6",
        "under.json.broken.3": "broken 5",
        "under.json.broken.4": "broken 4",
        "under.json.broken.5": "broken 3",
    }


def test_broken_file_that_cannot_be_moved_is_not_written_over(
    path, capsys, monkeypatch
):
    write(path, "{")
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", refuse)
        state = State(str(path))
        state["runs"] = 1
        with pytest.raises(PermissionError):
            state.save()
    assert path.read_text() == "{"
    assert "cannot be set aside, so nothing is saved" in capsys.readouterr().err
    state.save()
    assert kept(path) == {"under.json.broken": "{"}
    assert json.loads(path.read_text()) == {"runs": 1}


def test_kept_files_stay_where_the_broken_one_cannot_be_moved(
    path, monkeypatch
):
    for number in range(5):
        write(path, f"broken {number}")
        State(str(path))
    before = kept(path)
    write(path, "{")
    replace = os.replace

    def refuse_the_first(source: str, target: str) -> None:
        refuse() if source == str(path) else replace(source, target)

    monkeypatch.setattr("os.replace", refuse_the_first)
    state = State(str(path))
    for number in range(3):
        state["runs"] = number
        with pytest.raises(PermissionError):
            state.save()
    assert kept(path) == before


def test_broken_file_that_somebody_took_away_no_longer_keeps_from_saving(
    path, monkeypatch
):
    write(path, "{")
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", refuse)
        state = State(str(path))
    path.unlink()
    state["runs"] = 1
    state.save()
    assert json.loads(path.read_text()) == {"runs": 1}


def refuse(*_: Any) -> None:
    raise PermissionError(13, "Permission denied")


# ---- a file from a reload on ----


def test_file_that_a_reload_names_is_read_into_an_empty_state(path):
    write(path, '{"runs": 41}')
    state = State()
    state.keep_in(str(path))
    assert state == {"runs": 41}
    state["runs"] += 1
    state.save()
    assert json.loads(path.read_text()) == {"runs": 42}
    assert kept(path) == {}


@pytest.mark.parametrize("text", ['{"runs": 41}', "{"])
def test_file_that_a_reload_names_is_set_aside_for_a_state(path, capsys, text):
    write(path, text)
    state = State()
    state["runs"] = 1
    state.keep_in(str(path))
    assert kept(path) == {"under.json.broken": text}
    assert f"the file is kept as {path}.broken" in capsys.readouterr().err
    state.save()
    assert json.loads(path.read_text()) == {"runs": 1}


def test_good_file_is_read_and_nothing_is_set_aside(path, capsys):
    write(path, '{"a": [1, {"b": null}]}')
    assert State(str(path)) == {"a": [1, {"b": None}]}
    assert kept(path) == {}
    assert capsys.readouterr().err == ""


@pytest.mark.daemon
def test_script_finds_its_broken_file_named_in_the_log(host: Host):  # noqa: F811
    folder = host.folder / "state"
    folder.mkdir()
    write(folder / "script.json", '{"runs": 4')
    file = host.write("a.yaml", "scripts:\n  - {path: script.py, state: persist}")
    host.write("script.py", "import awaitd\nawaitd.script.state['runs'] = 1\n")
    process = host._run_daemon(
        "run", "-c", file, env={"STATE_DIRECTORY": str(folder)}
    )
    assert process.finish() == 0
    assert f"kept as {folder}/script.json.broken" in process.stderr
    assert json.loads((folder / "script.json").read_text()) == {"runs": 1}
    assert (folder / "script.json.broken").read_text() == '{"runs": 4'


# ---- what is put into a list or dict of it ----


def cyclic() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels - 1):
        found = [found]
    return found


@pytest.mark.parametrize(
    "value, said",
    [
        ({1}, "['a'][1]['x']: a set cannot be saved"),
        (object(), "['a'][1]['x']: an object cannot be saved"),
        ({2: 0}, "['a'][1]['x']: the key 2 is not a str"),
        (cyclic(), "['a'][1]['x'][0]: a list that contains itself"),
        (1 << 20_000, "['a'][1]['x']: a number of 20001 bits"),
        (deep(100), "nested deeper than 100 cannot be saved"),
    ],
    ids=["set", "object", "key", "cycle", "digits", "depth"],
)
def test_save_names_what_is_not_plain_and_writes_the_rest(path, value, said):
    state = State(str(path))
    state.update(a=[1, {"good": 2}, 3], b="whole")
    state["a"][1]["x"] = value
    with pytest.raises(TypeError) as info:
        state.save()
    assert said in str(info.value)
    assert "awaitd.script.state['a'][1]['x']" in str(info.value)
    saved = json.loads(path.read_text())
    saved["a"][1].pop("x", None)
    assert saved == {"a": [1, {"good": 2}, 3], "b": "whole"}


def test_place_in_a_list_is_kept_by_none(path):
    state = State(str(path))
    state["a"] = [1, 2, 3]
    state["a"][1] = object()
    with pytest.raises(TypeError):
        state.save()
    assert json.loads(path.read_text()) == {"a": [1, None, 3]}
    assert type(state["a"][1]) is object  # it is the script's


def test_what_is_nested_as_deep_as_may_be_is_read_again(path):
    state = State(str(path))
    state["a"] = deep(100)
    state.save()
    assert State(str(path)) == state


def test_save_without_a_file_names_it_too():
    state = State()
    state["a"] = []
    state["a"].append(object())
    with pytest.raises(TypeError, match=r"\['a'\]\[0\]: an object"):
        state.save()


def test_many_flaws_are_told_in_part():
    state = State()
    state["a"] = []
    state["a"].extend([object()] * 7)
    with pytest.raises(TypeError, match=r"\['a'\]\[4\]: .*; and 2 more;"):
        state.save()


def test_objects_without_a_flaw_stay_what_they_are():
    state = State()
    state.update(good=[1], bad=[2])
    good = state["good"]
    state["bad"].append(object())
    assert len(state.leave_out_flaws()) == 1
    assert state == {"good": [1], "bad": [2, None]}
    assert state["good"] is good


CHANGES_IN_PLACE = """
    import asyncio, awaitd
    state = awaitd.script.state
    print("found", dict(state), flush=True)
    class Mine: pass
    state.setdefault("list", [1, {"x": 0}])
    state["list"][1]["x"] = Mine()
    await asyncio.Event().wait()
"""


def told(process: Process) -> str:
    return process.line("a Mine cannot be saved", stream="stderr")


@pytest.mark.daemon
def test_next_version_finds_the_rest_and_the_log_names_the_place(under):
    process = under.start(CHANGES_IN_PLACE)
    process.line("found {}")
    # At the first wait already.
    assert "script under: awaitd.script.state['list'][1]['x']: " in told(process)
    under.reload(CHANGES_IN_PLACE + "    # changed")
    assert process.line("found") == "found {'list': [1, {}]}"
    told(process)
    under.stop()


BAD_KEY = """
    import awaitd
    class Key:
        def __hash__(self): return 0
        def __repr__(self): 1 / 0
    awaitd.script.state["good"] = 1
    awaitd.script.state["dict"] = {}
    awaitd.script.state["dict"][Key()] = 1
    print("done")
"""


@pytest.mark.daemon
def test_key_whose_repr_fails_costs_itself_alone(host: Host):  # noqa: F811
    file = host.write(
        "awaitd.yaml", "scripts: [{path: under.py, state: persist}]\n"
    )
    host.write("under.py", BAD_KEY)
    process = host._run_daemon(
        "run", "-c", file, env={"STATE_DIRECTORY": str(host.folder)}
    )
    assert process.finish() == 0, process.stderr
    assert "state['dict']: the key <" in process.stderr
    saved = json.loads((host.folder / "under.json").read_text())
    assert saved == {"good": 1, "dict": {}}


@pytest.mark.daemon
def test_version_that_is_not_admitted_leaves_the_state_alone(under):
    text = """
        import asyncio, awaitd
        state = awaitd.script.state
        state["list"] = []
        print("ready", flush=True)
        await asyncio.sleep(0)
        state["list"].append(object())
        print("put", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("still", type(state["list"][0]).__name__, flush=True)
    """
    under.start(text)
    under.process.line("put")
    under.reload("1 / 0\n")
    under.log("reload failed")
    under.stop()
    assert under.process.stdout.splitlines()[-1] == "still object"
