# SPDX-License-Identifier: BSD-3-Clause
"""One test for each row of the table of differences in docs/python.md, by its number: what this package does."""
import copy
import errno
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

import pytest

import smmap
from conftest import GRAIN, make_file, mappings_of, open_descriptors

W = 4 * GRAIN


@pytest.fixture
def cursor(manager, path):
    return manager.make_cursor(path)


@pytest.fixture
def buffer(cursor):
    return smmap.SlidingWindowMapBuffer(cursor)


def test_each_row_has_a_test():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "python.md").read_text()
    rows = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)
    assert rows and rows == [str(i + 1) for i in range(len(rows))]
    assert [f"test_{row}" for row in rows] == [name for name in globals() if re.fullmatch(r"test_\d+", name)]


def test_1(cursor, data):
    buffer = smmap.SlidingWindowMapBuffer(cursor, 100)
    assert buffer[0] == data[100] and buffer[-1] == data[-1] and buffer[1:3] == data[101:103]


def test_2(cursor, data):
    assert len(smmap.SlidingWindowMapBuffer(cursor, 100, 50)) == 50
    assert len(smmap.SlidingWindowMapBuffer(cursor, 199_000, 5000)) == 1000
    with pytest.raises(ValueError):
        smmap.SlidingWindowMapBuffer(cursor, 0, 0)
    with pytest.raises(ValueError):
        smmap.SlidingWindowMapBuffer(cursor, len(data))
    assert smmap.SlidingWindowMapBuffer().begin_access(cursor, 0, 0) is False


def test_3(buffer, data):
    assert buffer[0:0] == b"" and buffer[5:0] == b"" and buffer[0:100:7] == data[0:100:7]
    assert buffer[60_000:5:-501] == data[60_000:5:-501]


def test_4(buffer, data):
    with pytest.raises(IndexError):
        buffer[len(data)]
    assert buffer[len(data) - 5 : 10**9] == data[-5:] and buffer[10**9 :] == b""
    assert data[77] in buffer and list(buffer)[:50] == list(data[:50]) and buffer[0] == data[0]


def test_5(buffer, data):
    for first in (0, W - 5, 50_000):
        assert type(buffer[first : first + 10]) is bytes
    assert type(buffer.view(5, 10)) is memoryview and buffer.view(5, 10) == data[5:10]


def test_6(buffer):
    buffer[5 * W + 7]
    assert buffer.cursor().ofs_begin() <= 5 * W + 7
    assert buffer.cursor().includes_ofs(5 * W + 8) and buffer.cursor().size() > 1


def test_7():
    buffer = smmap.SlidingWindowMapBuffer()
    assert len(buffer) == 0
    with pytest.raises(smmap.InvalidCursorError) as caught:
        buffer[0]
    assert isinstance(caught.value, ValueError)


def test_8(manager, cursor, path, data):
    view = cursor.use_region(0, 10).buffer()
    cursor._destroy()
    assert manager.collect() == 0 and manager.num_file_handles() == 1 and view == data[:10]
    manager.make_cursor(path).use_region(5 * W, 1)
    assert manager.collect() == 1 and view == data[:10]
    view.release()
    assert manager.collect() == 1 and manager.num_file_handles() == 0


def test_9(manager, tmp_path):
    """Four windows fit. The first of the first file is used again and again, the others once: it stays."""
    first, second = (str(make_file(tmp_path / name, 40 * W)) for name in ("first", "second"))
    used, once = manager.make_cursor(first), manager.make_cursor(second)
    used.use_region(0, 1)
    for i in range(40):
        once.use_region(i * W, 1)
        misses = manager.stats()["misses"]
        used.use_region(0, 1)
        used.unuse_region()
        assert manager.stats()["misses"] == misses, i
    assert manager.num_file_handles() == 4


def test_10(tmp_path):
    paths = [str(make_file(tmp_path / str(i), 50 * GRAIN)) for i in range(5)]
    manager = smmap.StaticWindowMapManager(max_memory_size=GRAIN)
    for _ in range(3):
        for path in paths:
            cursor = manager.make_cursor(path).use_region()
            assert cursor.is_valid() and cursor.buffer() == pathlib.Path(path).read_bytes()
            assert manager.num_file_handles() == 1


