#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What AddressSanitizer and LeakSanitizer wrote, by whose it is.

usage: sanitizer-report.py DIRECTORY

A leak is ours when a function of the extension or of the library is on its stack; the others are memory that CPython (or
another package) has at its end, and are counted. So are the records that tracemalloc keeps of who allocated what. Exit code 1 for any error of memory and for any leak of ours.
"""
import pathlib
import re
import sys

TRACEMALLOC = re.compile(r"traceback_new .*_tracemalloc\.c")
OURS = re.compile(r"_smmap\.c|/python/src/|/src/(base|os|guard|region|file|budget|manager|cursor)/")


def main():
    ours, others, errors = [], [], []
    logs = sorted(pathlib.Path(sys.argv[1]).iterdir())
    for log in logs:
        text = log.read_text(errors="replace")
        for block in re.split(r"\n\n+", text):
            if re.match(r"\s*(Direct|Indirect) leak of", block):
                (ours if OURS.search(block) and not TRACEMALLOC.search(block) else others).append(block)
            elif "ERROR: AddressSanitizer" in block or "runtime error:" in block:
                errors.append(block)
    for block in errors + ours:
        print(block + "\n")
    print(f"{len(logs)} logs: {len(errors)} errors of memory, {len(ours)} leaks of ours, {len(others)} of others left out")
    return bool(errors or ours)


if __name__ == "__main__":
    sys.exit(main())
