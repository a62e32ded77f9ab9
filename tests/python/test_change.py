# SPDX-License-Identifier: BSD-3-Clause
"""Files that change under their users: truncated, replaced, grown, or not what they seemed."""
import errno
import faulthandler
import mmap
import os
import pathlib
import socket
import subprocess
import sys

import pytest

import smmap
from conftest import GRAIN, make_file, open_descriptors

SIZE = 64 * GRAIN


@pytest.fixture
def victim(tmp_path):
    return make_file(tmp_path / "victim", SIZE)


def truncate(path, size=0):
    """By another process, as in life."""
    subprocess.run([sys.executable, "-S", "-c", f"import os; os.truncate({str(path)!r}, {size})"], check=True)


@pytest.fixture(autouse=True)
def guarded():
    assert smmap.guard()["enabled"]


# ---- truncation ------------------------------------------------------------------------------------------------------

KINDS = {
    "buffer()": lambda c: c.buffer(),
    "memoryview(cursor)": lambda c: memoryview(c),
    "memoryview(map)": lambda c: memoryview(c.map()),
    "region.buffer()": lambda c: memoryview(c.region().buffer()),
    "buffer.view()": lambda c: smmap.SlidingWindowMapBuffer(c).view(),
    "memoryview(buffer)": lambda c: memoryview(smmap.SlidingWindowMapBuffer(c)),
}


@pytest.mark.parametrize("rearmed", [False, True], ids=["", "faulthandler-after"])
@pytest.mark.parametrize("kind", KINDS)
def test_live_view(any_manager, victim, kind, rearmed):
    data = victim.read_bytes()
    cursor = any_manager.make_cursor(str(victim)).use_region()
    view = KINDS[kind](cursor)
    assert view[:10] == data[:10] and cursor.error() is None
    if rearmed:
        faulthandler.disable()
        faulthandler.enable()
        # The next miss puts ours on top again.
        any_manager.make_cursor(__file__).use_region()
    faults = smmap.guard()["faults"]
    truncate(victim, GRAIN)
    assert set(bytes(view[GRAIN:])) == {0}
    assert bytes(view[:GRAIN]) == data[:GRAIN]
    assert smmap.guard()["faults"] > faults
    error = cursor.error()
    assert isinstance(error, OSError) and error.errno == errno.EIO
    assert error.filename == str(victim) and GRAIN <= error.offset < SIZE
    with pytest.raises(OSError) as caught:
        cursor.use_region(2 * GRAIN, 10)
    assert caught.value.errno in (errno.EIO, errno.ESTALE)
    del view
    # Taken up: the new size.
    assert cursor.refresh() & smmap._smmap.CHANGE_SHRANK
    assert cursor.error() is None and cursor.file_size() == GRAIN
    assert cursor.use_region().buffer() == data[:GRAIN]


def test_a_map_by_itself(victim):
    region = smmap.MapRegion(str(victim), 0, SIZE)
    view = memoryview(region.buffer())
    truncate(victim)
    assert set(bytes(view)) == {0}