def test_11(manager, path, tmp_path):
    manager.make_cursor(path).use_region()
    for name in (tmp_path / "none", tmp_path):
        with pytest.raises(OSError):
            manager.make_cursor(name).use_region()
    assert manager.num_file_handles() == 1


def test_12(path):
    manager = smmap.SlidingWindowMapManager(GRAIN, max_open_handles=3)
    cursor = manager.make_cursor(path)
    for i in range(10):
        cursor.use_region(i * GRAIN, 1)
    assert manager.num_file_handles() == 3
    held = [manager.make_cursor(path).use_region(i * GRAIN, 1) for i in range(5)]
    assert manager.num_file_handles() >= 5 and manager.stats()["over_budget"] > 0 and all(c.is_valid() for c in held)
    assert smmap.SlidingWindowMapManager(max_open_handles=0).make_cursor(path).use_region().is_valid()


def test_13():
    assert smmap.SlidingWindowMapManager(GRAIN + 1).window_size() == 2 * GRAIN
    assert smmap.SlidingWindowMapManager(-1).window_size() == smmap.SlidingWindowMapManager().window_size()
    assert smmap.StaticWindowMapManager(5 * GRAIN).window_size() == 0
    for arguments in ((-77,), (0, -1), (0, 0, -1)):
        with pytest.raises(ValueError):
            smmap.SlidingWindowMapManager(*arguments)


def test_14(manager, tmp_path):
    for i in range(30):
        manager.make_cursor(make_file(tmp_path / str(i), 10)).use_region()
    assert manager.collect() + manager.stats()["evictions"] >= 30
    assert manager.num_open_files() == manager.stats()["files"] == 0


def test_15(cursor, path, data):
    cursor.use_region(5, 10)
    twin = copy.copy(cursor)
    twin.assign(twin)
    cursor._destroy()
    assert twin.path() == path and twin.buffer() == data[5:15] and twin.use_region(1, 2).buffer() == data[1:3]


def test_16(manager, path, data):
    lazy, other = manager.make_cursor(path), manager.make_cursor(path).use_region()
    lazy.file_size()
    lazy._destroy()
    assert other.use_region(50, 5).buffer() == data[50:55]
    with other:
        pass
    assert other.use_region(7, 2).buffer() == data[7:9]
    other._destroy()
    assert manager.collect() == 1 and manager.stats()["files"] == 0


def test_17(cursor, data):
    assert cursor.use_region(len(data) + 5) is cursor
    assert not cursor.is_valid() and cursor.size() == 0 and cursor.region() is None
    for question in (cursor.ofs_begin, cursor.ofs_end, cursor.buffer, cursor.map):
        with pytest.raises(smmap.InvalidCursorError) as caught:
            question()
        assert isinstance(caught.value, ValueError) and isinstance(caught.value, AssertionError)


def test_18(cursor):
    for arguments in ((-5000, 10), (0, -1)):
        with pytest.raises(ValueError):
            cursor.use_region(*arguments)
    for arguments in ((2**63, 10), (0, 2**63)):
        with pytest.raises(OverflowError):
            cursor.use_region(*arguments)


def test_19(cursor, data):
    assert cursor.use_region(W - 10, W).buffer() == data[W - 10 : 2 * W - 10]
    assert cursor.use_region(len(data) - 5, W).buffer() == data[-5:]


def test_20(cursor):
    region = cursor.use_region(5 * W + 17, 1).region()
    assert (region.ofs_begin(), region.size()) == (5 * W, W)


def test_21(cursor, data):
    region = cursor.use_region(0, 10).region()
    region.increment_client_count(2)
    with pytest.raises(ValueError):
        region.increment_client_count(-3)
    region.increment_client_count(-2)
    assert cursor.buffer() == data[:10]


def test_22(manager, cursor, path, data):
    cursor.use_region()
    with open(path, "ab") as file:
        file.write(b"more")
    assert cursor.file_size() == len(data) and manager.make_cursor(path).file_size() == len(data) + 4
    cursor.refresh()
    assert cursor.file_size() == len(data) + 4


def test_23(manager, path, data, tmp_path):
    fd = os.open(path, os.O_RDONLY)
    old = manager.make_cursor(fd).use_region(0, 10)
    other = os.open(make_file(tmp_path / "other", 50 * GRAIN), os.O_RDONLY)
    os.dup2(other, fd)
    os.close(other)
    assert manager.make_cursor(fd).use_region(0, 10).buffer() == (tmp_path / "other").read_bytes()[:10]
    try:
        assert old.use_region(10 * W, 10).buffer() == data[10 * W :][:10]
    except OSError as error:
        assert error.errno == errno.ESTALE
    os.close(fd)


