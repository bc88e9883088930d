"""What a process has once, and each script wants for itself.

``sys.argv``, ``sys.excepthook`` and ``sys.modules['__main__']`` resolve to those
of the script that asks.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

from awaitd._host.current import current

if TYPE_CHECKING:
    from awaitd._host.slot import Slot


def _per_script(name: str, default: Any) -> Any:
    """A property that is the script's attribute of that name."""
    outside = [default]

    def get(module: types.ModuleType) -> Any:
        script = current()
        return outside[0] if script is None else getattr(script, name)

    def put(module: types.ModuleType, value: Any) -> None:
        script = current()
        if script is None:
            outside[0] = value
        else:
            setattr(script, name, value)

    return property(get, put)


class _Sys(types.ModuleType):
    """sys, with an argv and an excepthook for each script."""

    argv = _per_script("argv", [""])
    excepthook = _per_script("excepthook", sys.__excepthook__)


class _Main(types.ModuleType):
    """__main__: the module of the script that asks."""

    def __getattribute__(self, name: str) -> Any:
        script = current()
        if script is None:
            return super().__getattribute__(name)
        return getattr(script.module, name)

    def __setattr__(self, name: str, value: object) -> None:
        script = current()
        if script is None:
            super().__setattr__(name, value)
        else:
            setattr(script.module, name, value)

    def __delattr__(self, name: str) -> None:
        script = current()
        if script is None:
            super().__delattr__(name)
        else:
            delattr(script.module, name)


# The daemon has handlers for these, which a child made by os.fork inherits.
_DAEMONS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def _keep_signals_at_fork() -> None:
    """A child made by os.fork is no daemon: a signal means what it does in
    python3. One that comes early waits until that is arranged."""
    masks = threading.local()

    def hold() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _DAEMONS)

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def release_child() -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        release()

    os.register_at_fork(
        before=hold, after_in_parent=release, after_in_child=release_child
    )


def install(slots: list[Slot]) -> None:
    """Make the names above resolve per script."""
    sys.__class__ = _Sys
    sys.modules["__main__"] = _Main("__main__")
    for slot in reversed(slots):
        add_paths(slot)
    _keep_signals_at_fork()


def add_paths(slot: Slot) -> None:
    """Have the script's modules found."""
    for folder in reversed([slot.settings.folder, *slot.settings.paths]):
        if folder not in sys.path:
            sys.path.insert(0, folder)
