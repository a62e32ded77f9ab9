# SPDX-License-Identifier: BSD-3-Clause
"""WindowCursor, method by method."""
import copy
import inspect
import mmap
import os
import pathlib
import struct
import sys
import zlib

import pytest

import smmap
from conftest import GRAIN, mappings_of, open_descriptors


def test_binds_at_first_use(manager, tmp_path):
    missing = str(tmp_path / "later")
    cursor = manager.make_cursor(missing)
    assert cursor.is_associated() and not cursor.is_valid()
    with pytest.raises(FileNotFoundError) as caught:
        cursor.use_region()
    assert caught.value.filename == missing
    with pytest.raises(FileNotFoundError):
        cursor.file_size()
    pathlib.Path(missing).write_bytes(b"here now")
    assert cursor.file_size() == 8
    assert bytes(cursor.use_region().buffer()) == b"here now"


def test_use_region(any_manager, path, data):
    cursor = any_manager.make_cursor(path)
    assert cursor.use_region(10, 20) is cursor
    assert cursor.is_valid()
    assert (cursor.ofs_begin(), cursor.ofs_end(), cursor.size()) == (10, 30, 20)
    assert cursor.buffer() == data[10:30]
    assert cursor.use_region(offset=5, size=1, flags=0).buffer() == data[5:6]
    assert cursor.use_region(size=7).ofs_begin() == 0
    assert cursor.use_region(199_990, 100).buffer() == data[199_990:]
    assert cursor.use_region(199_999).size() == 1


def test_size_is_the_window_at_most(manager, path, data):
    cursor = manager.make_cursor(path)
    window = manager.window_size()
    assert window == 4 * GRAIN
    for size in (0, window, window + 1, 10**9):
        # Not cut at the window's border.
        assert cursor.use_region(5000, size).size() == window
        assert cursor.buffer() == data[5000 : 5000 + window]


@pytest.mark.parametrize("offset", [200_000, 200_001, 2**40, 2**63 - 1])
def test_past_the_end_is_invalid(any_manager, path, offset):
    cursor = any_manager.make_cursor(path)
    cursor.use_region()
    assert not cursor.use_region(offset, 10).is_valid()
    assert cursor.is_associated() and cursor.size() == 0
    assert cursor.use_region(0, 10).is_valid()


def test_invalid_cursor(manager, path):
    cursor = manager.make_cursor(path)
    assert cursor.size() == 0
    assert cursor.region() is None
    for method in (cursor.buffer, cursor.map, cursor.ofs_begin, cursor.ofs_end):
        with pytest.raises(ValueError):
            method()
        with pytest.raises(AssertionError):
            method()
    with pytest.raises(smmap.InvalidCursorError):
        cursor.includes_ofs(0)
    with pytest.raises(smmap.InvalidCursorError):
        memoryview(cursor)
    cursor.unuse_region()
    cursor._destroy()
    cursor._destroy()


@pytest.mark.parametrize("arguments", [(), (None,)])
def test_unassociated_cursor(manager, arguments):
    for cursor in (smmap.WindowCursor(*arguments), smmap.WindowCursor(manager)):
        assert not cursor.is_valid() and not cursor.is_associated()
        assert cursor.size() == 0 and cursor.region() is None
        for method in (
            cursor.use_region,
            cursor.file_size,
            cursor.path_or_fd,
            cursor.path,
            cursor.fd,
            cursor.verify,
            cursor.refresh,
            cursor.status,
        ):
            with pytest.raises(ValueError):
                method()
        cursor.unuse_region()
        cursor._destroy()
        assert not copy.copy(cursor).is_associated()


def test_includes_ofs(manager, path):
    cursor = manager.make_cursor(path).use_region(100, 50)
    assert cursor.includes_ofs(100) and cursor.includes_ofs(149)
    for offset in (99, 150, -1, -(2**70), 2**63, 2**70):
        assert not cursor.includes_ofs(offset)


@pytest.mark.parametrize("kind", [str, os.fsencode, pathlib.Path])
def test_names(manager, path, data, kind):
    name = kind(path)
    cursor = manager.make_cursor(name)
    assert cursor.path_or_fd() is name
    assert cursor.path() == (name if kind is os.fsencode else path)
    with pytest.raises(ValueError):
        cursor.fd()
    assert cursor.use_region(0, 10).buffer() == data[:10]
    assert cursor.path_or_fd() is name


