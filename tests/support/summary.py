"""Counts what `./run test` did.

    summary.py stage FOLDER NAME STATUS SECONDS   note and print a stage's end
    summary.py skip FOLDER NAME REASON   note a stage that could not be run
    summary.py total FOLDER              list skips and failures, print the sum
    summary.py guest RESULTS KERNEL      what ran in which kernel, from JUnit

A stage that leaves FOLDER/NAME.xml (JUnit, of pytest or ctest) counts as the
tests in it; another one, as one test. Where a unit test's own output tells of
its cases, each of them counts. A stage that failed without a failed test, say
by its time limit, counts as one failure.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SHOWN_LINES = 25
ENDINGS = {124: "time limit", 137: "killed"}
CASE = re.compile(r"^\[\s*(RUN|OK|SKIPPED|FAILED|ERROR)\s*\] (\w+)\s*$", re.M)


def cases(output):
    """The outcome of each case in a cmocka program's output, by name."""
    outcome = {}
    for word, name in CASE.findall(output):
        if word == "RUN" or outcome.get(name) != "FAILED":
            outcome[name] = "FAILED" if word == "ERROR" else word
    return outcome


def reason_of(output, name):
    """What a cmocka case printed before it was skipped."""
    began = re.search(rf"^\[ RUN +\] {name}\n", output, re.M)
    ended = re.search(rf"^\[ +SKIPPED \] {name}$", output, re.M)
    text = output[began.end() : ended.start()] if began and ended else ""
    return " ".join(text.split()) or "no reason given"


def end_of(text):
    """The last lines of what a failure or a log says."""
    return text.rstrip().splitlines()[-SHOWN_LINES:]


def empty(name):
    """The record of a stage, or of a file of tests, that did nothing yet."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    return {"name": name, "reasons": [], "failures": [], **counts}


def count_case(case, record):
    """Counts one <testcase>: its outcome, or those of the cases in it."""
    name = case.get("name", "?")
    failure = case.find("failure")
    if failure is None:
        failure = case.find("error")
    skipped = case.find("skipped")
    output = case.findtext("system-out") or ""
    inner = cases(output) if case.get("status") else {}
    if skipped is not None:
        record["skipped"] += 1
        reason = skipped.get("message") or "no reason"
        record["reasons"].append(f"{name}: {reason}")
        return
    # A case that began and has no outcome took the program down.
    bad = sum(word in ("FAILED", "RUN") for word in inner.values())
    skips = [skip for skip, word in inner.items() if word == "SKIPPED"]
    good = len(inner) - bad - len(skips) if inner else int(failure is None)
    bad = max(bad, int(failure is not None))
    record["passed"] += good
    record["failed"] += bad
    record["skipped"] += len(skips)
    for skip in skips:
        record["reasons"].append(f"{skip}: {reason_of(output, skip)}")
    if bad:
        text = "" if failure is None else failure.text or ""
        file = (case.get("classname") or name).rpartition(".")[2]
        full = name if file == name else f"{file}.{name}"
        record["failures"].append((full, end_of(text or output)))


def count_stage(folder, name, status):
    """The record of one stage."""
    record = empty(name)
    results = folder / f"{name}.xml"
    if results.is_file():
        try:
            tree = ElementTree.parse(results)
        except ElementTree.ParseError:
            status = status or 1
        else:
            for case in tree.iter("testcase"):
                count_case(case, record)
    elif status == 0:
        record["passed"] = 1
    if status != 0:
        record["failed"] = max(record["failed"], 1)
        log = folder / f"{name}.log"
        text = log.read_text("utf-8", "replace") if log.is_file() else ""
        ending = ENDINGS.get(status, f"exit status {status}")
        record["failures"].append((ending, end_of(text)))
    return record


def line(record):
    return ", ".join(
        f"{record[key]} {key}" for key in ("passed", "failed", "skipped")
    )


def note(folder, record):
    with open(folder / "stages.jsonl", "a", encoding="utf-8") as stages:
        stages.write(json.dumps(record) + "\n")


def tell_failures(record):
    for name, lines in record["failures"]:
        print(f"FAILED {record['name']}: {name}")
        for text in lines:
            print(f"    {text}")


def stage(folder, name, status, seconds):
    record = count_stage(folder, name, int(status))
    note(folder, record)
    print(f"--- {name}: {line(record)} ({seconds} s)")
    tell_failures(record)


def skip(folder, name, reason):
    record = empty(name)
    record["skipped"] = 1
    record["reasons"] = [reason]
    note(folder, record)
    print(f"--- {name}: SKIPPED: {reason}")


def total(folder):
    stages = (folder / "stages.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(text) for text in stages]
    total = {
        key: sum(record[key] for record in records)
        for key in ("passed", "failed", "skipped")
    }
    print()
    for record in records:
        print(f"{record['name']:24} {line(record)}")
    for record in records:
        for reason in record["reasons"]:
            print(f"SKIPPED {record['name']}: {reason}")
    for record in records:
        tell_failures(record)
    print(line(total))
    return 1 if total["failed"] or not total["passed"] else 0


def guest(results, kernel):
    """Prints the counts of each test file, and why what was skipped was."""
    files = {}
    for case in ElementTree.parse(results).iter("testcase"):
        name = case.get("classname", "").rpartition(".")[2] or "collection"
        count_case(case, files.setdefault(name, empty(name)))
    print(f"ran in {kernel}:")
    for name, record in files.items():
        print(f"  {name:24} {line(record)}")
    for record in files.values():
        for reason in record["reasons"]:
            print(f"  SKIPPED {reason}")


def main(verb, path, *arguments):
    verbs = {"stage": stage, "skip": skip, "total": total, "guest": guest}
    return verbs[verb](Path(path), *arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
