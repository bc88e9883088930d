"""Counts what `./run test` did.

    summary.py stage FOLDER NAME STATUS   note a stage's end; print its line
    summary.py skip FOLDER NAME REASON    note a stage that could not be run
    summary.py total FOLDER               list the skips, print the sum
    summary.py guest RESULTS KERNEL       what ran in which kernel, from JUnit

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


def count_case(case):
    """Passed, failed and skipped of one <testcase>, and reasons for skips."""
    name = case.get("name", "?")
    failed = case.find("failure") is not None or case.find("error") is not None
    skipped = case.find("skipped")
    output = case.findtext("system-out") or ""
    inner = cases(output) if case.get("status") else {}
    if skipped is not None:
        return 0, 0, 1, [f"{name}: {skipped.get('message') or 'no reason'}"]
    if not inner:
        return int(not failed), int(failed), 0, []
    # A case that began and has no outcome took the program down.
    bad = sum(word in ("FAILED", "RUN") for word in inner.values())
    skips = [skip for skip, word in inner.items() if word == "SKIPPED"]
    good = len(inner) - bad - len(skips)
    reasons = [f"{skip}: {reason_of(output, skip)}" for skip in skips]
    return good, max(bad, int(failed)), len(skips), reasons


def count_stage(folder, name, status):
    """The record of one stage: counts, and reasons for skips."""
    record = {"name": name, "passed": 0, "failed": 0, "skipped": 0}
    record["reasons"] = []
    results = folder / f"{name}.xml"
    if results.is_file():
        try:
            tree = ElementTree.parse(results)
        except ElementTree.ParseError:
            status = status or 1
        else:
            for case in tree.iter("testcase"):
                passed, failed, skipped, reasons = count_case(case)
                record["passed"] += passed
                record["failed"] += failed
                record["skipped"] += skipped
                record["reasons"] += reasons
    elif status == 0:
        record["passed"] = 1
    if status != 0 and record["failed"] == 0:
        record["failed"] = 1
    return record


def line(record):
    return ", ".join(
        f"{record[key]} {key}" for key in ("passed", "failed", "skipped")
    )


def note(folder, record):
    with open(folder / "stages.jsonl", "a", encoding="utf-8") as stages:
        stages.write(json.dumps(record) + "\n")


def stage(folder, name, status):
    record = count_stage(folder, name, int(status))
    note(folder, record)
    why = {"0": "", "124": " (time limit)", "137": " (killed)"}
    ending = why.get(status, f" (exit status {status})")
    print(f"--- {name}: {line(record)}{ending}")


def skip(folder, name, reason):
    record = {"name": name, "passed": 0, "failed": 0, "skipped": 1}
    record["reasons"] = [reason]
    note(folder, record)
    print(f"\n=== {name}\n--- SKIPPED: {reason}")


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
    print(line(total))
    return 1 if total["failed"] or not total["passed"] else 0


def guest(results, kernel):
    """Prints the counts of each test file, and why what was skipped was."""
    files, reasons = {}, []
    for case in ElementTree.parse(results).iter("testcase"):
        name = case.get("classname", "").rpartition(".")[2] or "collection"
        record = files.setdefault(
            name, {"passed": 0, "failed": 0, "skipped": 0}
        )
        passed, failed, skipped, why = count_case(case)
        record["passed"] += passed
        record["failed"] += failed
        record["skipped"] += skipped
        reasons += why
    print(f"ran in {kernel}:")
    for name, record in files.items():
        print(f"  {name:24} {line(record)}")
    for reason in reasons:
        print(f"  SKIPPED {reason}")


def main(verb, path, *arguments):
    verbs = {"stage": stage, "skip": skip, "total": total, "guest": guest}
    return verbs[verb](Path(path), *arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
