"""What is to fail, from what runs have met."""

from __future__ import annotations

import errno
import random
from dataclasses import dataclass, field

from scenario import Run

# What libraries do for awaitd: sampled, beyond the first calls of each site.
SAMPLED = ("jansson", "cyaml", "yaml_")
SAMPLED_FIRST = 2


@dataclass(frozen=True)
class Site:
    key: str
    function: str
    errors: tuple[int, ...]
    callers: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """The nth call of a site fails, after one of another that made it be met."""

    site: Site
    error: int
    nth: int = 1
    before: Fault | None = None

    @property
    def text(self) -> str:
        own = f"{self.site.key}:{self.nth}:{self.error}"
        return f"{self.before.text},{own}" if self.before else own

    def environment(self) -> dict[str, str]:
        return {"AWAITD_FAULT": self.text}

    def came_about(self, run: Run) -> bool:
        return self.site.key in run.lines("fired")

    def __str__(self) -> str:
        after = f", after {self.before}" if self.before else ""
        return (
            f"{self.site.function} {errno.errorcode[self.error]}, call "
            f"{self.nth} at {self.site.key}{after}"
        )


@dataclass(frozen=True)
class PythonFault:
    number: int

    def environment(self) -> dict[str, str]:
        return {"AWAITD_FAULT_PYTHON": str(self.number), "PYTHONMALLOC": ""}

    def __str__(self) -> str:
        return f"allocation {self.number} of Python's"


def sites_of(run: Run) -> dict[str, Site]:
    found = {}
    for line in run.lines("site"):
        key, function, errors, *callers = line.split()
        numbers = tuple(int(error) for error in errors.split(","))
        found[key] = Site(key, function, numbers, tuple(callers))
    return found


@dataclass
class Met:
    """The calls that runs without a fault make, each site's most."""

    sites: dict[str, Site] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def add(self, run: Run) -> None:
        self.sites |= sites_of(run)
        for line in run.lines("calls"):
            key, count = line.split()
            self.calls[key] = max(self.calls.get(key, 0), int(count))

    def faults(self, samples: int, seed: int) -> list[Fault]:
        """Every call, a site's first with each error that it can have, the later
        ones with one of them in turn; of those in SAMPLED, a sample."""
        every, others = [], []
        for site in sorted(self.sites.values(), key=lambda site: site.key):
            for nth in range(1, self.calls.get(site.key, 1) + 1):
                sampled = site.function.startswith(SAMPLED)
                errors = site.errors
                if nth > 1:
                    errors = errors[nth % len(errors) :][:1]
                (others if sampled and nth > SAMPLED_FIRST else every).extend(
                    Fault(site, error, nth) for error in errors
                )
        count = min(samples, len(others))
        return every + random.Random(seed).sample(others, count)


@dataclass
class Behind:
    """The sites that only a run with a fault has met, and that fault."""

    known: dict[str, Site]
    found: dict[str, tuple[Site, Fault]] = field(default_factory=dict)

    def add(self, fault: Fault, run: Run) -> None:
        for key, site in sites_of(run).items():
            if key not in self.known:
                self.found.setdefault(key, (site, fault))

    def faults(self) -> list[Fault]:
        return [
            Fault(site, error, before=fault)
            for _, (site, fault) in sorted(self.found.items())
            for error in site.errors
        ]