def test_24(buffer, path, data, tmp_path):
    os.replace(make_file(tmp_path / "other", len(data)), path)
    try:
        assert buffer[:] == data
    except OSError as error:
        assert error.errno == errno.ESTALE


@pytest.mark.skipif(not smmap.guard()["enabled"], reason="the guard is off")
def test_25(buffer, cursor, path, data):
    view = buffer.view()
    os.truncate(path, GRAIN)
    assert bytes(view[GRAIN:]) == bytes(len(data) - GRAIN)
    with pytest.raises(OSError):
        buffer[-1]
    assert cursor.error() is not None
    assert cursor.refresh() and cursor.file_size() == GRAIN


def test_26(manager, path, tmp_path, fd):
    os.link(path, tmp_path / "link")
    (tmp_path / "soft").symlink_to(path)
    names = [path, str(tmp_path / "link"), str(tmp_path / "soft"), fd]
    cursors = [manager.make_cursor(name).use_region(0, 1) for name in names]
    assert manager.num_file_handles() == 1 and [c.path_or_fd() for c in cursors] == names


def test_27(manager, path, data):
    for name in (os.fsencode(path), pathlib.Path(path)):
        cursor = manager.make_cursor(name)
        assert cursor.use_region(3, 4).buffer() == data[3:7] and cursor.path_or_fd() is name
        assert smmap.MapRegion(name, 0, 10).buffer()[:] == data[:10]


def test_28(manager, tmp_path):
    manager.make_cursor(__file__).use_region()
    assert b"Linux" in bytes(manager.make_cursor("/proc/version").use_region().buffer())
    with pytest.raises(IsADirectoryError):
        manager.make_cursor(tmp_path).use_region()
    os.mkfifo(tmp_path / "fifo")
    for name in (tmp_path / "fifo", "/dev/zero"):
        with pytest.raises(OSError) as caught:
            manager.make_cursor(name).use_region()
        assert caught.value.errno == errno.ENODEV
    assert manager.num_file_handles() == 2


def test_29(manager, cursor, path, data):
    cursor.use_region(0, 1).use_region(5 * W, 1)
    with pytest.warns(ResourceWarning):
        assert manager.force_map_handle_removal_win(path) == 1
    assert cursor.buffer() == data[5 * W :][:1]


def test_30(manager, path, data):
    wrong = []

    def work(first):
        cursor = manager.make_cursor(path)
        for i in range(first, 190_000, 1777):
            if cursor.use_region(i, 5000).buffer() != data[i : i + 5000]:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manager.collect()
    assert wrong == [] and manager.num_file_handles() == manager.mapped_memory_size() == 0


def test_31(path):
    before = open_descriptors()
    manager = smmap.SlidingWindowMapManager(GRAIN)
    cursors = [manager.make_cursor(path).use_region(i * GRAIN, 1) for i in range(40)]
    maps = [cursor.map() for cursor in cursors]
    assert open_descriptors() <= before + 1
    assert mappings_of(path) >= 40 and len(set(map(id, maps))) == 40


def test_32(manager, path, tmp_path):
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError) as caught:
        manager.make_cursor(str(tmp_path / "link")).use_region(flags=os.O_NOFOLLOW)
    assert caught.value.errno == errno.ELOOP
    first = manager.make_cursor(path).use_region(flags=os.O_NOATIME)
    second = manager.make_cursor(path).use_region()
    assert first.status()["open_flags"] == second.status()["open_flags"]
    assert second.status()["open_flags"] & os.O_NOATIME


def test_the_original_dies_of_a_truncated_file(reference, path):
    """Row 25 as the original has it."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); import smmap; p = sys.argv[1]\n"
        "v = smmap.SlidingWindowMapManager().make_cursor(p).use_region().buffer(); os.truncate(p, 0); sum(v)"
    )
    where = str(pathlib.Path(reference.__file__).parents[1])
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run([sys.executable, "-c", code, path, where], env=environment, capture_output=True, timeout=60)
    assert result.returncode == -signal.SIGBUS
