# SPDX-License-Identifier: BSD-3-Clause
"""When Python has no more memory: each allocation of each call fails once. MemoryError, and nothing lost."""
import copy
import gc

import pytest

import smmap
from conftest import GRAIN, mappings_of

testcapi = pytest.importorskip("_testcapi")


def actions(manager, path, fd):
    cursor = manager.make_cursor(path).use_region(5, 1000)
    other = manager.make_cursor(fd).use_region()
    buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(path), 3)
    region, window = cursor.region(), smmap.MapWindow(2**40, 2**41)
    target = bytearray(100_000)
    big = 2**62
    cursor.map().close()
    manager.stats()

    class Index:
        def __index__(self):
            return big

    index = Index()
    return {
        "make_cursor": lambda: manager.make_cursor(path),
        "use_region": lambda: manager.make_cursor(path).use_region(5, 10),
        "use_region by names": lambda: cursor.use_region(offset=big, size=index, flags=0),
        "descriptor": lambda: manager.make_cursor(fd).use_region(5, 10).region(),
        "buffer()": lambda: cursor.use_region(5, 1000).buffer(),
        "memoryview": lambda: memoryview(cursor),
        "map": lambda: cursor.use_region(5, 1000).map().close(),
        "region": lambda: cursor.region(),
        "region.map": lambda: region.map().close(),
        "compare": lambda: (region == cursor.region(), repr(region), hash(region)),
        "own region": lambda: smmap.MapRegion(path, 0, 500).buffer().close(),
        "copy": lambda: copy.copy(cursor),
        "assign": lambda: smmap.WindowCursor(manager).assign(other),
        "sizes": lambda: (cursor.file_size(), cursor.ofs_begin(), cursor.ofs_end(), cursor.size(), region.ofs_end()),
        "names": lambda: (cursor.path(), other.fd(), cursor.path_or_fd()),
        "status": lambda: (cursor.status(), cursor.verify(), cursor.refresh(), cursor.error()),
        "read": lambda: (cursor.read(5, 100_000), cursor.read(offset=5, size=10), cursor.readinto(0, target)),
        "advise": lambda: (cursor.advise("random"), cursor.advise("normal")),
        "stats": lambda: (manager.stats(), smmap.guard(), manager.max_file_handles(), manager.mapped_memory_size()),
        "managers": lambda: (smmap.SlidingWindowMapManager(GRAIN, big, big), smmap.StaticWindowMapManager()),
        "collect": lambda: (manager.collect(), manager.force_map_handle_removal_win(path + "x")),
        "new buffer": lambda: smmap.SlidingWindowMapBuffer(manager.make_cursor(path), 5, 100),
        "buffer": lambda: (buffer[0], buffer[5:10], buffer[5:90_000], buffer[::-7000], len(buffer)),
        "view": lambda: (buffer.view(0, 10), buffer.view(start=0, stop=big)),
        "find": lambda: (buffer.find(b"never in random data"), 7 in buffer, buffer.find(sub=b"x", start=5, end=big)),
        "chunks": lambda: [bytes(chunk[:1]) for chunk in buffer.chunks(50_000)],
        "begin_access": lambda: (buffer.begin_access(offset=3), buffer.begin_access(manager.make_cursor(path), 3)),
        "window": lambda: (smmap.MapWindow(big, big), window.ofs, window.size, window.ofs_end(), repr(window)),
        "window from": lambda: smmap.MapWindow.from_region(region),
        "window copy": lambda: (copy.copy(window), window.__reduce__()),
        "align": lambda: (smmap.align_to_mmap(2**50, True), smmap.is_64_bit()),
    }


def failures():
    wrong = "x"
    c, b, w = smmap.WindowCursor, smmap.SlidingWindowMapBuffer, smmap.MapWindow(1, 2)
    return {
        "missing": lambda m, p: m.make_cursor("/nowhere").use_region(),
        "not valid": lambda m, p: m.make_cursor(p).buffer(),
        "not associated": lambda m, p: c().use_region(),
        "past the end": lambda m, p: m.make_cursor(p).use_region(2**40).ofs_begin(),
        "wrong manager": lambda m, p: c(wrong),
        "wrong cursor": lambda m, p: b(wrong),
        "wrong offset": lambda m, p: m.make_cursor(p).use_region(wrong),
        "too large": lambda m, p: m.make_cursor(p).use_region(2**70),
        "wrong name": lambda m, p: m.make_cursor(None),
        "wrong keyword": lambda m, p: m.make_cursor(p).use_region(colour=1),
        "wrong window": lambda m, p: w.extend_left_to(wrong, 1),
        "region": lambda m, p: smmap.MapRegion("/nowhere", 0, 1),
        "index": lambda m, p: b(m.make_cursor(p))[10**9],
    }


def run(action, expected=()):
    """Lets the first, second, ... allocation fail, until it gets through a while. Returns how often MemoryError came."""
    raised = quiet = n = 0
    while quiet < 12:
        error = None
        testcapi.set_nomemory(n, n + 1)
        try:
            action()
        except MemoryError:
            raised += 1
            quiet = -1
        except Exception as caught:
            error = caught
        finally:
            testcapi.remove_mem_hooks()
        # The interpreter's own, where it has no memory for a frame of Python; functions in C that fail without an exception
        # are told by name.
        if isinstance(error, SystemError) and str(error) == "error return without exception set":
            error = None
        assert error is None or isinstance(error, expected), (n, error)
        n += 1
        quiet += 1
        assert n < 3000
    return raised


@pytest.mark.parametrize("kind", ["SlidingWindowMapManager", "StaticWindowMapManager"])
def test_each_allocation(kind, path, fd, data):
    manager = getattr(smmap, kind)()
    raised = 0
    doing = actions(manager, path, fd)
    for name, action in doing.items():
        raised += run(action)
    assert raised > 100
    # All is in order afterwards.
    for action in doing.values():
        action()
    assert bytes(smmap.SlidingWindowMapBuffer(manager.make_cursor(path))) == data
    del doing, action
    gc.collect()
    manager.collect()
    assert manager.num_file_handles() == manager.mapped_memory_size() == 0 and mappings_of(path) == 0


def test_each_allocation_of_a_failure(path):
    manager = smmap.SlidingWindowMapManager(GRAIN)
    for name, action in failures().items():
        expected = (OSError, ValueError, TypeError, OverflowError, IndexError)
        assert run(lambda: action(manager, path), expected) > 0, name
    gc.collect()
    manager.collect()
    assert manager.num_file_handles() == 0
