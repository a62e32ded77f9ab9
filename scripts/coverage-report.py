#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Adds up gcov's counts of the extension.

usage: coverage-report.py OBJECTS OUTPUT.json

Branches are gcov's, without those that are thrown by exceptions. Prints each line with a branch that was never taken.
"""
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile


def main():
    objects, output = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    files = {}
    with tempfile.TemporaryDirectory() as directory:
        notes = sorted(map(str, objects.glob("*.gcno")))
        subprocess.run(["gcov", "-b", "-c", "--json-format", *notes], cwd=directory, check=True, capture_output=True)
        for result in pathlib.Path(directory).glob("*.gcov.json.gz"):
            for entry in json.loads(gzip.decompress(result.read_bytes()))["files"]:
                if "python/src/" in entry["file"]:
                    lines = files.setdefault(pathlib.Path(entry["file"]).name, {})
                    for line in entry["lines"]:
                        seen = lines.setdefault(line["line_number"], {"count": 0, "branches": {}})
                        seen["count"] += line["count"]
                        for i, branch in enumerate(b for b in line["branches"] if not b["throw"]):
                            seen["branches"][i] = seen["branches"].get(i, 0) + branch["count"]
    totals = {"lines": 0, "lines_run": 0, "branches": 0, "branches_taken": 0}
    report = {}
    for name, lines in sorted(files.items()):
        branches = [count for line in lines.values() for count in line["branches"].values()]
        report[name] = {
            "lines": len(lines),
            "lines_run": sum(line["count"] > 0 for line in lines.values()),
            "branches": len(branches),
            "branches_taken": sum(count > 0 for count in branches),
        }
        for key in totals:
            totals[key] += report[name][key]
        for number, line in sorted(lines.items()):
            if line["count"] == 0 or 0 in line["branches"].values():
                print(f"{name}:{number}: {'not run' if line['count'] == 0 else 'a branch not taken'}")
    percent = {key: round(100 * totals[key + done] / totals[key], 1) for key, done in (("lines", "_run"), ("branches", "_taken"))}
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps({"totals": totals, "percent": percent, "files": report}, indent=1) + "\n")
    print(f"{percent['lines']} % of lines, {percent['branches']} % of branches")


if __name__ == "__main__":
    sys.exit(main())
