"""Which file may include what, and which may call what.

Each check returns its findings as sentences, none of them if all is well.
"""

from __future__ import annotations

import fnmatch
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

# ---- includes ----

# What the files of a folder may include of the project's own: patterns.
MAY_INCLUDE = {
    "devices/queue": ["devices/queue/*"],
    "devices": ["devices/*"],
    "config": ["config/*", "devices/*"],
    "pymod": ["pymod/*", "devices/*"],
    "pymod/coroutine": ["pymod/*", "devices/queue/*"],
    # What extensions include: nothing of what is not installed with it.
    "pymod/include": [],
    "pymod/include/awaitd": [],
    "daemon": ["daemon/*", "pymod/host.h", "config/*", "devices/*"],
    # A program of its own: nothing but the protocol.
    "daemon/ctl": ["daemon/ctl/*"],
}

# `awaitd.devices` reads $AWAITD_CONFIG, outside the daemon too.
EXTENSIONS = {"pymod/open.c": ["config/config.h"]}

# The leaf knows no more of a system than these: C, threads, descriptors.
LEAF_HEADERS = {
    *"assert.h errno.h stdarg.h stdatomic.h stdbool.h stddef.h".split(),
    *"stdint.h stdio.h stdlib.h string.h limits.h time.h".split(),
    *"pthread.h signal.h fcntl.h unistd.h sys/random.h sys/types.h".split(),
}

# Headers that belong to one place: where they may stand.
OWNERS = {
    "poll.h": [
        "devices/queue/eventfd.c",
        "devices/queue/stderr.c",
        "devices/*.c",
        "daemon/output.c",
    ],
    "sys/eventfd.h": ["devices/queue/eventfd.c"],
    "sys/mman.h": ["devices/queue/memfd.c", "devices/*.c"],
    "sys/sdt.h": ["devices/queue/probes.h"],
    "dlfcn.h": ["devices/driver_load.c"],
    "zlib.h": ["devices/replay.c"],
    "pcap*": ["devices/packet.c"],
    "cyaml/*": ["config/*"],
    "yaml.h": ["config/*"],
    "ev.h": ["daemon/*"],
    "jansson.h": ["daemon/*"],
    "systemd/*": ["daemon/*"],
    "microhttpd.h": ["daemon/*"],
}

PYTHON_HEADERS = {"Python.h", "structmember.h", "frameobject.h", "datetime.h"}

# The files of pymod/ that threads without the GIL use.
WITHOUT_PYTHON = {
    f"pymod/{name}"
    for name in (
        "heartbeat.c",
        "heartbeat.h",
        "host.h",
        "host_copy.c",
        "host_main.c",
        "host_state.h",
        "host_threads.c",
        "host_threads.h",
        "bridge_signal.c",
        "bridge_signal.h",
        "coroutine/completion.c",
        "coroutine/completion.h",
        "coroutine/inbox.c",
        "coroutine/inbox.h",
    )
}

_INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)"|(.+))', re.M)


@dataclass
class Source:
    """A C file of the project: its layer, and what it includes."""

    path: str  # from the root
    own: list[str] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    computed: list[str] = field(default_factory=list)

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]


def _read(root: Path, path: Path) -> Source:
    source = Source(path.relative_to(root).as_posix())
    for system, own, computed in _INCLUDE.findall(path.read_text()):
        if system:
            source.system.append(system)
        elif own:
            source.own.append(own)
        else:
            source.computed.append(computed)
    return source


def sources(root: Path) -> dict[str, Source]:
    """Every C file below the root, but for tests, examples and builds."""
    paths = (path for kind in ("*.c", "*.h") for path in root.rglob(kind))
    found = (_read(root, path) for path in paths)
    outside = re.compile(r"(tests|examples|build[^/]*|\.[^/]*)/")
    return {
        source.path: source
        for source in sorted(found, key=lambda source: source.path)
        if not outside.match(source.path)
    }


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """As in a shell, but that `devices/*.c` does not match what is deeper."""
    return any(
        fnmatch.fnmatchcase(name, pattern)
        and ("." not in pattern or name.count("/") == pattern.count("/"))
        for pattern in patterns
    )


def _check_own(source: Source, files: dict[str, Source]) -> Iterator[str]:
    allowed = MAY_INCLUDE[source.folder] + EXTENSIONS.get(source.path, [])
    for name in source.own:
        if name not in files:
            yield f"{source.path}: there is no {name} from the root on"
        elif not _matches(name, allowed):
            yield f"{source.path} may not include {name}"


def _check_system(source: Source) -> Iterator[str]:
    leaf = source.folder == "devices/queue"
    for name in source.system:
        owners = [
            owner
            for header, places in OWNERS.items()
            if _matches(name, [header])
            for owner in places
        ]
        if owners and not _matches(source.path, owners):
            yield f"{source.path}: <{name}> belongs to {', '.join(owners)}"
        elif leaf and not owners and name not in LEAF_HEADERS:
            yield f"{source.path}: <{name}> is not for the leaf"


