"""Judges the coverage of C files: nothing may be missed.

    judge_coverage.py EXPORT FOLDER FILE…

EXPORT is what `llvm-cov export` wrote. What lies in FOLDER is judged, and each
FILE must be in the export. What several programs hold, or several sources
include, counts as one: a region that any of them runs, a branch that is taken
here and not taken there, a condition that is shown in one of them to decide on
its own (MC/DC). What a macro from elsewhere brings along is not judged, nor what
a macro of the folder brings along elsewhere.

Prints a table, and each place that was missed; exit status 1 if there is any.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

CODE_REGION = 0
KINDS = ("regions", "branches", "conditions")


def tally(functions, folder):
    """{file: {kind: {(line, column, which): covered}}} of the folder's functions.
    """
    files = defaultdict(lambda: {kind: defaultdict(bool) for kind in KINDS})
    for function in functions:
        names = function["filenames"]
        if folder not in Path(names[0]).parents:
            continue
        for line, column, *_, count, file, _, kind in function["regions"]:
            if kind == CODE_REGION:
                regions = files[names[file]]["regions"]
                regions[line, column, "never run"] |= count > 0
        for line, column, _, _, true, false, file, *_ in function["branches"]:
            branches = files[names[file]]["branches"]
            branches[line, column, "never true"] |= true > 0
            branches[line, column, "never false"] |= false > 0
        for line, column, *_, decided in function["mcdc_records"]:
            conditions = files[names[0]]["conditions"]
            for number, alone in enumerate(decided, 1):
                which = f"condition {number} never decides alone"
                conditions[line, column, which] |= alone
    return files


def summary(name, found):
    columns = [f"{name:<20}"]
    for kind in KINDS:
        covered = sum(found[kind].values())
        columns.append(f"{covered:>5} of {len(found[kind]):>4} {kind}")
    return "  ".join(columns)


def judge(export, folder, expected):
    """Prints the table. Returns what was missed, a line each."""
    files = tally(export["data"][0]["functions"], folder)
    total = {kind: {} for kind in KINDS}
    missed = [f"{path}: not in any program" for path in expected - set(files)]
    for path in sorted(files):
        if folder not in Path(path).parents:
            continue
        print(summary(Path(path).name, files[path]))
        for kind in KINDS:
            for place, covered in sorted(files[path][kind].items()):
                total[kind][path, *place] = covered
                if not covered:
                    missed.append("{}:{}:{}: {}".format(path, *place))
    print(summary("in all", total))
    # Built without, say, MC/DC it would be perfect.
    missed += [f"no {kind} were looked at" for kind in KINDS if not total[kind]]
    return missed


def main(export, folder, *expected):
    found = json.loads(Path(export).read_text(encoding="utf-8"))
    paths = {str(Path(path).resolve()) for path in expected}
    missed = judge(found, Path(folder).resolve(), paths)
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
