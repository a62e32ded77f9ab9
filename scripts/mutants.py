#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Usage: mutants.py build | record | run [SECONDS] | report | all

Branch mutants of the core: each condition of src/ (of if, while, for, do and ?:, and each operand of && and ||) forced to true
and forced to false. A mutant is killed when a test fails with it.

  build    writes the sources to build-mutants/tree with every condition c as SMMAP_MUTANT(k, c), and builds them once: the
           environment variable SMMAP_MUTANT chooses the mutant, 2 k (true) or 2 k + 1 (false), when a program starts
  record   runs each test once without a mutant and notes how long it takes and which conditions it saw true and false
  run      runs for each mutant the tests that saw the condition the other way, the quickest first, until one fails; goes on
           where it was broken off, for SECONDS at most
  report   writes docs/data/mutants.json, with the survivors, and fails when fewer than 98% were killed

A mutant whose condition no test saw the other way survives. Conditions that the build decides (constants) have none.
"""

import concurrent.futures
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build-mutants"
TREE = WORK / "tree"
BUILD = TREE / "build"
CONDITIONS = WORK / "conditions.json"
TESTS = WORK / "tests.json"
RESULTS = WORK / "results.json"
# Built for tests alone.
NOT_CORE = {"src/manager/check.c", "src/os/faults.c"}

HEADER = """
#ifndef SMMAP_MUTANT
extern int smmap__mutant;
extern unsigned char *smmap__mutant_seen;
static inline int smmap__mutant_note(int k, int value)
{
	smmap__mutant_seen[2 * k + value] = 1;
	return value;
}
#define SMMAP_MUTANT(k, ...) \\
	(smmap__mutant == 2 * (k) ? 1 : smmap__mutant == 2 * (k) + 1 ? 0 : smmap__mutant_note((k), !!(__VA_ARGS__)))
