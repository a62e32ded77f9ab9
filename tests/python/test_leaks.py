# SPDX-License-Identifier: BSD-3-Clause
"""Nothing leaks: references, memory, descriptors, mappings."""
import copy
import gc
import os
import sys
import weakref

import pytest

import smmap
from conftest import GRAIN, mappings_of, open_descriptors

REPEATS = max(int(1000 * float(os.environ.get("SMMAP_TEST_EFFORT", "1"))), 20)


def body(path, fd):
    """A little of everything, failures included."""
    for manager in (smmap.SlidingWindowMapManager(4 * GRAIN), smmap.StaticWindowMapManager()):
        for name in (path, fd):
            cursor = manager.make_cursor(name)
            cursor.use_region(5, 10).buffer()[0]
            cursor.use_region(offset=5000, size=9, flags=0)
            cursor.map()[:5]
            memoryview(cursor.map())[:3]
            twin = copy.copy(cursor)
            twin.assign(cursor)
            twin.assign(twin)
            region = cursor.region()
            region == twin.region(), hash(region), repr(region)
            region.increment_client_count()
            region.map(), region.buffer()
            smmap.MapWindow.from_region(region).align()
            with cursor:
                cursor.use_region(10**7)
            bytes(memoryview(twin))
            twin.read(3, 100), twin.readinto(0, bytearray(20)), twin.error(), twin.status(), twin.verify(), twin.refresh()
            twin.advise("random")
            buffer = smmap.SlidingWindowMapBuffer(twin, 7)
            buffer[0], buffer[-1], buffer[100:200], buffer[::5000], buffer.view(5, 90_000), buffer.find(b"abcdef")
            bytes(buffer), 5 in buffer
            for chunk in buffer.chunks(50_000):
                pass
            buffer.begin_access(cursor, 3)
            buffer.end_access()
            for failing in (
                lambda: cursor.use_region(-1),
                lambda: cursor.use_region("x"),
                lambda: cursor.use_region(nothing=1),
                lambda: smmap.SlidingWindowMapBuffer(cursor, 10**9),
                lambda: buffer[10**9],
                lambda: buffer["x"],
                lambda: manager.make_cursor("/nowhere").use_region(),
                lambda: manager.make_cursor(None),
                lambda: smmap.MapRegion(path, 1, 1),
                lambda: smmap.MapRegion("/nowhere", 0, 1),
                lambda: smmap.WindowCursor().path(),
                lambda: twin.fd() if name is path else twin.path(),
                lambda: region.increment_client_count(-100),
                lambda: memoryview(smmap.WindowCursor()),
            ):
                with pytest.raises((ValueError, TypeError, OSError, IndexError)):
                    failing()
        manager.stats(), manager.collect(), smmap.guard()
        smmap.MapRegion(path, 0, 100).buffer()[:3]
        with smmap.open(path, manager=manager) as file:
            file.read(10)


def test_references(path, fd):
    body(path, fd)
    counted = hasattr(sys, "gettotalrefcount")

    def measure(times):
        for _ in range(times):
            body(path, fd)
        gc.collect()
        return sys.gettotalrefcount() if counted else sys.getallocatedblocks()

    measure(20)
    descriptors = open_descriptors()
    counts = [measure(5)] + [measure(REPEATS // 4) for _ in range(4)]
    # Caches fill now and then; a leak shows in each of the four parts, once per repetition at least.
    growth = min(after - before for before, after in zip(counts, counts[1:]))
    kind = "references" if counted else "memory blocks"
    print(f"\n{4 * (REPEATS // 4)} repetitions of the body: {kind} after each quarter {counts[1:]}, growth {growth}")
    assert growth < REPEATS // 4 // 2, counts
    assert open_descriptors() == descriptors and mappings_of(path) == 0


def test_cycles(path):
    class Manager(smmap.SlidingWindowMapManager):
        pass

    class Cursor(smmap.WindowCursor):
        pass

    Manager.WindowCursorCls = Cursor
    manager = Manager()
    cursor = manager.make_cursor(path).use_region()
    buffer = smmap.SlidingWindowMapBuffer(cursor)
    manager.everything = [cursor, buffer, cursor.buffer(), cursor.map(), cursor.region(), buffer.chunks(), buffer.view()]
    cursor.itself = cursor
    watch = [weakref.ref(manager), weakref.ref(cursor), weakref.ref(buffer)]
    del manager, cursor, buffer
    gc.collect()
    gc.collect()
    assert [reference() for reference in watch] == [None, None, None]
    assert mappings_of(path) == 0


def test_reuse_after_with(manager, path):
    cursor = manager.make_cursor(path)
    for _ in range(100):
        with cursor:
            cursor.use_region(0, 10)
    manager.collect()
    assert manager.num_file_handles() == manager.num_open_files() == 0
    assert manager.stats()["files"] == 0
