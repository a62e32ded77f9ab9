#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Usage: testing-report.py

Writes the figures of docs/testing.md, between its marks, from the results that the tests have left in docs/data.
Each file there is written by the command that it names; what is not there is "not measured".
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "docs" / "data"
PAGE = ROOT / "docs" / "testing.md"


def load(name):
    try:
        return json.loads((DATA / (name + ".json")).read_text())
    except FileNotFoundError:
        return None


def number(value):
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}" if isinstance(value, float) else str(value)


def plain(data):
    """A file that says itself what is to be shown, or else its numbers."""
    if "summary" in data:
        return data["summary"]
    return ", ".join(f"{key.replace('_', ' ')} {number(value)}" for key, value in data.items()
                     if isinstance(value, (int, float)) and not isinstance(value, bool)) or "see the file"


def platforms(data):
    cells = data["cells"]
    good = sum(cell["failed"] == 0 and cell["passed"] > 0 for cell in cells)
    return f"{good} of {len(cells)} cells pass"


def model(data):
    return f"{number(data['operations'])} operations, {data['failed']} failed"


def flakes(data):
    return f"{data['failures']} failures in {data['runs']} runs of {data['tests']} tests"


LINES = [
    # what, target, file, how its figures are shown
    ("branch coverage of the core (gcov, release flags)", "100%, at most 10 listed exceptions", "coverage", plain),
    ("MC/DC of the core", "at least 95%", "mcdc", plain),
    ("branch mutants killed", "at least 98%", "mutants", plain),
    ("branch coverage of the tool", "at least 95%", "coverage-tool", plain),
    ("branch coverage of extension and tool", "at least 95%", "coverage-others", plain),
    ("single-fault sweep", "complete, 0 deviations", "sweep", plain),
    ("real faults x ways of reading", "all cells pass, 0 process deaths", "faults", plain),
    ("sanitizers, memcheck, helgrind", "0 findings, 0 suppressions of our own code", "sanitizers", plain),
    ("model test, long tier", "10^7 operations", "model", model),
    ("fuzzing", "at least 8 targets, 10^7 runs, 0 open findings", "fuzz", plain),
    ("boundary table", "every public function, 64- and 32-bit", "boundaries", plain),
    ("assertions", "at least 1 per 20 lines of the core", "assertions", plain),
    ("platforms", "at least 8 cells, all passing", "platforms", platforms),
    ("flakes", "0 in 30 full runs in a row", "flakes", flakes),
]


def table():
    rows = ["| line | target | measured | by |", "| --- | --- | --- | --- |"]
    for what, target, name, show in LINES:
        data = load(name)
        shown, by = (show(data), f"`{data['command']}`" if "command" in data else "") if data else ("not measured", "")
        rows.append(f"| {what} | {target} | {shown} | {by} |")
    return rows


def cells():
    data = load("platforms")
    if data is None:
        return ["not measured"]
    rows = ["| cell | what | compiler | how | passed | failed | skipped |", "| --- | --- | --- | --- | --- | --- | --- |"]
    reasons = {}
    for cell in data["cells"]:
        compiler = re.sub(r"\s*\([^)]*\)|Debian |version ", "", cell["compiler"])
        rows.append(f"| {cell['name']} | {cell['what']} | {compiler} | {cell['how']} | {cell['passed']} | {cell['failed']} | {cell['skipped']} |")
        for skip in cell["skips"]:
            reason = re.search(r"\((.*)\)$", skip)
            reasons.setdefault(reason.group(1) if reason else skip, []).append(cell["name"])
    rows += ["", "Skipped:", ""]
    for reason, names in sorted(reasons.items()):
        counts = ", ".join(f"{name} {names.count(name)}" for name in dict.fromkeys(names))
        rows.append(f"- {reason}: {counts}")
    return rows if reasons else rows[:-3]


def main():
    text = PAGE.read_text()
    for mark, lines in (("results", table()), ("platforms", cells())):
        begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        head, rest = text.split(begin)
        text = head + begin + "\n" + "\n".join(lines) + "\n\n" + end + rest.split(end, 1)[1]
    PAGE.write_text(text)


main()
