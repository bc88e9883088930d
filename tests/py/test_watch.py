"""`awaitd run --watch`: which folders it listens to, and what comes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hosted import host, put  # noqa: F401
from process import Process
from reloading import under  # noqa: F401

pytestmark = pytest.mark.daemon

LIMIT = 256

IMPORTS = """
    import asyncio
    from {module} import WHO
    print("who", WHO, flush=True)
    await asyncio.Event().wait()
"""


@pytest.fixture
def folder(host) -> Path:  # noqa: F811
    return host.folder


def watched(process: Process) -> list[int]:
    """The inodes that its inotify listens to."""
    folder = Path(f"/proc/{process.popen.pid}")
    (fd,) = (fd.name for fd in (folder / "fd").iterdir()
             if target(fd) == "anon_inode:inotify")
    found = []
    for line in (folder / "fdinfo" / fd).read_text().splitlines():
        if line.startswith("inotify "):
            fields = dict(it.split(":") for it in line.split()[1:])
            found.append(int(fields["ino"], 16))
    return found


def target(fd: Path) -> str:
    """Or "", if the daemon has closed it by now."""
    try:
        return os.readlink(fd)
    except FileNotFoundError:
        return ""


def inodes(*paths: Path) -> list[int]:
    return sorted(path.stat().st_ino for path in paths)


@pytest.mark.parametrize(
    "file, module, keys",
    [
        ("lib/helper.py", "helper", ", paths: [lib]"),
        ("lib/deep/er/helper.py", "deep.er.helper", ", paths: [lib]"),
        ("package/helper.py", "package.helper", ""),
    ],
    ids=["paths", "below-paths", "package"],
)
def test_module_that_is_saved_reloads_its_script(
    under, folder, file, module, keys
):
    put(folder / "package/__init__.py")
    put(folder / file, "WHO = 'old'\n")
    under.start(IMPORTS.format(module=module), keys=keys, watch=True)
    under.process.line("who old")
    put(folder / file, "WHO = 'new'\n")
    under.process.line("who new")
    under.log("under is reloaded")
    assert under.stop() == 0


def test_module_that_was_missing_makes_the_version_good_when_it_comes(
    under, folder
):
    put(folder / "lib/first.py", "WHO = 'first'\n")
    under.start(IMPORTS.format(module="first"), keys=", paths: [lib]",
                watch=True)  # fmt: skip
    under.process.line("who first")
    under.write(IMPORTS.format(module="second"))
    under.log("No module named 'second'")
    put(folder / "lib/second.py", "WHO = 'second'\n")
    under.process.line("who second")


def test_folder_that_is_new_is_listened_to(under, folder):
    put(folder / "lib/first.py", "WHO = 'first'\n")
    under.start(IMPORTS.format(module="first"), keys=", paths: [lib]",
                watch=True)  # fmt: skip
    under.process.line("who first")
    under.write(IMPORTS.format(module="more.second"))
    under.log("No module named 'more'")
    put(folder / "lib/more/second.py", "WHO = 'second'\n")
    under.process.line("who second")
    under.log("under is reloaded")
    put(folder / "lib/more/second.py", "WHO = 'third'\n")
    under.process.line("who third")


def test_package_that_takes_the_place_of_another_reloads(under, folder):
    for name in ("package", "package_new"):
        put(folder / name / "__init__.py", f"WHO = {name!r}\n")
    under.start(IMPORTS.format(module="package"), watch=True)
    under.process.line("who package")
    os.utime(folder / "package_new/__init__.py")  # which nobody listens to
    (folder / "package").rename(folder / "package_old")
    (folder / "package_new").rename(folder / "package")
    under.process.line("who package_new")
    assert under.stop() == 0


def test_folders_are_those_whose_modules_a_reload_imports_anew(under, folder):
    wanted = [
        folder,
        put(folder / "package/__init__.py").parent,
        put(folder / "package/inner/__init__.py").parent,
        put(folder / "lib/one.py", "WHO = 'one'\n").parent,
        put(folder / "lib/any/two.py").parent,
    ]
    for other in (
        "data/three.py",
        "lib/.hidden/four.py",
        "lib/__pycache__/five.py",
        "lib/site-packages/six.py",
        "venv/site-packages/seven.py",
        "../unwatched/eight.py",
    ):
        put(folder / other)
    os.symlink(folder / "../unwatched", folder / "lib/link")
    under.start(
        IMPORTS.format(module="one"),
        keys=", paths: [lib, missing, venv/site-packages, ../unwatched]",
        watch=True,
    )
    under.process.line("who one")
    assert sorted(watched(under.process)) == inodes(*wanted)


def test_folders_are_limited_and_that_is_told(under, folder):
    for number in range(LIMIT + 10):
        put(folder / f"lib/f{number}/module.py", "WHO = 'old'\n")
    under.start(IMPORTS.format(module="f1.module"), keys=", paths: [lib]",
                watch=True)  # fmt: skip
    under.process.line("who old")
    assert len(watched(under.process)) == LIMIT
    under.write(IMPORTS.format(module="f2.module"))
    under.log("under is reloaded")
    under.stop()
    assert under.process.stderr.count("not all folders of modules") == 1


def test_folder_that_is_gone_makes_room(under, folder):
    for number in range(LIMIT + 10):
        put(folder / f"lib/f{number}/module.py", "WHO = 'old'\n")
    under.start(IMPORTS.format(module="f1.module"), keys=", paths: [lib]",
                watch=True)  # fmt: skip
    under.process.line("who old")
    for number in range(50, LIMIT + 10):
        (folder / f"lib/f{number}/module.py").unlink()
        (folder / f"lib/f{number}").rmdir()
    under.write(IMPORTS.format(module="f2.module"))
    under.log("under is reloaded")
    # Its own, lib, and those in it; bytecode's are none.
    assert len(watched(under.process)) == 52
    under.stop()


def test_what_a_link_to_a_script_leads_to_is_watched(under, folder):
    real = put(folder / "real/under.py", "print('no')\n")
    helper = put(folder / "real/helper.py", "WHO = 'old'\n")
    text = "import asyncio, helper\nprint('who', helper.WHO, flush=True)\n"
    under.path.symlink_to(real)
    under.start(text + "await asyncio.Event().wait()\n", watch=True)
    under.process.line("who old")
    helper.write_text("WHO = 'new'\n")
    under.process.line("who new")
