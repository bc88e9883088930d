"""The modules in a script's own folders: a new version imports them anew.

What the old version has imported it keeps; only later imports find the new ones,
also those of other scripts in the same folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import types
from collections.abc import Collection, Iterator

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_EXTENSIONS = (".so",)
# Folders of installed packages, also where a venv lies beside a script.
_INSTALLED = ("site-packages", "dist-packages")


def is_below(file: str, folder: str) -> bool:
    """Both as os.path.realpath() gives them."""
    return file.startswith(os.path.join(folder, ""))


def own_folders(folder: str, paths: list[str]) -> tuple[str, ...]:
    """The script's folder, and those of its paths that are below it: what is
    elsewhere is not the script's."""
    below = (os.path.realpath(path) for path in paths)
    return folder, *(
        path
        for path in below
        if is_below(path, folder)
        and os.path.basename(path) not in _INSTALLED
    )


def _place(module: types.ModuleType) -> str | None:
    """Its file, or the folder of a package that has no __init__.py."""
    # Not getattr(): a module that loads itself late may raise anything.
    names = getattr(module, "__dict__", {})
    file = names.get("__file__")
    # The path of such a package asks for its parent, which may have gone.
    with contextlib.suppress(Exception):
        file = file or next(iter(names["__path__"]))
    return file if isinstance(file, str) else None


def _own(
    folders: Collection[str],
) -> Iterator[tuple[str, types.ModuleType, str]]:
    """The modules that were imported from these folders, and from which: of
    those of sys.path that lead to a file, the longest counts."""
    homes = {os.path.realpath(entry) for entry in sys.path if isinstance(entry, str)}
    for name, module in list(sys.modules.items()):
        place = _place(module)
        if name == "__main__" or place is None:
            continue
        place = os.path.realpath(place)
        if is_below(place, _PACKAGE):
            continue
        above = (home for home in homes if is_below(place, home))
        home = max(above, key=len, default="")
        if home in folders:
            yield name, module, home


def _file(module: types.ModuleType) -> str:
    return str(module.__dict__.get("__file__") or "")


# What purge() has taken out, (folder, file): whoever has it may use it still.
_taken_out: set[tuple[str, str]] = set()

# By how much the clock of file systems may be behind time.time_ns().
_COARSE_NS = 20_000_000


def _is_newer(file: str, since_ns: int) -> bool:
    try:
        status = os.stat(file)
    except OSError:
        return False
    newest_ns = max(status.st_mtime_ns, status.st_ctime_ns)
    return newest_ns > since_ns - _COARSE_NS


def are_newer(folders: Collection[str], loaded_ns: int) -> bool:
    """Has a module from these folders been written since? Scripts themselves are
    compared by what is in them."""
    files = {_file(module) for _, module, _ in _own(folders)}
    # Behind the look at what there is: a purge() meanwhile is not missed.
    files |= {file for home, file in list(_taken_out) if home in folders}
    return any(_is_newer(file, loaded_ns) for file in files)


def have_been_written(
    folders: Collection[str], since_ns: int, scripts: Collection[str]
) -> bool:
    """Has a file been written since, in these folders or in one below that may be
    a package, that somebody might have failed to import? ``scripts`` are none."""
    written = [
        file
        for folder in folders
        for file in _importable(folder)
        if _is_newer(file, since_ns) and os.path.realpath(file) not in scripts
    ]
    for file in written:
        _forget_cached(importlib.util.cache_from_source(file))
    return bool(written)


def _importable(folder: str, levels: int = 1) -> Iterator[str]:
    """With that many levels of packages that have no __init__.py."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith(".py"):
            yield entry.path
        elif entry.name.isidentifier() and entry.is_dir(follow_symlinks=False):
            if os.path.exists(os.path.join(entry.path, "__init__.py")):
                yield from _importable(entry.path, levels)
            elif levels > 0:
                yield from _importable(entry.path, levels - 1)


def purge(folders: Collection[str]) -> dict[str, types.ModuleType]:
    """Have what was imported from these folders imported anew: what it was.

    A module in C stays, as it cannot be loaded twice, and is warned of. So does
    one that a thread is just importing, which would fail: it is new.
    """
    found = {}
    # A list: what is in a package is looked for while that is there.
    for name, module, home in list(_own(folders)):
        spec = module.__dict__.get("__spec__")
        if getattr(spec, "_initializing", False):
            continue
        file = _file(module)
        if file.endswith(_EXTENSIONS):
            print(
                f"awaitd: warning: {file} is a module in C: it "
                "stays as it is until the daemon is started again",
                file=sys.stderr,
            )
            continue
        _taken_out.add((home, file))
        # Another script's reload may have taken it out by now.
        if sys.modules.pop(name, None) is not None:
            found[name] = module
            _forget_bytecode(module)
    importlib.invalidate_caches()
    return found


def restore(
    folders: Collection[str], modules: dict[str, types.ModuleType]
) -> None:
    """Undo purge(): what was imported since is forgotten."""
    purge(folders)
    sys.modules.update(modules)


def _forget_bytecode(module: types.ModuleType) -> None:
    cached = getattr(module, "__cached__", None)
    if isinstance(cached, str):
        _forget_cached(cached)


def _forget_cached(file: str) -> None:
    """Python takes bytecode for current by the second and the size: two
    changes within one second would leave the first."""
    with contextlib.suppress(OSError):
        os.unlink(file)