def test_descriptor(manager, fd, data):
    cursor = manager.make_cursor(fd)
    assert cursor.path_or_fd() is fd and cursor.fd() == fd
    with pytest.raises(ValueError):
        cursor.path()
    assert cursor.file_size() == len(data)
    assert cursor.use_region(0, 10).buffer() == data[:10]


def test_assign_and_copy(any_manager, path, data):
    first = any_manager.make_cursor(path).use_region(30, 10)
    other = smmap.WindowCursor(any_manager)
    assert other.assign(first) is None
    for second in (other, copy.copy(first)):
        assert type(second) is type(first)
        assert second.path_or_fd() is first.path_or_fd()
        assert second.buffer() == data[30:40]
        second.use_region(50, 5)
        assert first.buffer() == data[30:40]
        second.unuse_region()
        assert first.is_valid()
        second._destroy()
    first.assign(first)
    assert first.buffer() == data[30:40]
    lazy = copy.copy(any_manager.make_cursor(path))
    assert lazy.is_associated() and not lazy.is_valid()
    assert lazy.use_region(0, 1).buffer() == data[:1]


def test_copies_of_unbound_cursors(manager, fd, data):
    """They open the same descriptor, and no other."""
    lazy = manager.make_cursor(fd)
    other = smmap.WindowCursor(manager)
    other.assign(lazy)
    used = manager.make_cursor(fd).use_region()
    used._destroy()
    for cursor in (copy.copy(lazy), other, copy.copy(used)):
        assert cursor.fd() == fd and cursor.path_or_fd() is fd
        assert cursor.use_region().buffer()[:] == data[: cursor.size()]
        assert cursor.status()["inode"] == os.fstat(fd).st_ino
    # From a path to a descriptor and back.
    other = manager.make_cursor(__file__)
    other.assign(lazy)
    assert other.file_size() == len(data)
    other.assign(manager.make_cursor(__file__))
    assert other.file_size() == os.path.getsize(__file__)


def test_copies_between_managers(path, data):
    one, two = smmap.SlidingWindowMapManager(), smmap.StaticWindowMapManager()
    first, second = one.make_cursor(path).use_region(1, 2), two.make_cursor(path).use_region(3, 4)
    first.assign(second)
    assert first.buffer() == data[3:7]
    assert one.num_file_handles() == 1 and one.collect() == 1
    del second
    assert two.collect() == 0 and first.buffer() == data[3:7]


def test_context_manager(manager, path, data):
    with manager.make_cursor(path) as cursor:
        assert cursor.use_region(0, 10).is_valid()
    assert not cursor.is_valid()
    assert manager.collect() == 1
    # It can be used again.
    assert cursor.use_region(7, 3).buffer() == data[7:10]


def test_region(manager, path):
    cursor = manager.make_cursor(path).use_region(5 * GRAIN, 10)
    region = cursor.region()
    assert isinstance(region, smmap.MapRegion)
    assert (region.ofs_begin(), region.size(), region.ofs_end()) == (4 * GRAIN, 4 * GRAIN, 8 * GRAIN)
    assert region.includes_ofs(4 * GRAIN) and not region.includes_ofs(8 * GRAIN)
    assert region.client_count() == 2
    again = manager.make_cursor(path).use_region(4 * GRAIN, 1)
    assert region.client_count() == 3
    assert again.region() == region and hash(again.region()) == hash(region)
    again.use_region(0, 1)
    assert region.client_count() == 2
    assert again.region() != region and again.region() != "region"
    cursor.unuse_region()
    assert region.client_count() == 1


def test_map(any_manager, path, data):
    before = open_descriptors()
    cursor = any_manager.make_cursor(path).use_region(100, 10)
    region = cursor.region()
    held = any_manager.mapped_memory_size()
    memory = cursor.map()
    assert isinstance(memory, mmap.mmap)
    assert cursor.map() is memory
    assert any_manager.make_cursor(path).use_region(0, 1).map() is memory
    assert memory[:] == data[region.ofs_begin() : region.ofs_end()]
    assert memory[-20:] == data[: region.ofs_end()][-20:]
    assert memory.find(data[1000:1010]) == 1000 and memory.size() == len(memory) == region.size()
    assert struct.unpack_from(">L", memory, 8) == struct.unpack_from(">L", data, 8)
    assert any_manager.mapped_memory_size() == held
    with pytest.raises(TypeError):
        memory[0] = 1
    with pytest.raises(TypeError):
        memory.resize(10)
    # Held by us it stays, collected or not; let go of it is gone with its region.
    cursor.unuse_region()
    assert any_manager.collect() == 0
    assert memory[:5] == data[:5]
    del memory
    assert any_manager.collect() == 1
    cursor._destroy()
    del region
    assert any_manager.mapped_memory_size() == 0 and mappings_of(path) == 0
    assert open_descriptors() <= before + any_manager.stats()["descriptors"]


