# SPDX-License-Identifier: BSD-3-Clause
"""
Measures this package against the original (Debian's python3-smmap) and mmap.mmap on the same file, in one run:

    PYTHONPATH=build/python python3 tests/python/bench_python.py [--docs docs/python.md]

Each line is one job: nanoseconds per operation as the median of rounds taken in turn, the ratio, and the bar it has to pass.
The cost of the empty loop is taken off all of them. Exit code 1 when a bar is missed.

A miss of a small window is the system's work: mapping one range and unmapping another. How long that takes by itself is
measured in the same rounds, and tells how far any way that maps windows one by one could come. So the bar for
misses is on windows of 2 MiB, which need no mapping of their own; those of 16 KiB are told beside what they could be.
"""
import argparse
import ctypes
import mmap
import os
import pathlib
import random
import resource
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from original import DEBIAN, load_package

import smmap

GRAIN = smmap.ALLOCATIONGRANULARITY
ROUNDS = 15
REGIONS = 2000
WINDOW = 4 * GRAIN
BEGIN, END = "<!-- written by bench_python.py -->", "<!-- end -->"


def timer(statement, **names):
    """A function that runs the statement for each x of a list and returns the seconds."""
    source = f"def run(xs, clock):\n    began = clock()\n    for x in xs:\n        {statement}\n    return clock() - began\n"
    exec(source, names)
    return names["run"]


def measure(jobs, xs):
    """Median nanoseconds per operation of each job, in turn, without the loop."""
    jobs = dict(jobs, nothing=timer("pass"))
    times = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, run in jobs.items():
            times[name].append(run(xs, time.perf_counter) / len(xs) * 1e9)
    medians = {name: statistics.median(values) for name, values in times.items()}
    empty = medians.pop("nothing")
    return {name: value - empty for name, value in medians.items()}


def windows_of(module, path, window=WINDOW, **limits):
    return module.SlidingWindowMapManager(window_size=window, **limits).make_cursor(path)


def system_calls():
    """mmap and munmap as the system has them, and a function of their form that does nothing."""
    libc = ctypes.CDLL(None)
    form = ctypes.CFUNCTYPE(
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
    )
    unmap_form = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
    return {
        "map": form(("mmap", libc)),
        "unmap": unmap_form(("munmap", libc)),
        "no_map": form(("labs", libc)),
        "no_unmap": unmap_form(("labs", libc)),
    }


def misses(reference, directory, window):
    """Median nanoseconds of asking for a region that is not mapped while so many are, as the budget allows; of an
    mmap.mmap of the same window, made and closed; and of the two system calls alone."""
    path = os.path.join(directory, "sparse")
    with open(path, "wb") as file:
        file.truncate(2 * REGIONS * window)
    # The original keeps a descriptor open for each region.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    runs = {}
    for name, module in (("ours", smmap), ("theirs", reference)):
        cursor = windows_of(module, path, window, max_memory_size=REGIONS * window)
        for i in range(REGIONS):
            cursor.use_region(i * window, 1)
        runs[name] = timer("c.use_region(x, 100)", c=cursor)
    fd = os.open(path, os.O_RDONLY)
    names = dict(system_calls(), f=fd, w=window, read=mmap.PROT_READ, shared=mmap.MAP_SHARED)
    runs["mmap"] = timer("m(f, w, access=1, offset=x).close()", m=mmap.mmap, f=fd, w=window)
    runs["calls"] = timer("unmap(map(None, w, read, shared, f, x), w)", **names)
    runs["no calls"] = timer("no_unmap(no_map(None, w, read, shared, f, x), w)", **names)
    runs["nothing"] = timer("pass")
    times = {name: [] for name in runs}
    # The other half of the file from its end down: none is mapped, for neither, and nobody reads ahead.
    position = 2 * REGIONS
    for _ in range(ROUNDS):
        xs = [(position - 1 - i) * window for i in range(100)]
        position -= 100
        for name, run in runs.items():
            times[name].append(run(xs, time.perf_counter) / len(xs) * 1e9)
    del runs, cursor
    os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    os.remove(path)
    medians = {name: statistics.median(values) for name, values in times.items()}
    medians["calls"] -= medians.pop("no calls")
    empty = medians.pop("nothing")
    return {name: value - (empty if name != "calls" else 0) for name, value in medians.items()}


