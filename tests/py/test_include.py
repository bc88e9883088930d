"""The headers for extensions in C: where they are, and that they compile as
what extensions are written in."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

import awaitd

pytestmark = pytest.mark.extension

# Code that was written for PyAwaitable, 1 and 2.
USE = """
#include <pyawaitable.h>
#include <stddef.h>

static int callback(PyObject *awaitable, PyObject *value)
{
    return PyAwaitable_SetResult(awaitable, value);
}

static int error(PyObject *awaitable, PyObject *exception)
{
    (void)awaitable;
    Py_INCREF(exception);
    PyErr_SetRaisedException(exception);
    Py_XDECREF(PyErr_GetRaisedException());
    return -1;
}

PyObject *use(PyObject *coro, awaitcallback given, awaitcallback_err caught,
              defer_callback later);
PyObject *use(PyObject *coro, awaitcallback given, awaitcallback_err caught,
              defer_callback later)
{
    PyObject *aw = PyAwaitable_New();
    PyObject *saved = NULL;
    int major = PyAwaitable_MAJOR_VERSION + PYAWAITABLE_MAJOR_VERSION;

    if (!aw || major != 4 || PyAwaitable_Init() < 0 ||
        PyAwaitable_AddAwait(aw, coro, callback, error) < 0 ||
        PyAwaitable_AddAwait(aw, coro, given, caught) < 0 ||
        PyAwaitable_DeferAwait(aw, later) < 0 ||
        PyAwaitable_AddExpr(aw, PyObject_CallNoArgs(coro), NULL, NULL) < 0 ||
        PyAwaitable_SaveValues(aw, 2, coro, coro) < 0 ||
        PyAwaitable_UnpackValues(aw, &saved, NULL) < 0)
        return NULL;
    PyAwaitable_Cancel(aw);
    return aw;
}
"""
COMPILERS = [
    ("gcc", "c", "-std=c99"),
    ("gcc", "c", "-std=c17"),
    ("g++", "c++", "-std=c++11"),
    ("g++", "c++", "-std=c++20"),
    ("clang", "c", "-std=c17"),
    ("clang++", "c++", "-std=c++17"),
]


def test_get_include_is_the_folder_of_both_headers():
    folder = Path(awaitd.get_include())
    assert (folder / "awaitd" / "awaitable.h").is_file()
    assert (folder / "pyawaitable.h").is_file()


@pytest.mark.parametrize(("compiler", "language", "standard"), COMPILERS)
def test_headers_compile_without_warnings(
    tmp_path, compiler, language, standard
):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    source = tmp_path / "use.c"
    source.write_text(USE)
    done = subprocess.run(
        [
            *(compiler, "-x", language, standard, "-c", "-Werror"),
            *("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wundef"),
            *("-I", awaitd.get_include()),
            *("-isystem", sysconfig.get_path("include")),
            *(source, "-o", tmp_path / "use.o"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_headers_in_two_files_of_an_extension_share_the_capsule(tmp_path):
    """The pointer to the functions is one, and not seen from outside."""
    (tmp_path / "a.c").write_text(USE)
    (tmp_path / "b.c").write_text("#include <pyawaitable.h>\n")
    library = tmp_path / "both.so"
    subprocess.run(
        [
            *("gcc", "-shared", "-fPIC", "-I", awaitd.get_include()),
            *("-I", sysconfig.get_path("include")),
            *(tmp_path / "a.c", tmp_path / "b.c", "-o", library),
        ],
        check=True,
    )
    symbols = subprocess.run(
        ["nm", library], check=True, capture_output=True, text=True
    ).stdout
    (line,) = (
        line for line in symbols.splitlines() if "PyAwaitable_functions_" in line
    )
    assert line.split()[1].islower()  # local
