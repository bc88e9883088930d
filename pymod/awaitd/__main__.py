"""``python3 -m awaitd [-d NAME=DRIVER:MAIN[,key=value…]]… script.py [ARGS…]``

Runs a script as the daemon would, in plain Python: top-level ``await`` is
allowed, and ``awaitd.devices`` has the devices given by ``-d``, besides those of
AWAITD_CONFIG and AWAITD_DEVICES. The exit status is that of ``awaitd run``.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import builtins
import inspect
import os
import signal
import sys
import types

from awaitd import ConfigError, DeviceError, _registry, _traceback


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m awaitd",
        description="Run a script with awaitd's devices, in this process.",
        epilog="The daemon itself is started with `awaitd run`.",
    )
    parser.add_argument(
        "-d",
        "--device",
        action="append",
        default=[],
        metavar="NAME=DRIVER:MAIN[,key=value…]",
        help="a device, importable from awaitd.devices; may be repeated",
    )
    parser.add_argument("script", help="the Python file to run as __main__")
    parser.add_argument(
        "args", nargs=argparse.REMAINDER, help="the script's sys.argv[1:]"
    )
    return parser


class _Terminate:
    """SIGTERM is a Ctrl-C that leads to the exit status 0.

    So asyncio cancels the main task, whoever runs the loop, and ``finally``
    may await. A second one changes nothing, as in the daemon.
    """

    def __init__(self) -> None:
        self.came = False

    def install(self) -> None:
        # Started with it ignored, it stays so.
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, frame: types.FrameType | None) -> None:
        if self.came:
            return
        self.came = True
        interrupt = signal.getsignal(signal.SIGINT)
        if not callable(interrupt):
            raise KeyboardInterrupt
        interrupt(signal.SIGINT, frame)


def _prepare(devices: list[str], script: str) -> bytes:
    """Configure, read the script, then open, as the daemon does."""
    names = [_registry.configure(text) for text in devices]
    with open(script, "rb") as file:
        source = file.read()
    for name in names:
        _registry.find(name)
    return source


def _refuse(status: int, reason: str) -> int:
    print(f"awaitd: error: {reason}", file=sys.stderr)
    return status


def _run(path: str, source: bytes) -> None:
    """Run the source as ``__main__``, with top-level await."""
    code = compile(
        source,
        path,
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    module = types.ModuleType("__main__")
    names = module.__dict__
    names.update(__file__=path, __builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = module
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(types.FunctionType(code, names)())
    else:
        exec(code, names)


def _run_and_report(path: str, source: bytes) -> int:
    """Run to the end: the exit status, unless it raises SystemExit."""
    terminate = _Terminate()
    terminate.install()
    try:
        _run(path, source)
    except SystemExit:
        raise
    except KeyboardInterrupt:
        return 0 if terminate.came else 130
    except BaseException as error:
        _traceback.trim(error, path)
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def main(arguments: list[str]) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    names = [text.partition("=")[0] for text in given.device]
    for name in names:
        if names.count(name) > 1:
            parser.error(f"option -d: device {name} is given twice")
    try:
        source = _prepare(given.device, given.script)
    except ConfigError as error:
        return _refuse(os.EX_CONFIG, str(error))
    except DeviceError as error:
        return _refuse(os.EX_UNAVAILABLE, error.strerror)
    except OSError as error:
        why = f"cannot read script {given.script}: {error.strerror}"
        return _refuse(os.EX_CONFIG, why)
    sys.argv = [given.script, *given.args]
    sys.path[0] = os.path.dirname(os.path.abspath(given.script))
    return _run_and_report(given.script, source)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
