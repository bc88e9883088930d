"""A process under test: its output can be waited for, its life is bounded."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable


class Process:
    """Runs a command without stdin, from its making on.

    Every wait ends at the one deadline, `deadline_s` after the start, with an
    AssertionError that shows what the process has said so far.
    """

    def __init__(
        self,
        command: list[str],
        *,
        deadline_s: float = 20.0,
        env: dict[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        self.command = command
        self.deadline = time.monotonic() + deadline_s
        self._lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._taken = {"stdout": 0, "stderr": 0}
        self._open = 2
        self._changed = threading.Condition()
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | (env or {}),
            cwd=cwd,
            text=True,
            errors="replace",
        )
        self._readers = [
            threading.Thread(target=self._read, args=(name,), daemon=True)
            for name in self._lines
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        with getattr(self.popen, name) as stream:
            for line in stream:
                with self._changed:
                    self._lines[name].append(line)
                    self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    @property
    def stdout(self) -> str:
        """What came so far; all of it after finish()."""
        with self._changed:
            return "".join(self._lines["stdout"])

    @property
    def stderr(self) -> str:
        with self._changed:
            return "".join(self._lines["stderr"])

    def try_line(
        self, text: str = "", timeout_s: float = 0.05, stream: str = "stdout"
    ) -> str | None:
        """The next line with `text` in it, or None if none comes in time.

        Lines before it are passed over. After None nothing is.
        """
        left = self.deadline - time.monotonic()
        assert left > 0, self._report(f"no line {text!r} before the deadline")
        with self._changed:
            self._changed.wait_for(
                lambda: self._find(stream, text) is not None or not self._open,
                min(left, timeout_s),
            )
            index = self._find(stream, text)
            if index is None:
                assert self._open, self._report(f"ended without {text!r}")
                return None
            self._taken[stream] = index + 1
            return self._lines[stream][index].rstrip("\n")

    def _find(self, stream: str, text: str) -> int | None:
        lines = self._lines[stream]
        for index in range(self._taken[stream], len(lines)):
            if text in lines[index]:
                return index
        return None

    def line(self, text: str = "", stream: str = "stdout") -> str:
        """The next line with `text` in it; lines before it are passed over."""
        while (found := self.try_line(text, 60.0, stream)) is None:
            pass
        return found

    def until_said(self, *texts: str) -> None:
        """Returns once stdout has all of them, in whatever order. No line is
        passed over by that."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._has_said(texts) or not self._open,
                max(0.0, self.deadline - time.monotonic()),
            )
            assert self._has_said(texts), self._report(f"not all of {texts}")

    def _has_said(self, texts: tuple[str, ...]) -> bool:
        said = "".join(self._lines["stdout"])
        return all(text in said for text in texts)

    def line_after(self, provoke: Callable[[], object], text: str = "") -> str:
        """As line(), calling `provoke` again and again until it comes.

        For a process that does not say when it is ready.
        """
        while (found := self.try_line(text)) is None:
            provoke()
        return found

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def finish(self) -> int:
        """The exit status, once the process and its output have ended."""
        left = max(0.0, self.deadline - time.monotonic())
        try:
            status = self.popen.wait(left)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._report("does not end")) from None
        self._join()
        return status

    def kill(self) -> None:
        """Ends it whatever it does."""
        self.popen.kill()
        self.popen.wait()
        self._join()

    def _join(self) -> None:
        # A grandchild may keep the pipes open: it is not waited for. What
        # still comes is, however slowly it is read.
        for reader in self._readers:
            for _ in range(10):
                before = self._count()
                reader.join(2.0)
                if not reader.is_alive() or self._count() == before:
                    break

    def _count(self) -> int:
        """The lines so far."""
        with self._changed:
            return sum(map(len, self._lines.values()))

    def _report(self, what: str) -> str:
        out = "".join(self._lines["stdout"][-40:])
        err = "".join(self._lines["stderr"][-40:])
        command = " ".join(self.command)
        return f"{command}: {what}\n-- stdout\n{out}-- stderr\n{err}"