def _closure(source: Source, files: dict[str, Source]) -> set[str]:
    seen: set[str] = set()
    waiting = [source.path]
    while waiting:
        path = waiting.pop()
        if path in files and path not in seen:
            seen.add(path)
            waiting += files[path].own
    return seen


def _check_python(source: Source, files: dict[str, Source]) -> Iterator[str]:
    in_pymod = source.path.startswith("pymod/")
    if in_pymod and source.path not in WITHOUT_PYTHON:
        return
    for path in sorted(_closure(source, files)):
        for name in PYTHON_HEADERS.intersection(files[path].system):
            yield f"{source.path} gets <{name}> by way of {path}"


def check_includes(root: Path) -> list[str]:
    """Holds every #include below the root against the table."""
    files = sources(root)
    findings = []
    for source in files.values():
        if source.folder not in MAY_INCLUDE:
            findings.append(f"{source.path} is in no layer")
            continue
        findings += [f"{source.path}: #include {it}" for it in source.computed]
        findings += _check_own(source, files)
        findings += _check_system(source)
        findings += _check_python(source, files)
    return findings


# ---- symbols ----

# Functions of pymod/ that main only hands to pthread_create().
THREAD_ENTRIES = {"aw_host_bridge_main", "aw_host_check_main"}


def _run(*command: str | Path) -> str:
    return subprocess.run(
        [str(word) for word in command],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


class Object:
    """An object file: the symbols it defines and those it wants."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name  # as the source from the root, with .o
        self.path = path
        self.defined: set[str] = set()
        self.wanted: set[str] = set()
        for line in _run("nm", "--format=posix", path).splitlines():
            symbol, kind, *_ = line.split()
            (self.wanted if kind in "Uvw" else self.defined).add(symbol)

    @property
    def source(self) -> str:
        return self.name[:-2]

    @property
    def layer(self) -> str:
        return self.name.partition("/")[0]

    @property
    def without_python(self) -> bool:
        return self.layer != "pymod" or self.source in WITHOUT_PYTHON


def objects(build: Path) -> list[Object]:
    """The objects of each layer in a build folder, each once."""
    found: dict[str, Object] = {}
    for path in sorted(build.rglob("CMakeFiles/*.dir/**/*.c.o")):
        name = re.sub(
            "CMakeFiles/[^/]*/", "", path.relative_to(build).as_posix()
        )
        if name.rpartition("/")[0] in MAY_INCLUDE and name not in found:
            found[name] = Object(name, path)
    return list(found.values())


def is_pythons(symbol: str) -> bool:
    return symbol.startswith(("Py", "_Py"))


class Calls:
    """What each function of an object refers to, from its machine code."""

    _SECTION = re.compile(r"Disassembly of section (\S+):")
    _FUNCTION = re.compile(r"([0-9a-f]+) <([^>]+)>:")
    _RELOCATION = re.compile(r"\s+[0-9a-f]+: R_\S+\s+(\S+?)([+-]0x[0-9a-f]+)?$")
    _JUMP = re.compile(r"\s.*\s<([^>+]+)>$")

    def __init__(self, path: Path) -> None:
        self.references: dict[str, set[str]] = {}
        self._places: dict[str, list[tuple[int, str]]] = {}
        section, function = "", ""
        for line in _run("objdump", "-dr", path).splitlines():
            if found := self._SECTION.match(line):
                section = found[1]
            elif found := self._FUNCTION.match(line):
                function = found[2]
                self.references[function] = set()
                place = (int(found[1], 16), function)
                self._places.setdefault(section, []).append(place)
            elif found := self._RELOCATION.match(line):
                target = f"{found[1]}{found[2] or ''}"
                named = not found[1].startswith(".")
                self.references[function].add(found[1] if named else target)
            elif found := self._JUMP.match(line):
                self.references[function].add(found[1])

    def _resolve(self, target: str) -> str:
        """The function at `.section+offset`. A relocation counts from the end
        of its four bytes."""
        found = re.fullmatch(r"(\..+?)([+-]0x[0-9a-f]+)", target)
        if not found or found[1] not in self._places:
            return target
        offset = int(found[2], 16) + 4
        before = [it for it in self._places[found[1]] if it[0] <= offset]
        return max(before)[1] if before else target

    def of(self, function: str) -> set[str]:
        return {self._resolve(it) for it in self.references.get(function, ())}


def _reach(
    symbol: str, homes: dict[str, Object], calls: dict[str, Calls]
) -> str:
    """The way from a function to a symbol of Python's, or ""."""
    seen = {symbol}
    waiting = [(symbol, symbol, homes[symbol])]
    while waiting:
        name, way, home = waiting.pop()
        if home.without_python or name in THREAD_ENTRIES:
            continue
        if home.name not in calls:
            calls[home.name] = Calls(home.path)
        for target in sorted(calls[home.name].of(name) - seen):
            if is_pythons(target):
                return f"{way} -> {target}"
            seen.add(target)
            next_home = home if target in home.defined else homes.get(target)
            if next_home:
                waiting.append((target, f"{way} -> {target}", next_home))
    return ""


def _check_object(
    it: Object, homes: dict[str, Object], calls: dict[str, Calls]
) -> Iterator[str]:
    for symbol in sorted(filter(is_pythons, it.defined | it.wanted)):
        yield f"{it.name} uses {symbol}"
    for symbol in sorted(it.wanted & homes.keys()):
        home = homes[symbol]
        pattern = f"{home.name[:-4]}.h"
        if it.layer == "daemon" and home.layer == "pymod":
            if home.name != "pymod/host_main.c.o":
                yield f"{it.name} uses {symbol} of {home.name}"
        elif not _matches(pattern, MAY_INCLUDE[it.name.rpartition("/")[0]]):
            yield f"{it.name} uses {symbol} of {home.name}"
        if way := _reach(symbol, homes, calls):
            yield f"{it.name} reaches Python: {way}"


def check_symbols(found: list[Object]) -> list[str]:
    """No object that runs without the GIL can reach a symbol of Python's,
    neither itself nor by a function that it calls; and each layer calls but
    those that it may include."""
    homes = {
        symbol: it
        for it in found
        for symbol in it.defined
        if symbol.startswith("aw_")
    }
    calls: dict[str, Calls] = {}
    return [
        finding
        for it in found
        if it.without_python
        for finding in _check_object(it, homes, calls)
    ]


# ---- circles ----

# Files that call one another, directly or by way of each other: each set is one
# thing that is too long for one file. Nothing else goes in a circle.
KNOTS = [
    # Sending, and what waits for its echo.
    {"devices/confirm.c", "devices/sender.c"},
    # The reader, also of a device that is away.
    {"devices/aux_fd.c", "devices/reader.c", "devices/reopen.c"},
    # What CanFrame is, and what its constructor takes.
    {"pymod/can_frame.c", "pymod/can_frame_new.c"},
    # The host: main's half, and the bridge's.
    {"pymod/host.c", "pymod/host_main.c", "pymod/host_scripts.c"},
    # The bridge calls those who wait for it.
    {
        f"pymod/{name}.c"
        for name in "bridge coroutine/completion_wait doorbell "
        "queue_wait".split()
    },
    # A device makes queues and sends, which know their device.
    {
        f"pymod/{name}.c"
        for name in "batch device get lease periodic queue queue_make "
        "queue_peek recv send send_make send_result".split()
    },
    # The coroutine and its steps.
    {
        f"pymod/coroutine/{name}.c"
        for name in "add async_with awaitable drive run_step step_function "
        "steps".split()
    },
    # The supervisor of scripts.
    {
        f"daemon/{name}.c"
        for name in "lifecycle reload scripts_table supervisor".split()
    },
    # A round of reconfiguring, and the loop that it goes on in.
    {
        f"daemon/{name}.c"
        for name in "reconfigure reconfigure_devices reconfigure_scripts "
        "runtime".split()
    },
    # Clients of the control socket, and the commands that they give.
    {
        f"daemon/control_{name}.c"
        for name in "client commands dump log scripts send status".split()
    },
]


def _uses(found: list[Object]) -> dict[str, set[str]]:
    """Which file calls which others."""
    homes = {
        symbol: it.source
        for it in found
        for symbol in it.defined
        if symbol.startswith("aw_")
    }
    uses: dict[str, set[str]] = {}
    for it in found:
        called = {homes[symbol] for symbol in it.wanted & homes.keys()}
        uses.setdefault(it.source, set()).update(called - {it.source})
    return uses


def _reachable(start: str, uses: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = uses.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def check_circles(found: list[Object]) -> list[str]:
    """No file is called, by whatever way, by those that it calls, but for the
    knots; and these are no larger than they are said to be."""
    uses = _uses(found)
    reach = {source: _reachable(source, uses) for source in uses}
    circles = {
        frozenset(other for other in ways if source in reach[other])
        for source, ways in reach.items()
        if source in ways
    }
    knots = {frozenset(knot) for knot in KNOTS}
    return [
        *(f"in a circle: {', '.join(sorted(it))}" for it in circles - knots),
        *(f"no circle: {', '.join(sorted(it))}" for it in knots - circles),
    ]


# ---- thread roles ----

_DECLARATION = re.compile(
    r"^[a-z][\w \n*]*?\b(aw_\w+)\(([^()]*)\)\s*\n?\s*AW_ON\((\w+)\)", re.M
)


@dataclass
class Bound:
    """A function that one role alone may call."""

    name: str
    role: str
    parameters: int
    header: str


def bound_functions(root: Path) -> list[Bound]:
    return [
        Bound(name, role, parameters.count(",") + 1, source.path)
        for source in sources(root).values()
        if source.path.endswith(".h")
        for name, parameters, role in _DECLARATION.findall(
            (root / source.path).read_text()
        )
    ]