class Report:
    """Prints the lines and keeps them for the documentation."""

    def __init__(self):
        self.missed = 0
        self.rows = []

    def line(self, title, ours, theirs, whom, bar, faster):
        """faster: how often ours goes into theirs, to be at least the bar; else the other way round, at most. No bar: told only."""
        ratio = theirs / ours if faster else ours / theirs
        met = bar is None or (ratio >= bar if faster else ratio <= bar)
        self.missed += not met
        relation = f"{ratio:6.2f}x {'as fast as' if faster else 'the time of'} {whom}"
        verdict = "" if bar is None else f"bar {bar:5}  {'ok' if met else 'MISSED'}"
        print(f"{title:34} {ours:9.1f} ns {theirs:11.1f} ns  {relation:42} {verdict}".rstrip())
        cell = "" if bar is None else f"{'≥' if faster else '≤'} {bar}{'' if met else ', **missed**'}"
        self.rows.append(f"| {title} | {whom} | {ratio:.{1 if ratio >= 10 else 2}f} x {'as fast' if faster else 'the time'} | {cell} |")

    def write(self, path):
        """Puts the table between the two marks in the page."""
        page = pathlib.Path(path)
        before, rest = page.read_text().split(BEGIN)
        _, after = rest.split(END)
        head = [
            f"CPython {sys.version.split()[0]}, {os.cpu_count()} processors; medians of {ROUNDS} rounds in turn.",
            "",
            "| job | against | | bar |",
            "| --- | --- | --- | --- |",
        ]
        page.write_text(before + BEGIN + "\n" + "\n".join(head + self.rows) + "\n" + END + after)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--docs", metavar="PAGE", help="write the table into this page, between its two marks")
    options = parser.parse_args()
    reference = load_package(DEBIAN / "smmap", "smmap_reference")
    pick = random.Random(1)
    report = Report()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} processors, {ROUNDS} rounds in turn, medians")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "data")
        with open(path, "wb") as file:
            for _ in range(2 * REGIONS):
                file.write(os.urandom(WINDOW))
        file = open(path, "rb")
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

        buffers = {
            "ours": smmap.SlidingWindowMapBuffer(smmap.SlidingWindowMapManager().make_cursor(path)),
            "theirs": reference.SlidingWindowMapBuffer(reference.SlidingWindowMapManager().make_cursor(path)),
            "mmap": memory,
        }
        xs = [pick.randrange(1 << 20) for _ in range(20_000)]
        got = measure({name: timer("b[x]", b=b) for name, b in buffers.items()}, xs)
        report.line("buffer[i]", got["ours"], got["theirs"], "smmap", 15, True)
        report.line("buffer[i]", got["ours"], got["mmap"], "mmap.mmap[i]", 1.2, False)
        got = measure({name: timer("b[x:x + 64]", b=b) for name, b in buffers.items()}, xs)
        report.line("buffer[i:i+64]", got["ours"], got["mmap"], "mmap.mmap[i:i+64]", 1.2, False)

        cursors = {"ours": windows_of(smmap, path).use_region(0, 1), "theirs": windows_of(reference, path).use_region(0, 1)}
        xs = [pick.randrange(WINDOW - 200) for _ in range(20_000)]
        got = measure({name: timer("c.use_region(x, 100)", c=c) for name, c in cursors.items()}, xs)
        report.line("use_region, same region", got["ours"], got["theirs"], "smmap", 15, True)

        for cursor in cursors.values():
            for i in range(REGIONS):
                cursor.use_region(i * WINDOW, 1)
        xs = [pick.randrange(REGIONS) * WINDOW + 50 for _ in range(5_000)]
        got = measure({name: timer("c.use_region(x, 100)", c=c) for name, c in cursors.items()}, xs)
        report.line(f"use_region, one of {REGIONS} mapped", got["ours"], got["theirs"], "smmap", 15, True)

        memory.close()
        file.close()
        for window in (WINDOW, 2 << 20):
            got = misses(reference, directory, window)
            title = f"region miss, {REGIONS} of {window >> 10} KiB"
            report.line(title, got["ours"], got["theirs"], "smmap", 30 if window >= 2 << 20 else None, True)
            report.line(title, got["ours"], got["mmap"], "mmap.mmap(...).close()", None, False)
            report.line(title, got["ours"], got["calls"], "the calls mmap and munmap alone", None, False)
            report.line(f"mmap + munmap alone, {window >> 10} KiB", got["calls"], got["theirs"], "smmap", None, True)
    print(f"{report.missed} bars missed" if report.missed else "all bars met")
    if options.docs:
        report.write(options.docs)
    return report.missed != 0


if __name__ == "__main__":
    sys.exit(main())