def test_map_of_a_longer_range(manager, path, data):
    """A range over a border is one region that begins where the map of a shorter one does."""
    cursor = manager.make_cursor(path)
    for offset, size in ((0, 1), (5000, 4 * GRAIN), (0, 1)):
        region = cursor.use_region(offset, size).region()
        assert cursor.map()[:] == data[region.ofs_begin() : region.ofs_end()]


def test_map_closed_by_its_user(manager, path, data):
    cursor = manager.make_cursor(path).use_region(0, 10)
    with cursor.map() as memory:
        view = memoryview(memory)
        with pytest.raises(BufferError):
            memory.close()
        assert view[:10] == data[:10]
        view.release()
    with pytest.raises(ValueError):
        memory[0]
    assert cursor.map()[:10] == data[:10]
    assert cursor.map() is not memory


def test_map_outlives_everything(path, data):
    cursor = smmap.StaticWindowMapManager().make_cursor(path).use_region()
    memory = cursor.map()
    view = memoryview(memory)[1000:2000]
    del cursor, memory
    assert view == data[1000:2000]
    view.release()
    assert mappings_of(path) == 0


def test_buffer_protocol(any_manager, path, data):
    cursor = any_manager.make_cursor(path).use_region(100, 1000)
    assert zlib.crc32(cursor) == zlib.crc32(data[100:1100])
    assert struct.unpack_from("<Q", cursor, 8) == struct.unpack_from("<Q", data, 108)
    view = memoryview(cursor)
    assert view.readonly and view.format == "B" and view.nbytes == 1000
    cursor.use_region(5000, 10)
    assert view == data[100:1100]


def test_read(any_manager, path, data):
    cursor = any_manager.make_cursor(path)
    assert cursor.read(0, 10**9) == data
    assert cursor.read(199_999, 5) == data[199_999:]
    assert cursor.read(200_000, 5) == b"" and cursor.read(0, 0) == b""
    assert not cursor.is_valid()
    target = bytearray(100_000)
    assert cursor.readinto(50_000, target) == 100_000
    assert target == data[50_000:150_000]
    assert cursor.readinto(199_990, target) == 10
    with pytest.raises(TypeError):
        cursor.readinto(0, b"read-only")


def test_advise_and_status(manager, path):
    cursor = manager.make_cursor(path)
    for advice in ("random", "sequential", "normal"):
        cursor.advise(advice)
    cursor.advise("willneed", 0, GRAIN)
    with pytest.raises(ValueError):
        cursor.advise("quickly")
    with pytest.raises(TypeError):
        cursor.advise(3)
    status = cursor.status()
    stat = os.stat(path)
    assert (status["size"], status["device"], status["inode"]) == (200_000, stat.st_dev, stat.st_ino)
    assert status["mtime_ns"] == stat.st_mtime_ns
    assert status["placement"] in ("stable", "detached") and status["backing"] == "shared"
    assert status["stale"] is False


def test_flags_reach_open(manager, path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError) as caught:
        manager.make_cursor(str(link)).use_region(0, 1, os.O_NOFOLLOW)
    assert caught.value.filename == str(link)
    cursor = manager.make_cursor(path).use_region(flags=os.O_NOATIME)
    assert cursor.status()["open_flags"] & os.O_NOATIME
    with pytest.raises(OSError):
        manager.make_cursor(path).use_region(flags=os.O_WRONLY)


@pytest.mark.parametrize("call", ["use_region", "includes_ofs", "read"])
@pytest.mark.parametrize("wrong", ["1", 1.0, None, b"1", [1]])
def test_wrong_types(manager, path, call, wrong):
    cursor = manager.make_cursor(path).use_region()
    method = getattr(cursor, call)
    with pytest.raises(TypeError, match="ofs" if call == "includes_ofs" else "offset"):
        method(wrong, 1) if call == "read" else method(wrong)
    assert cursor.is_valid()


