#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Usage: core-coverage.py branches|mcdc BUILD_DIRECTORY

Counts what a run of scripts/coverage.sh has left in the directory, lists what was not reached, and writes docs/data.

Excluded branches are listed in tests/coverage-excluded.txt, a line each: file, function, text of the source line, reason,
separated by " | ". An exclusion stands for one branch that was not reached; one that is not needed is an error.
"""

import glob
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "docs" / "data"
EXCLUDED = ROOT / "tests" / "coverage-excluded.txt"
# Built for tests alone.
NOT_CORE = {"src/manager/check.c", "src/os/faults.c"}


def source(name, line):
    return (ROOT / name).read_text().splitlines()[line - 1].strip()


def is_counted(name, part):
    return name.startswith(part + "/") and name not in NOT_CORE


def save(name, data):
    DATA.mkdir(parents=True, exist_ok=True)
    (DATA / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


def gcov_files(directory):
    """Every object's counts, as gcov tells them; objects that nothing has run have no counts, but they have notes."""
    for notes in glob.glob(f"{directory}/**/*.gcno", recursive=True):
        counts = notes[:-5] + ".gcda"
        told = subprocess.run(["gcov", "-b", "-c", "--json-format", "--stdout", counts if os.path.exists(counts) else notes],
                              check=True, capture_output=True, cwd=directory).stdout
        for line in told.splitlines():
            if line.strip():
                unit = json.loads(line)
                for file in unit["files"]:
                    path = os.path.relpath(os.path.join(unit["current_working_directory"], file["file"]), ROOT)
                    yield path, file["lines"]


def gcov_branches(directory, part):
    """(file, function, line) -> counts of its branches, summed up over all objects."""
    branches = {}
    for path, lines in gcov_files(directory):
        if not is_counted(path, part):
            continue
        for line in lines:
            counts = [branch["count"] for branch in line["branches"]]
            if counts:
                key = path, line.get("function_name", ""), line["line_number"], len(counts)
                before = branches.get(key, [0] * len(counts))
                branches[key] = [a + b for a, b in zip(before, counts)]
    return branches


def read_excluded():
    if not EXCLUDED.exists():
        return []
    lines = [line for line in EXCLUDED.read_text().splitlines() if line and not line.startswith("#")]
    return [dict(zip(("file", "function", "text", "reason"), line.split(" | "))) for line in lines]


def report_branches(directory, part, name, excluded):
    branches = gcov_branches(directory, part)
    total = sum(len(counts) for counts in branches.values())
    covered = sum(count != 0 for counts in branches.values() for count in counts)
    left = list(excluded)
    missed = []
    for (path, function, line, _), counts in sorted(branches.items()):
        for number, count in enumerate(counts):
            if count != 0:
                continue
            text = source(path, line)
            match = next((e for e in left if (e["file"], e["function"], e["text"]) == (path, function, text)), None)
            if match:
                left.remove(match)
            else:
                missed.append({"file": path, "line": line, "function": function, "branch": number, "text": text})
    used = len(excluded) - len(left)
    for entry in missed:
        print(f"{entry['file']}:{entry['line']}: {entry['function']}: branch {entry['branch']} of: {entry['text']}")
    for entry in left:
        print(f"not needed in {EXCLUDED.name}: {entry}")
    percent = 100 * covered / (total - used)
    summary = f"{percent:.2f}% ({covered:,} of {total - used:,} branches), {used} excluded"
    print(f"{part}: {summary}")
    save(name, {"command": "make coverage", "summary": summary, "branches": total, "covered": covered, "excluded": excluded,
                "percent": round(percent, 2), "missed": missed})
    return percent, used, left


def count_assertions():
    """Lines of code (neither blank nor comment) of the core, and assertions in them."""
    code = found = 0
    for path in sorted((ROOT / "src").glob("*/*.[ch]")):
        if str(path.relative_to(ROOT)) in NOT_CORE or path.name == "assert.h":
            continue
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        code += sum(line.strip() != "" for line in text.splitlines())
        found += text.count("smmap__assert(")
    summary = f"{found} in {code:,} lines of code: 1 per {code / found:.1f}"
    print(f"assertions: {summary}")
    save("assertions", {"command": "make coverage", "summary": summary, "assertions": found, "lines": code})
    return code <= 20 * found


def coverage(directory):
    has_assertions = count_assertions()
    excluded = read_excluded()
    core, used, left = report_branches(directory, "src", "coverage", excluded)
    tool, _, _ = report_branches(directory, "tool", "coverage-tool", [])
    return has_assertions and core == 100 and used <= 10 and not left and tool >= 95


def mcdc(directory):
    """A record is a decision: [line, column, end line, end column, true, false, file, expanded, kind, covered conditions]."""
    told = json.loads((pathlib.Path(directory) / "mcdc.json").read_text())["data"][0]
    total = covered = 0
    missed = []
    for file in told["files"]:
        path = os.path.relpath(file["filename"], ROOT)
        if not is_counted(path, "src"):
            continue
        total += file["summary"]["mcdc"]["count"]
        covered += file["summary"]["mcdc"]["covered"]
        for record in file.get("mcdc_records", []):
            lost = [i for i, reached in enumerate(record[-1]) if not reached]
            if lost:
                missed.append({"file": path, "line": record[0], "conditions": lost, "text": source(path, record[0])})
    for entry in missed:
        print(f"{entry['file']}:{entry['line']}: condition {', '.join(str(i + 1) for i in entry['conditions'])} of: {entry['text']}")
    percent = 100 * covered / total
    summary = f"{percent:.2f}% ({covered:,} of {total:,} conditions of decisions with several)"
    print(f"MC/DC: {summary}")
    save("mcdc", {"command": "make mcdc", "summary": summary, "conditions": total, "covered": covered,
                  "percent": round(percent, 2), "missed": missed})
    return percent >= 95


def main():
    kind, directory = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    sys.exit(not (coverage if kind == "branches" else mcdc)(directory))


main()