#endif
"""

# Set up before main and before any other constructor; the map is a file that the test and its children share.
DEFINITIONS = """
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int smmap__mutant = -1;
static unsigned char nowhere[{size}];
unsigned char *smmap__mutant_seen = nowhere;
__attribute__((constructor(101))) static void choose_mutant(void)
{{
	const char *number = getenv("SMMAP_MUTANT");
	const char *map = getenv("SMMAP_MUTANT_MAP");
	if (number != NULL)
		smmap__mutant = atoi(number);
	int descriptor = map != NULL ? open(map, O_RDWR | O_CLOEXEC) : -1;
	if (descriptor < 0)
		return;
	void *at = mmap(NULL, {size}, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	close(descriptor);
	if (at != MAP_FAILED)
		smmap__mutant_seen = at;
}}
"""


# ---- conditions ----


def is_constant(text):
    return re.fullmatch(r"\(*!?[A-Z][A-Z0-9_]*\)*|\d+|sizeof.*", text) is not None


class Finder:
    """The conditions of a file, as (begin, end) in its text."""

    def __init__(self, cindex):
        self.kinds = cindex.CursorKind
        self.index = cindex.Index.create()
        self.texts = {}
        self.found = {}

    def parse(self, path):
        arguments = ["-std=c11", "-D_GNU_SOURCE", "-DSMMAP_INVARIANTS=1", "-DSMMAP_FAULTS=1", "-DNDEBUG", f"-I{ROOT}/include", f"-I{ROOT}/src"]
        resources = subprocess.run(["clang-19", "-print-resource-dir"], check=True, capture_output=True, text=True).stdout.strip()
        unit = self.index.parse(str(path), args=arguments + ["-resource-dir", resources])
        errors = [d.spelling for d in unit.diagnostics if d.severity >= 3]
        if errors:
            sys.exit(f"{path}: {errors}")
        self.walk(unit.cursor)

    def name_of(self, cursor):
        file = cursor.extent.start.file
        if file is None:
            return None
        name = os.path.relpath(file.name, ROOT)
        return name if name.startswith("src/") and name not in NOT_CORE else None

    def text_of(self, name):
        if name not in self.texts:
            self.texts[name] = (ROOT / name).read_bytes()
        return self.texts[name]

    def span(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def condition_of(self, cursor):
        """The condition of a statement or of ?:, or None."""
        children = list(cursor.get_children())
        kind = cursor.kind
        if kind in (self.kinds.IF_STMT, self.kinds.WHILE_STMT, self.kinds.CONDITIONAL_OPERATOR):
            return children[0]
        if kind == self.kinds.DO_STMT:
            return children[-1]
        if kind != self.kinds.FOR_STMT:
            return None
        depth, ends = 0, []
        for token in cursor.get_tokens():
            depth += {"(": 1, ")": -1}.get(token.spelling, 0)
            if token.spelling == ";" and depth == 1:
                ends.append(token.extent.start.offset)
        return next((c for c in children if ends[0] < c.extent.start.offset < ends[1]), None) if len(ends) == 2 else None

    def operands(self, cursor):
        """The two operands of && and ||, else None."""
        if cursor.kind != self.kinds.BINARY_OPERATOR:
            return None
        children = list(cursor.get_children())
        (_, end), (begin, _) = self.span(children[0]), self.span(children[1])
        name = self.name_of(cursor)
        between = self.text_of(name)[end:begin].strip() if name else b""
        return children if between in (b"&&", b"||") else None

    def stripped(self, cursor):
        while cursor.kind in (self.kinds.PAREN_EXPR, self.kinds.UNEXPOSED_EXPR):
            children = list(cursor.get_children())
            if len(children) != 1:
                break
            cursor = children[0]
        return cursor

    def leaves(self, cursor):
        both = self.operands(self.stripped(cursor))
        return [leaf for operand in both for leaf in self.leaves(operand)] if both else [cursor]

    def add(self, cursor, function):
        name = self.name_of(cursor)
        begin, end = self.span(cursor)
        text = self.text_of(name)[begin:end].decode()
        if text and not is_constant(text):
            self.found.setdefault((name, begin, end), (cursor.extent.start.line, function, text))

    def walk(self, cursor, function=""):
        for child in cursor.get_children():
            if child.kind == self.kinds.FUNCTION_DECL:
                if self.name_of(child) is None:
                    continue
                function = child.spelling
            condition = self.condition_of(child) if self.name_of(child) else None
            if condition is not None:
                for leaf in self.leaves(condition):
                    self.add(leaf, function)
            elif self.name_of(child) and self.operands(child):
                for leaf in self.leaves(child):
                    self.add(leaf, function)
            self.walk(child, function)


def find_conditions():
    import clang.cindex as cindex  # Debian: python3-clang-19

    finder = Finder(cindex)
    for path in sorted((ROOT / "src").glob("*/*.c")):
        if str(path.relative_to(ROOT)) not in NOT_CORE:
            finder.parse(path)
    keys = sorted(finder.found)
    return [{"file": name, "begin": begin, "end": end, "line": finder.found[name, begin, end][0],
             "function": finder.found[name, begin, end][1], "text": finder.found[name, begin, end][2]}
            for name, begin, end in keys]


# ---- build ----


def mutated(text, conditions):
    """`conditions`: (number, begin, end). Outer ones open first and close last."""
    edits = []
    for number, begin, end in conditions:
        edits.append((begin, 1, -end, f"SMMAP_MUTANT({number}, "))
        edits.append((end, 0, -begin, ")"))
    for at, _, _, inserted in sorted(edits, reverse=True):
        text = text[:at] + inserted.encode() + text[at:]
    return text


def build():
    conditions = find_conditions()
    subprocess.run(["rm", "-rf", TREE], check=True)
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "src", "include", "tests", "tool", "meson.build", "meson_options.txt"],
                             cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, tracked):
        target = TREE / name
        if not (ROOT / name).exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        data = (ROOT / name).read_bytes()
        here = [(k, c["begin"], c["end"]) for k, c in enumerate(conditions) if c["file"] == name]
        if here:
            data = HEADER.encode() + b"#line 1\n" + mutated(data, here)
        if name == "src/base/error.c":
            data = HEADER.encode() + DEFINITIONS.format(size=2 * len(conditions) + 2).encode() + data
        target.write_bytes(data)
    CONDITIONS.write_text(json.dumps(conditions, indent=0))
    RESULTS.unlink(missing_ok=True)
    TESTS.unlink(missing_ok=True)
    options = ["-Dtests=true", "-Dinvariants=true", "-Doptimization=1", "-Ddebug=false", "-Dwarning_level=0"]
    if "'faults'" in (ROOT / "meson_options.txt").read_text():
        options.append("-Dfaults=true")
    subprocess.run(["meson", "setup", BUILD, TREE, *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "--quiet"], check=True)
    print(f"{len(conditions)} conditions, {2 * len(conditions)} mutants")


# ---- tests ----


def all_tests():
    names = []
    for path in sorted((TREE / "tests").glob("**/test_*.c")):
        name = "-".join(path.relative_to(TREE / "tests").with_suffix("").parts).replace("test_", "")
        program = BUILD / "tests" / name
        if program.exists():
            told = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
            names += [(name, test) for test in told]
    return names


def run_test(name, test, limit, mutant=None, seen=None):
    """Whether it passed."""
    environment = dict(os.environ, SMMAP_TEST_SEED="1", SMMAP_TEST_EFFORT="0.1", SMMAP_TEST_TIMEOUT=str(limit / 60))
    if mutant is not None:
        environment["SMMAP_MUTANT"] = str(mutant)
    if seen is not None:
        environment["SMMAP_MUTANT_MAP"] = str(seen)
    try:
        done = subprocess.run([BUILD / "tests" / name, test], env=environment, capture_output=True, timeout=6 * limit + 20)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def record_one(which):
    name, test = which
    size = 2 * len(json.loads(CONDITIONS.read_text())) + 2
    seen = WORK / f"seen.{name}.{test}"
    seen.write_bytes(bytes(size))
    begin = time.monotonic()
    passed = run_test(name, test, 240, seen=seen)
    seconds = time.monotonic() - begin
    data = seen.read_bytes()
    seen.unlink()
    if not passed:
        print(f"left out, since it fails without a mutant: {name} {test}")
    return {"program": name, "test": test, "seconds": seconds, "passed": passed, "seen": [i for i, b in enumerate(data) if b]}


def record():
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tests = list(pool.map(record_one, all_tests()))
    TESTS.write_text(json.dumps([t for t in tests if t["passed"]]))
    seen = set().union(*(t["seen"] for t in tests))
    print(f"{len(tests)} tests, {sum(t['seconds'] for t in tests):.0f} s, {len(seen)} outcomes seen")


# ---- run ----


def promise(test):
    """Kills to be expected of it, by the second."""
    return (test["kills"] + 0.5) / (test["runs"] + 1) / max(test["seconds"], 0.05)


def judge(mutant, tests, before, patience):
    """Even numbers force true, and matter where the condition was false (2 k), odd ones the other way (2 k + 1)."""
    done = set(before["done"]) if before else set()
    useful = [t for t in tests if mutant in t["seen_set"] and t["number"] not in done]
    useful.sort(key=promise, reverse=True)
    end = time.monotonic() + patience
    for tried, test in enumerate(useful):
        if time.monotonic() >= end:
            break
        done.add(test["number"])
        test["runs"] += 1
        limit = max(6.0, 8 * test["seconds"])
        if not run_test(test["program"], test["test"], limit, mutant=mutant):
            test["kills"] += 1
            return {"killed": f"{test['program']} {test['test']}", "done": sorted(done), "left": 0}
    else:
        tried = len(useful)
    return {"killed": None, "done": sorted(done), "left": len(useful) - tried}


def run(seconds):
    """
    First all mutants, each for a short time; then those that survived and have tests left, for longer and longer. In a random
    order, always the same: a run that is broken off has seen a sample.
    """
    end = time.monotonic() + seconds
    tests = json.loads(TESTS.read_text())
    for number, test in enumerate(tests):
        test.update(number=number, seen_set=set(test["seen"]), runs=0, kills=0)
    count = 2 * len(json.loads(CONDITIONS.read_text()))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    by_name = {f"{t['program']} {t['test']}": t for t in tests}
    for result in results.values():
        for number in result["done"]:
            tests[number]["runs"] += 1
        if result["killed"]:
            by_name[result["killed"]]["kills"] += 1
    order = list(range(count))
    random.Random(1).shuffle(order)
    state = {m: results.get(str(m)) for m in order}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for patience in (3, 15, 60, 1e9):
            left = [m for m, r in state.items() if r is None or (r["killed"] is None and r["left"])]
            if patience > 3 and any(r is None for r in state.values()):
                break

            def one(mutant):
                if time.monotonic() < end:
                    state[mutant] = judge(mutant, tests, state[mutant], min(patience, end - time.monotonic()))

            for begin in range(0, len(left), 50):
                list(pool.map(one, left[begin:begin + 50]))
                RESULTS.write_text(json.dumps({m: r for m, r in state.items() if r is not None}))
    done = [r for r in state.values() if r is not None]
    killed = sum(r["killed"] is not None for r in done)
    print(f"{len(done)} of {count} mutants run, {killed} killed, {sum(r['left'] != 0 for r in done)} have tests left to run")


def report():
    conditions = json.loads(CONDITIONS.read_text())
    results = json.loads(RESULTS.read_text())
    survivors = []
    for k, condition in enumerate(conditions):
        for forced, mutant in (("true", 2 * k), ("false", 2 * k + 1)):
            result = results.get(str(mutant))
            if result and result["killed"] is None:
                survivors.append({"file": condition["file"], "line": condition["line"], "function": condition["function"],
                                  "condition": condition["text"], "forced": forced, "tests": len(result["done"]), "tests_left": result["left"]})
    total, killed = len(results), len(results) - len(survivors)
    percent = 100 * killed / total
    summary = f"{percent:.2f}% ({killed:,} of {total:,} mutants), {len(survivors)} survivors listed"
    if total != 2 * len(conditions):
        summary += f"; {2 * len(conditions) - total} not run"
    for s in survivors:
        print(f"{s['file']}:{s['line']}: {s['function']}: {s['condition']} forced {s['forced']} ({s['tests']} tests, {s['tests_left']} not tried)")
    print(f"mutants: {summary}")
    path = ROOT / "docs" / "data" / "mutants.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"command": "make mutants", "summary": summary, "mutants": total, "killed": killed,
                                "percent": round(percent, 2), "survivors": survivors}, indent=1) + "\n")
    return percent >= 98 and total == 2 * len(conditions)


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1e9
    if what in ("build", "all"):
        build()
    if what in ("record", "all"):
        record()
    if what in ("run", "all"):
        run(seconds)
    if what in ("report", "all"):
        sys.exit(not report())
    if what not in ("build", "record", "run", "report", "all"):
        sys.exit(__doc__)


main()