def test_wrong_arguments(manager, path):
    cursor = manager.make_cursor(path).use_region(5, 6)
    with pytest.raises(TypeError, match="size"):
        cursor.use_region(0, "1")
    with pytest.raises(TypeError, match="flags"):
        cursor.use_region(0, 1, "1")
    with pytest.raises(TypeError, match="colour"):
        cursor.use_region(colour=1)
    with pytest.raises(TypeError, match="offset"):
        cursor.use_region(0, offset=1)
    with pytest.raises(TypeError):
        cursor.use_region(1, 2, 3, 4)
    with pytest.raises(TypeError, match="rhs"):
        cursor.assign("cursor")
    with pytest.raises(TypeError, match="manager"):
        smmap.WindowCursor("manager")
    for offset, size in ((-1, 1), (-5000, 10), (0, -1), (0, -(2**70))):
        with pytest.raises(ValueError):
            cursor.use_region(offset, size)
    for offset, size in ((2**63, 1), (0, 2**63), (2**64, 0), (2**200, 1)):
        with pytest.raises((ValueError, OverflowError)):
            cursor.use_region(offset, size)
    assert (cursor.ofs_begin(), cursor.size()) == (5, 6)


def test_integers_of_other_kinds(manager, path, data):
    class Index:
        def __index__(self):
            return 3

    cursor = manager.make_cursor(path).use_region(Index(), True)
    assert cursor.buffer() == data[3:4]


def test_signatures():
    def arguments(function):
        return [(p.name, p.default) for p in inspect.signature(function).parameters.values() if p.name != "self"]

    buffer = [("cursor", None), ("offset", 0), ("size", sys.maxsize), ("flags", 0)]
    assert arguments(smmap.WindowCursor.use_region) == [("offset", 0), ("size", 0), ("flags", 0)]
    assert arguments(smmap.SlidingWindowMapBuffer.begin_access) == buffer
    for function, name in (
        (smmap.WindowCursor.includes_ofs, "ofs"),
        (smmap.WindowCursor.assign, "rhs"),
        (smmap.MapRegion.includes_ofs, "ofs"),
        (smmap.MapWindow.from_region, "region"),
        (smmap.SlidingWindowMapManager.make_cursor, "path_or_fd"),
        (smmap.SlidingWindowMapManager.force_map_handle_removal_win, "base_path"),
        (smmap.SlidingWindowMapManager._collect_lru_region, "size"),
    ):
        assert arguments(function) == [(name, inspect.Parameter.empty)]
    if sys.version_info < (3, 10):
        return  # it does not tell the signatures of such classes
    assert arguments(smmap.WindowCursor) == [("manager", None), ("regions", None)]
    assert arguments(smmap.SlidingWindowMapBuffer) == buffer
    limits = [("max_memory_size", 0), ("max_open_handles", sys.maxsize), ("change", "ignore")]
    assert arguments(smmap.SlidingWindowMapManager) == [("window_size", -1)] + limits
    assert arguments(smmap.StaticWindowMapManager) == [("window_size", 0)] + limits


def test_arguments_by_name(path, data):
    manager = smmap.SlidingWindowMapManager(window_size=GRAIN, max_memory_size=0, max_open_handles=10)
    cursor = manager.make_cursor(path_or_fd=path)
    assert cursor.use_region(size=5, offset=3).includes_ofs(ofs=4)
    other = smmap.WindowCursor(manager=manager, regions=None)
    other.assign(rhs=cursor)
    assert other.buffer() == data[3:8] and other.region().includes_ofs(ofs=0)
    assert smmap.MapWindow.from_region(region=other.region()).size == GRAIN
    assert manager._collect_lru_region(size=0) == 0
    with pytest.warns(ResourceWarning):
        assert manager.force_map_handle_removal_win(base_path=path) == 0


def test_subclass(path, data):
    class Cursor(smmap.WindowCursor):
        def __init__(self, manager=None, regions=None):
            super().__init__(manager, regions)
            self.seen = (manager, regions)

        def first(self):
            return self.use_region(0, 1).buffer()[0]

    class Regions(smmap.MapRegionList):
        pass

    class Manager(smmap.SlidingWindowMapManager):
        WindowCursorCls = Cursor
        MapRegionListCls = Regions

    manager = Manager(window_size=GRAIN)
    assert manager.window_size() == GRAIN
    cursor = manager.make_cursor(path)
    assert type(cursor) is Cursor
    assert cursor.seen[0] is manager and type(cursor.seen[1]) is Regions
    assert cursor.seen[1].path_or_fd() is path
    assert cursor.first() == data[0]
    twin = copy.copy(cursor)
    assert type(twin) is Cursor and twin.buffer() == data[:1]
    assert smmap.SlidingWindowMapBuffer(cursor)[1] == data[1]