@pytest.mark.parametrize(
    "use",
    [
        lambda b: b[SIZE - 1],
        lambda b: b[GRAIN : 2 * GRAIN],
        lambda b: b[::7],
        lambda b: b.find(b"no such thing in the file"),
        lambda b: list(b),
        lambda b: b.cursor().read(GRAIN, 10),
    ],
    ids=["index", "slice", "steps", "find", "list", "read"],
)
def test_reading_raises(any_manager, victim, use):
    data = victim.read_bytes()
    buffer = smmap.SlidingWindowMapBuffer(any_manager.make_cursor(str(victim)))
    buffer[:]
    truncate(victim, GRAIN)
    with pytest.raises(OSError) as caught:
        use(buffer)
    assert caught.value.errno in (errno.EIO, errno.ESTALE) and caught.value.filename == str(victim)
    # What is there still can be had; others are not touched.
    assert buffer[: GRAIN // 2] == data[: GRAIN // 2]
    assert any_manager.make_cursor(__file__).use_region().buffer()[:5] == b"# SPD"
    # A new cursor sees the new size.
    cursor = any_manager.make_cursor(str(victim))
    assert cursor.file_size() == GRAIN
    assert cursor.use_region().buffer() == data[:GRAIN]


def test_truncated_file_object(any_manager, victim):
    with smmap.open(victim, manager=any_manager) as file:
        file.read(10)
        truncate(victim)
        with pytest.raises(OSError):
            file.read()


def test_truncated_before_first_use(manager, victim):
    cursor = manager.make_cursor(str(victim))
    truncate(victim, 100)
    assert cursor.file_size() == 100
    assert cursor.use_region(50, 1000).size() == 50


# ---- other changes -----------------------------------------------------------------------------------------------------


def test_verify_and_refresh(any_manager, victim):
    cursor = any_manager.make_cursor(str(victim)).use_region(0, 10)
    assert cursor.verify() == 0 and cursor.refresh() == 0
    with open(victim, "ab") as file:
        file.write(b"more")
    assert cursor.verify() & smmap.CHANGE_GREW
    assert cursor.file_size() == SIZE
    assert cursor.refresh() & smmap.CHANGE_GREW
    assert cursor.file_size() == SIZE + 4
    assert cursor.use_region(SIZE, 10).buffer() == b"more"
    with open(victim, "r+b") as file:
        file.write(b"over")
    os.utime(victim, ns=(1, 1))
    assert cursor.verify() & smmap.CHANGE_MODIFIED
    cursor.refresh()
    assert cursor.verify() == 0


def test_grown_file_is_seen_by_a_new_cursor(any_manager, victim):
    any_manager.make_cursor(str(victim)).use_region()
    with open(victim, "ab") as file:
        file.write(b"more")
    cursor = any_manager.make_cursor(str(victim))
    assert cursor.file_size() == SIZE + 4
    assert cursor.use_region(SIZE - 2).buffer()[2:] == b"more"


def test_replaced_by_rename(any_manager, victim, tmp_path):
    old = victim.read_bytes()
    buffer = smmap.SlidingWindowMapBuffer(any_manager.make_cursor(str(victim)))
    buffer[0]
    other = make_file(tmp_path / "other", SIZE)
    new = other.read_bytes()
    os.replace(other, victim)
    try:
        assert buffer[:] == old
    except OSError as error:
        assert error.errno == errno.ESTALE
    assert buffer.cursor().verify() & smmap.CHANGE_REPLACED
    assert bytes(smmap.SlidingWindowMapBuffer(any_manager.make_cursor(str(victim)))) == new
    assert buffer.cursor().refresh() & smmap.CHANGE_REPLACED
    with pytest.raises(OSError):
        buffer[0]
    assert buffer.begin_access() and buffer[:] == new


def test_descriptor_means_another_file(manager, victim, tmp_path):
    other = make_file(tmp_path / "other", 2 * SIZE)
    fd = os.open(victim, os.O_RDONLY)
    cursor = manager.make_cursor(fd)
    first = cursor.use_region(0, 10).buffer()
    os.close(fd)
    again = os.open(other, os.O_RDONLY)
    assert again == fd
    try:
        assert cursor.verify() & smmap.CHANGE_REPLACED
        fresh = manager.make_cursor(fd)
        assert fresh.file_size() == 2 * SIZE
        assert fresh.use_region(0, 10).buffer() == other.read_bytes()[:10]
        # The old cursor: its own file's bytes, or ESTALE; never the other's.
        manager.collect()
        try:
            assert cursor.use_region(SIZE - 10).buffer() == victim.read_bytes()[-10:]
        except OSError as error:
            assert error.errno == errno.ESTALE
        assert first == victim.read_bytes()[:10]
    finally:
        os.close(again)


def test_closed_descriptor(manager, victim, path, data):
    other = manager.make_cursor(path).use_region(0, 10)
    fd = os.open(victim, os.O_RDONLY)
    os.close(fd)
    for number in (fd, -1, 2**31, 2**70):
        cursor = manager.make_cursor(number)
        with pytest.raises(OSError) as caught:
            cursor.use_region()
        assert caught.value.errno == errno.EBADF and caught.value.filename == number
    assert other.buffer() == data[:10] and manager.num_file_handles() == 1
    write_only = os.open(victim, os.O_WRONLY)
    with pytest.raises(OSError):
        manager.make_cursor(write_only).use_region()
    os.close(write_only)


def test_one_inode_is_one_map(any_manager, victim, tmp_path):
    os.link(victim, tmp_path / "hard")
    (tmp_path / "soft").symlink_to(victim)
    fd = os.open(victim, os.O_RDONLY)
    names = [str(victim), str(tmp_path / "hard"), str(tmp_path / "soft"), os.path.join(tmp_path, ".", "victim"), fd]
    cursors = [any_manager.make_cursor(name).use_region(0, 1) for name in names]
    assert any_manager.num_open_files() == any_manager.num_file_handles() == 1
    assert [cursor.path_or_fd() for cursor in cursors] == names
    os.close(fd)


def test_what_is_no_plain_file(any_manager, tmp_path, path, data):
    kept = any_manager.make_cursor(path).use_region(0, 10)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    for name, error in (("", FileNotFoundError), (".", IsADirectoryError), ("fifo", OSError), ("socket", OSError)):
        cursor = any_manager.make_cursor(str(tmp_path / name) if name else "")
        with pytest.raises(error):
            cursor.use_region()
        with pytest.raises(error):
            smmap.SlidingWindowMapBuffer(cursor)
    with pytest.raises(OSError):
        any_manager.make_cursor("/dev/null").use_region()
    with pytest.raises(OSError):
        any_manager.make_cursor("x" * 10_000).use_region()
    empty = any_manager.make_cursor(str(tmp_path / "empty"))
    assert empty.file_size() == 0 and not empty.use_region().is_valid()
    with pytest.raises(ValueError):
        smmap.SlidingWindowMapBuffer(empty)
    server.close()
    # Nobody else was touched.
    assert kept.buffer() == data[:10] and any_manager.num_file_handles() == 1


def test_files_of_proc(any_manager):
    expected = pathlib.Path("/proc/version").read_bytes()
    cursor = any_manager.make_cursor("/proc/version")
    assert cursor.file_size() == len(expected)
    assert cursor.use_region().buffer() == expected
    assert isinstance(cursor.map(), mmap.mmap) and cursor.map()[:] == expected
    assert cursor.status()["backing"] == "memory"
    assert bytes(smmap.SlidingWindowMapBuffer(cursor)) == expected


# ---- live views and collect --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_collect_with_a_live_view(any_manager, victim, kind, path):
    data = victim.read_bytes()
    cursor = any_manager.make_cursor(str(victim)).use_region()
    view = KINDS[kind](cursor)
    cursor._destroy()
    any_manager.collect()
    other = any_manager.make_cursor(path).use_region()
    other.unuse_region()
    any_manager.collect()
    assert view == data[: len(view)]
    del view, cursor
    any_manager.collect()
    assert any_manager.num_file_handles() == 0 and any_manager.mapped_memory_size() == 0


def test_view_outlives_cursor_and_manager(path, data):
    view = smmap.SlidingWindowMapManager().make_cursor(path).use_region(5, 10).buffer()
    assert view == data[5:15]
    part = view[3:5]
    view.release()
    assert part == data[8:10]


def test_failed_open_keeps_the_cache(any_manager, path, tmp_path):
    cursor = any_manager.make_cursor(path).use_region()
    cursor.unuse_region()
    count = any_manager.num_file_handles()
    for name in (tmp_path / "none", tmp_path):
        with pytest.raises(OSError):
            any_manager.make_cursor(name).use_region()
    assert any_manager.num_file_handles() == count == 1


def test_descriptors_are_bounded(tmp_path):
    before = open_descriptors()
    manager = smmap.SlidingWindowMapManager(GRAIN)
    paths = [make_file(tmp_path / str(i), 3 * GRAIN) for i in range(200)]
    cursors = [manager.make_cursor(p).use_region(GRAIN, 10) for p in paths]
    maps = [cursor.map() for cursor in cursors]
    assert open_descriptors() - before <= 33
    assert all(m[:10] == p.read_bytes()[GRAIN:][:10] for m, p in zip(maps, paths))
    del cursors, maps
    manager.collect()
    assert manager.stats()["files"] == 0 and open_descriptors() == before


# ---- policies --------------------------------------------------------------------------------------------------------

MANAGERS = [smmap.SlidingWindowMapManager, smmap.StaticWindowMapManager]


@pytest.mark.parametrize("make_manager", MANAGERS)
@pytest.mark.parametrize("change", ["ignore", "report", "refuse"])
def test_policy(make_manager, change, victim):
    os.utime(victim, (10**9, 10**9))
    old = victim.read_bytes()
    manager = make_manager(GRAIN, change=change)
    cursor = manager.make_cursor(victim)
    assert cursor.use_region(0, 100).buffer()[:] == old[:100]
    cursor.unuse_region()
    manager.collect()
    victim.write_bytes(old[::-1])
    if change == "refuse":
        for read in (lambda: cursor.use_region(GRAIN, 10), lambda: cursor.read(3 * GRAIN, 10)):
            with pytest.raises(OSError) as caught:
                read()
            assert caught.value.errno == errno.ESTALE
        with pytest.raises(OSError) as caught:
            manager.make_cursor(victim).use_region(0, 10)
        assert caught.value.errno == errno.ESTALE
    else:
        assert cursor.read(3 * GRAIN, 10) == old[::-1][3 * GRAIN:3 * GRAIN + 10]
    noted = 0 if change == "ignore" else smmap.CHANGE_MODIFIED
    assert cursor.status()["change"] == noted
    assert manager.stats()["changed"] == (change != "ignore")
    assert cursor.verify() == smmap.CHANGE_MODIFIED
    assert cursor.refresh() == smmap.CHANGE_MODIFIED
    assert cursor.status()["change"] == 0
    assert cursor.use_region(GRAIN, 10).buffer()[:10] == old[::-1][GRAIN:GRAIN + 10]


@pytest.mark.parametrize("make_manager", MANAGERS)
def test_policy_arguments(make_manager):
    for wrong in ("", "Refuse", "refuse\0"):
        with pytest.raises(ValueError, match="change"):
            make_manager(change=wrong)
    for wrong in (1, None, b"refuse"):
        with pytest.raises(TypeError, match="change"):
            make_manager(change=wrong)
    with pytest.raises(TypeError):
        make_manager(0, 0, 5, "refuse")
