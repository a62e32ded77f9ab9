# SPDX-License-Identifier: BSD-3-Clause
"""Reads every object of a repository through gitdb, with whatever smmap is on the path.

    python3 read_pack.py DIRECTORY default|smallest|threads

Writes a line for each object to standard output, as `git cat-file` would tell of it: name, type, size, SHA-1 of the
contents; and the seconds of processor time it took to standard error.
"""
import hashlib
import pathlib
import sys
import threading
import time

import gitdb
import gitdb.pack
import gitdb.util
import smmap


def use_smallest_windows(repository):
    """As small as gitdb accepts: its index must fit into one."""
    (index,) = (repository / "objects" / "pack").glob("*.idx")
    manager = smmap.SlidingWindowMapManager(window_size=index.stat().st_size, max_memory_size=4 * index.stat().st_size)
    # (The name gitdb.pack is another module's.)
    gitdb.util.mman = sys.modules["gitdb.pack"].mman = manager
    return manager


def read(database, shas, lines):
    for sha in shas:
        stream = database.stream(sha)
        data = stream.read()
        line = b"%s %s %d %s" % (sha.hex().encode(), stream.type, stream.size, hashlib.sha1(data).hexdigest().encode())
        lines.append(line)


def main(repository, mode):
    repository = pathlib.Path(repository)
    if mode == "smallest":
        use_smallest_windows(repository)
    objects = str(repository / "objects")
    shas = list(gitdb.GitDB(objects).sha_iter())
    lines = []
    started = time.process_time()
    if mode == "threads":
        # gitdb's objects are not for several threads; its manager is one for all.
        threads = [
            threading.Thread(target=read, args=(gitdb.GitDB(objects), shas[i::8], lines)) for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        read(gitdb.GitDB(objects), shas, lines)
    print(f"{time.process_time() - started:.4f}", file=sys.stderr)
    sys.stdout.buffer.write(b"\n".join(sorted(lines)) + b"\n")
    manager = gitdb.util.mman
    assert manager.num_file_handles() > 0
    if hasattr(manager, "stats"):
        assert manager.stats()["errors"] == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
