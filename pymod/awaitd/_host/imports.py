"""Imports by which a script gets another module than its own of that name.

Scripts share ``sys.modules`` and ``sys.path``: whose module was imported first,
or whose folder comes first, gives it to all. That is told before the script
runs, by what its file says it imports, and the modules beside it that these
names lead to; what is imported by ``importlib``, and from within packages, is
not looked at. Nothing of this is asked when an import is made.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.machinery
import os
import sys
import types
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from awaitd._host.modules import is_below

if TYPE_CHECKING:
    from awaitd._host.slot import Settings, Slot

# So many files of a script are read for what they import.
_FILES = 64
_SUFFIXES = (
    importlib.machinery.EXTENSION_SUFFIXES
    + importlib.machinery.SOURCE_SUFFIXES
    + importlib.machinery.BYTECODE_SUFFIXES
)


class Foreign(NamedTuple):
    """An import that gets ``file``, where the script has ``own``."""

    name: str
    own: str
    file: str


def _names(code: types.CodeType) -> Iterator[str]:
    """All that code names, among it what it imports."""
    for name in code.co_names:
        yield name.partition(".")[0]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _modules_in(folders: Iterable[str]) -> Iterator[str]:
    """The names that these folders may have a module for."""
    for folder in folders:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        yield from (entry.partition(".")[0] for entry in entries)


def _imported(source: bytes) -> Iterator[str]:
    """The names that a source imports, with those of what may be a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _locate(parts: Sequence[str], folders: Iterable[str]) -> str | None:
    """The file of the first of these names, each in the one before, that has
    one: a module, or the package that all behind it is in."""
    for part in parts:
        inner = []
        for folder in folders:
            base = os.path.join(folder, part)
            for end in (f"{os.sep}__init__.py", *_SUFFIXES):
                if os.path.isfile(base + end):
                    return base + end
            if os.path.isdir(base):
                inner.append(base)
        folders = inner
    return None


def _would_get(parts: Sequence[str]) -> str | None:
    """The same of what an import would get now."""
    # Import passes over what is no str.
    folders: Iterable[str] = [it for it in sys.path if isinstance(it, str)]
    for index in range(len(parts)):
        module = sys.modules.get(".".join(parts[: index + 1]))
        if module is None:
            return _locate(parts[index:], folders)
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            return file
        folders = list(getattr(module, "__path__", ()))
    return None


def _is_in(file: str, folders: Collection[str]) -> bool:
    return any(is_below(file, it) for it in folders)


class _Look:
    """Over a script's file, and those of its own modules that it leads to."""

    def __init__(self, settings: Settings) -> None:
        self._folders = [settings.folder, *settings.paths]
        self._own_folders = settings.own_folders
        self._script = os.path.realpath(settings.path)
        self._seen: set[str] = set()
        self._left: list[str] = []

    def over(self, source: bytes) -> Iterator[Foreign]:
        yield from self._over_names(source)
        while self._left and len(self._seen) < _FILES:
            file = self._left.pop()
            if file in self._seen:
                continue
            self._seen.add(file)
            try:
                with open(file, "rb") as opened:
                    source = opened.read()
            except OSError:
                continue
            yield from self._over_names(source)

    def _over_names(self, source: bytes) -> Iterator[Foreign]:
        try:
            names = sorted(set(_imported(source)))
        # Whoever imports it will be told.
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for name in names:
            parts = name.split(".")
            if parts[0] in sys.builtin_module_names:
                continue
            own = _locate(parts, self._folders)
            file = _would_get(parts) if own else None
            if not own or not file:
                continue
            real = os.path.realpath(own)
            if real == self._script:
                continue  # which has the name of what it imports
            if real != os.path.realpath(file):
                yield Foreign(name, own, file)
            elif real.endswith(".py") and _is_in(real, self._own_folders):
                self._left.append(own)


def foreign(
    settings: Settings, source: bytes, code: types.CodeType
) -> list[Foreign]:
    """Those of a script with this source, of which ``code`` was made."""
    own = set(_modules_in([settings.folder, *settings.paths]))
    if own.isdisjoint(_names(code)):
        return []
    found: dict[tuple[str, str], Foreign] = {}
    for it in _Look(settings).over(source):
        found.setdefault((it.own, it.file), it)
    return list(found.values())


def _whose(file: str, slots: list[Slot]) -> str:
    real = os.path.realpath(file)
    for slot in slots:
        settings = slot.settings
        folders = [os.path.realpath(path) for path in settings.paths]
        if slot.name and _is_in(real, [settings.folder, *folders]):
            return f" of script {slot.name}"
    return ", which is imported already"


def tell_foreign(
    slot: Slot, slots: list[Slot], source: bytes, code: types.CodeType
) -> None:
    """Warn of each once. Never fails: it only looks, also at other scripts'
    modules, whose attributes may be anything."""
    found: list[Foreign] = []
    with contextlib.suppress(Exception):
        found = foreign(slot.settings, source, code)
    for it in found:
        if (it.own, it.file) in slot.told_imports:
            continue
        slot.told_imports.add((it.own, it.file))
        others = [other for other in slots if other is not slot]
        print(
            f"awaitd: warning: script {slot.name}: import {it.name} gets "
            f"{it.file}{_whose(it.file, others)}, and not its own {it.own}: "
            "scripts share the modules of one name",
            file=sys.stderr,
        )
