"""``python3 -m awaitd [-d NAME=DRIVER:MAIN[,key=value…]]… script.py [ARGS…]``

Runs a script as the daemon would, in plain Python: top-level ``await`` is
allowed, and ``awaitd.devices`` has the devices given by ``-d``, besides those of
AWAITD_CONFIG and AWAITD_DEVICES.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import builtins
import inspect
import os
import sys
import types

from awaitd import ConfigError, _registry


def _parse(arguments: list[str]) -> argparse.Namespace:
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
    return parser.parse_args(arguments)


def _run(path: str) -> None:
    """Run the file as ``__main__``, with top-level await."""
    with open(path, "rb") as file:
        source = file.read()
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


def main(arguments: list[str]) -> int:
    given = _parse(arguments)
    try:
        for text in given.device:
            _registry.configure(text)
    except ConfigError as error:
        print(f"awaitd: error: {error}", file=sys.stderr)
        return os.EX_CONFIG
    if not os.path.isfile(given.script):
        print(f"awaitd: error: no script {given.script}", file=sys.stderr)
        return os.EX_NOINPUT
    sys.argv = [given.script, *given.args]
    sys.path[0] = os.path.dirname(os.path.abspath(given.script))
    try:
        _run(given.script)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
