#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Records what gitdb, through this package, reads of a pack: the trace of a real run.

usage: PYTHONPATH=build/python record.py REPOSITORY TRACE

The repository is cloned, so that all of it is one pack, and walked twice: from commit to commit, as `git log -p` does (the
commit, the trees and files that it changed, before and after), and then over all objects in the order of
`git rev-list --objects`, as a clone does. Each read follows the chain of deltas.

The trace is text. First line: the sizes of the pack's entries, in the order in which they lie in it; second line: the
entries in the order in which they were read, by number. (An entry is read from begin to end.)
"""
import bisect
import pathlib
import subprocess
import sys
import tempfile

import gitdb
import gitdb.pack
import gitdb.util
import smmap


class TracingCursor:
    """Passes everything on to a cursor and keeps the offsets that the pack's is moved to."""

    def __init__(self, cursor, offsets):
        self._cursor = cursor
        self._offsets = offsets

    def use_region(self, offset=0, *rest):
        self._offsets.append(offset)
        self._cursor.use_region(offset, *rest)
        return self

    def __getattr__(self, name):
        return getattr(self._cursor, name)


class TracingManager(smmap.SlidingWindowMapManager):
    def __init__(self):
        super().__init__()
        self.offsets = []

    def make_cursor(self, path):
        cursor = super().make_cursor(path)
        return TracingCursor(cursor, self.offsets) if str(path).endswith(".pack") else cursor


def git(repository, *arguments):
    return subprocess.run(["git", "-C", repository, *arguments], check=True, capture_output=True, text=True).stdout


def log_walk(repository):
    for commit in git(repository, "rev-list", "HEAD").split():
        yield commit
        for line in git(repository, "diff-tree", "--root", "-r", "-t", "--no-abbrev", "--no-commit-id", "-m", commit).splitlines():
            for name in line.split()[2:4]:
                if name.strip("0"):
                    yield name


def clone_walk(repository):
    for line in git(repository, "rev-list", "--objects", "HEAD").splitlines():
        yield line.split()[0]


def entry_starts(repository, pack):
    lines = git(repository, "verify-pack", "-v", str(pack)).splitlines()
    starts = sorted(int(fields[4]) for fields in map(str.split, lines) if len(fields) >= 5 and len(fields[0]) == 40)
    return starts, pack.stat().st_size - 20


def main(source, trace):
    with tempfile.TemporaryDirectory() as place:
        repository = place + "/repository.git"
        subprocess.run(["git", "clone", "-q", "--bare", "--no-local", source, repository], check=True)
        git(repository, "repack", "-q", "-a", "-d")
        (pack,) = pathlib.Path(repository, "objects", "pack").glob("*.pack")
        starts, end = entry_starts(repository, pack)
        manager = TracingManager()
        # (The name gitdb.pack is another module's.)
        gitdb.util.mman = sys.modules["gitdb.pack"].mman = manager
        database = gitdb.GitDB(repository + "/objects")
        for walk in (log_walk, clone_walk):
            for name in walk(repository):
                database.stream(bytes.fromhex(name)).read()
    sizes = [after - start for start, after in zip(starts, starts[1:] + [end])]
    # What is read before the first entry, and after the last one, is the pack's own head and foot.
    reads = [bisect.bisect_right(starts, offset) - 1 for offset in manager.offsets if starts[0] <= offset < end]
    pathlib.Path(trace).write_text(" ".join(map(str, sizes)) + "\n" + " ".join(map(str, reads)) + "\n")
    print(f"{len(sizes)} entries, {end} bytes, {len(reads)} reads")


if __name__ == "__main__":
    main(*sys.argv[1:])
