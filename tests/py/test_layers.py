"""The layers hold: what includes what, what calls what, and on which thread."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import layers
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AWAITD_BUILD", ROOT / "build")).resolve()
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", '-DAW_VERSION="0"', "-I", str(ROOT)]

# ---- includes ----


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The C files of the project, to be spoiled."""
    for path in layers.sources(ROOT):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def plant(root: Path, path: str, line: str) -> None:
    """Puts a line at the head of a file, made if need be."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{line}\n{file.read_text() if file.exists() else ''}")


def test_includes_of_the_project_follow_the_table() -> None:
    assert layers.check_includes(ROOT) == []


def test_includes_are_looked_at_in_every_layer() -> None:
    folders = {source.folder for source in layers.sources(ROOT).values()}
    assert folders == set(layers.MAY_INCLUDE)


@pytest.mark.parametrize(
    ("path", "line", "finding"),
    [
        ("devices/queue/ring.c", '#include "devices/device.h"', "may not"),
        ("devices/queue/ring.h", "#include <sys/socket.h>", "the leaf"),
        ("devices/queue/ring.c", "#include <linux/can.h>", "the leaf"),
        ("devices/queue/ring.c", "#include <sys/mman.h>", "belongs to"),
        ("devices/queue/waker.c", "#include <sys/eventfd.h>", "belongs to"),
        ("devices/queue/waker.c", "#include <poll.h>", "belongs to"),
        ("devices/virtual.c", "#include <sys/eventfd.h>", "belongs to"),
        ("devices/candump.c", "#include <zlib.h>", "belongs to"),
        ("devices/device.c", "#include <dlfcn.h>", "belongs to"),
        ("devices/reader.c", '#include "config/config.h"', "may not"),
        ("devices/reader.c", '# include  "pymod/host.h"', "may not"),
        ("devices/reader.c", '#include "daemon/report.h"', "may not"),
        ("devices/reader.c", "#include <Python.h>", "<Python.h>"),
        ("config/config.h", '#include "pymod/host.h"', "may not"),
        ("config/config.c", "#include <jansson.h>", "belongs to"),
        ("pymod/queue.c", '#include "config/config.h"', "may not"),
        ("pymod/open.c", '#include "config/document.h"', "may not"),
        ("pymod/queue.c", '#include "daemon/report.h"', "may not"),
        ("pymod/queue.c", "#include <yaml.h>", "belongs to"),
        ("pymod/host_main.c", "#include <Python.h>", "<Python.h>"),
        ("pymod/host_state.h", '#include "pymod/bridge.h"', "<Python.h>"),
        ("pymod/bridge_signal.h", "#include <structmember.h>", "structmember"),
        ("pymod/coroutine/completion.h", "#include <Python.h>", "<Python.h>"),
        (
            "pymod/coroutine/inbox.h",
            '#include "pymod/waiter.h"',
            "by way of pymod/module.h",
        ),
        ("daemon/main.c", '#include "pymod/bridge.h"', "may not"),
        ("daemon/main.c", "#include <cyaml/cyaml.h>", "belongs to"),
        ("daemon/main.c", "#include <Python.h>", "<Python.h>"),
        ("daemon/main.c", '#include "report.h"', "there is no"),
        ("daemon/main.c", "#include HEADER", "HEADER"),
        ("plugins/new.c", "#include <stdio.h>", "in no layer"),
    ],
)
def test_includes_planted_are_found(
    copy: Path, path: str, line: str, finding: str
) -> None:
    plant(copy, path, line)
    findings = layers.check_includes(copy)
    assert any(path in it and finding in it for it in findings), findings


# ---- symbols ----


@pytest.fixture(scope="module")
def objects() -> list[layers.Object]:
    found = layers.objects(BUILD)
    names = {it.name for it in found}
    wanted = {
        f"{path}.o"
        for path in layers.sources(ROOT)
        if path.endswith(".c")
    }
    missing = wanted - names
    assert not missing, f"not in {BUILD} (./run build makes them): {missing}"
    return [it for it in found if it.name in wanted]


def test_symbols_of_readers_and_main_never_reach_python(
    objects: list[layers.Object],
) -> None:
    assert layers.check_symbols(objects) == []


def test_symbols_of_python_are_seen_where_they_are(
    objects: list[layers.Object],
) -> None:
    with_python = {
        it.name for it in objects if any(map(layers.is_pythons, it.wanted))
    }
    assert {"pymod/queue.c.o", "pymod/host.c.o"} <= with_python
    assert all(name.startswith("pymod/") for name in with_python)


def compile_object(folder: Path, name: str, text: str) -> layers.Object:
    """An object that passes for the one of the source `name`."""
    source = folder / "planted.c"
    source.write_text(text)
    path = source.with_suffix(".o")
    subprocess.run(["gcc", "-O1", "-c", source, "-o", path], check=True)
    return layers.Object(f"{name}.o", path)


@pytest.mark.parametrize(
    ("name", "text", "finding"),
    [
        (
            "devices/planted.c",
            "int PyGILState_Ensure(void);"
            "int aw_planted(void) { return PyGILState_Ensure(); }",
            "uses PyGILState_Ensure",
        ),
        (
            "daemon/planted.c",
            "extern char _Py_NoneStruct;"
            "char *aw_planted(void) { return &_Py_NoneStruct; }",
            "uses _Py_NoneStruct",
        ),
        (
            "devices/planted.c",
            "void aw_bridge_stop(void *);"
            "void aw_planted(void) { aw_bridge_stop(0); }",
            "uses aw_bridge_stop of pymod/bridge_signal.c.o",
        ),
        (
            "devices/queue/planted.c",
            "void aw_device_close(void *);"
            "void aw_planted(void) { aw_device_close(0); }",
            "uses aw_device_close of devices/device.c.o",
        ),
        (
            "daemon/planted.c",
            "int aw_host_dump_signal(void);"
            "int aw_planted(void) { return aw_host_dump_signal(); }",
            "uses aw_host_dump_signal of pymod/host.c.o",
        ),
        (
            "pymod/coroutine/completion.c",
            "int PyGILState_Ensure(void);"
            "int aw_planted(void) { return PyGILState_Ensure(); }",
            "pymod/coroutine/completion.c.o uses PyGILState_Ensure",
        ),
        (
            "pymod/coroutine/inbox.c",
            "void *aw_waiter_new(void *, void *);"
            "void *aw_planted(void) { return aw_waiter_new(0, 0); }",
            "reaches Python: aw_waiter_new -> ",
        ),
        # By way of a function that is itself in an object with Python.
        (
            "pymod/bridge_signal.c",
            "void *aw_bridge_get(void *);"
            "void *aw_planted(void) { return aw_bridge_get(0); }",
            "reaches Python: aw_bridge_get -> ",
        ),
    ],
)
def test_symbols_planted_are_found(
    objects: list[layers.Object],
    tmp_path: Path,
    name: str,
    text: str,
    finding: str,
) -> None:
    planted = compile_object(tmp_path, name, text)
    findings = layers.check_symbols([*objects, planted])
    assert any(finding in it for it in findings), findings


def test_symbols_of_static_functions_are_followed(tmp_path: Path) -> None:
    home = compile_object(
        tmp_path,
        "pymod/home.c",
        "int PyGILState_Ensure(void);"
        "__attribute__((noinline)) static int inner(void)"
        "{ return PyGILState_Ensure() + 1; }"
        "int aw_outer(void) { return inner() + 1; }",
    )
    (tmp_path / "b").mkdir()
    user = compile_object(
        tmp_path / "b",
        "pymod/host_main.c",
        "int aw_outer(void); int aw_user(void) { return aw_outer() + 1; }",
    )
    (finding,) = layers.check_symbols([home, user])
    assert finding.endswith("aw_outer -> inner -> PyGILState_Ensure")


def test_a_readers_only_callback_into_pymod_needs_no_python(
    objects: list[layers.Object],
) -> None:
    """aw_send.done runs on the reader; bridge_signal.c is free of Python."""
    callbacks = {
        callback
        for path in (ROOT / "pymod").glob("*.c")
        for callback in re.findall(r"(?:->|\.)done = (\w+)", path.read_text())
    }
    assert callbacks == {"aw_bridge_complete", "aw_send_discard"}
    (home,) = (it for it in objects if "aw_bridge_complete" in it.defined)
    assert home.without_python


def test_what_completes_on_other_threads_needs_no_python(
    objects: list[layers.Object],
) -> None:
    """PyAwaitable_Complete() and PyAwaitable_Abandon(), as the table has
    them, live in objects that are free of Python."""
    table = (ROOT / "pymod/coroutine/capsule.c").read_text()
    functions = re.findall(r"\.(?:complete|abandon) = (\w+),", table)
    assert len(functions) == 2
    for function in functions:
        (home,) = (it for it in objects if function in it.defined)
        assert home.name in {f"{it}.o" for it in layers.WITHOUT_PYTHON}


# ---- circles ----


def test_circles_are_those_that_are_known(
    objects: list[layers.Object],
) -> None:
    assert layers.check_circles(objects) == []


def test_circles_planted_are_found(
    objects: list[layers.Object], tmp_path: Path
) -> None:
    """What is below the steps of the loader calls one of them."""
    planted = compile_object(
        tmp_path,
        "config/refusals.c",
        "int aw_loader_take_process(void *);"
        "int aw_planted(void) { return aw_loader_take_process(0); }",
    )
    assert layers.check_circles([*objects, planted]) == [
        "in a circle: config/process.c, config/refusals.c"
    ]


def test_circles_that_were_cut_are_no_knots_any_more(
    objects: list[layers.Object],
) -> None:
    cut = [it for it in objects if it.source != "devices/confirm.c"]
    assert layers.check_circles(cut) == [
        "no circle: devices/confirm.c, devices/sender.c"
    ]


# ---- thread roles ----


def clang(*arguments: object) -> subprocess.CompletedProcess[str]:
    if not shutil.which("clang"):
        pytest.skip("no clang here: thread roles are not checked")
    return subprocess.run(
        [
            *("clang", "-fsyntax-only", "-Wthread-safety", *FLAGS),
            *("-isystem", sysconfig.get_path("include")),
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
    )


def test_roles_of_the_project_are_kept() -> None:
    files = [
        ROOT / path for path in layers.sources(ROOT) if path.endswith(".c")
    ]
    result = clang(
        '-DAW_PYTHON_EXECUTABLE="python3"',
        '-DAW_PACKAGE_PATH="/"',
        '-DAW_DROP_IN_PATH="/"',
        "-Werror=thread-safety",
        *files,
    )
    assert result.returncode == 0, result.stderr
    assert "thread-safety" not in result.stderr


def test_roles_bind_functions_of_readers_and_of_main() -> None:
    bound = {it.name: it.role for it in layers.bound_functions(ROOT)}
    assert bound["aw_queue_offer"] == "reader"
    assert bound["aw_mailbox_take_mails"] == "reader"
    assert bound["aw_host_start"] == "main"
    assert len(bound) > 15


def misuses(bound: list[layers.Bound]) -> str:
    """A program that calls each function from a thread of no role."""
    headers = sorted({it.header for it in bound})
    lines = [f'#include "{header}"' for header in headers]
    for it in bound:
        arguments = ", ".join("0" * it.parameters)
        lines.append(f"void use_{it.name}(void);")
        lines.append(f"void use_{it.name}(void) {{ {it.name}({arguments}); }}")
    return "\n".join(lines)


def test_roles_every_bound_function_refuses_other_threads(
    tmp_path: Path,
) -> None:
    bound = layers.bound_functions(ROOT)
    program = tmp_path / "misuse.c"
    program.write_text(misuses(bound))
    result = clang(program)
    assert result.returncode == 0, result.stderr
    for it in bound:
        warning = (
            f"calling function '{it.name}' requires holding role "
            f"'aw_role_{it.role}'"
        )
        assert warning in result.stderr


def test_roles_do_not_stand_for_each_other(tmp_path: Path) -> None:
    program = tmp_path / "misuse.c"
    program.write_text(
        """
        #include "devices/queue/queue.h"
        #include "pymod/host.h"
        void on_main(struct aw_queue *queue, struct aw_host *host) AW_ON(main);
        void on_main(struct aw_queue *queue, struct aw_host *host)
        {
            aw_queue_publish(queue);
            aw_host_finish(host);
        }
        """
    )
    warnings = clang(program).stderr
    expected = "'aw_queue_publish' requires holding role 'aw_role_reader'"
    assert expected in warnings
    assert "aw_host_finish" not in warnings


# ---- the built-in ----


@pytest.mark.daemon
def test_builtin_wins_over_an_importable_extension(
    run_daemon, tmp_path: Path
) -> None:
    script = tmp_path / "origin.py"
    script.write_text(
        "import sys, _awaitd, pathlib, awaitd\n"
        "beside = [file for folder in sys.path\n"
        "          for file in pathlib.Path(folder).glob('_awaitd*.so')]\n"
        "print(_awaitd.__spec__.origin, hasattr(_awaitd, '__file__'),\n"
        "      '_awaitd' in sys.builtin_module_names, len(beside) > 0,\n"
        "      sys.modules['_awaitd'] is _awaitd)\n"
    )
    assert list(BUILD.glob("_awaitd*.so")), "no extension to be won over"
    process = run_daemon("run", "-q", "-d", "b=virtual:can", script)
    assert process.finish() == 0, process.stderr
    assert process.stdout.split() == "built-in False True True True".split()
