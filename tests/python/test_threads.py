# SPDX-License-Identifier: BSD-3-Clause
"""Threads: one manager for all, one cursor for all, and the GIL."""
import pathlib
import random
import sys
import sysconfig
import threading
import time

import pytest

import smmap
from conftest import GRAIN, make_file


def run_threads(count, target):
    errors = []

    def guarded(i):
        try:
            target(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_one_manager(tmp_path):
    paths = [make_file(tmp_path / str(i), 100 * GRAIN) for i in range(3)]
    data = [p.read_bytes() for p in paths]
    manager = smmap.SlidingWindowMapManager(GRAIN, max_memory_size=20 * GRAIN)

    def work(seed):
        pick = random.Random(seed)
        for _ in range(300):
            i = pick.randrange(3)
            cursor = manager.make_cursor(str(paths[i]))
            offset, size = pick.randrange(100 * GRAIN), pick.randrange(1, GRAIN)
            view = cursor.use_region(offset, size).buffer()
            assert view == data[i][offset : offset + size]
            assert cursor.map()[:8] == data[i][offset // GRAIN * GRAIN :][:8]
            buffer = smmap.SlidingWindowMapBuffer(cursor)
            assert buffer[offset : offset + 50_000] == data[i][offset : offset + 50_000]
            if pick.random() < 0.05:
                manager.collect()

    run_threads(8, work)
    manager.collect()
    assert manager.num_file_handles() == manager.mapped_memory_size() == 0


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a GIL")
def test_the_gil_stays_off():
    """Neither importing nor using the package has switched it on again."""
    assert not sys._is_gil_enabled()


def test_one_cursor_and_one_buffer(tmp_path):
    """What is read is of the file, whoever moved the cursor: every byte tells where it stands."""
    path = tmp_path / "data"
    path.write_bytes(b"".join(i.to_bytes(4, "big") for i in range(50 * GRAIN // 4)))
    manager = smmap.SlidingWindowMapManager(GRAIN)
    cursor = manager.make_cursor(str(path))
    buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(str(path)))
    data = path.read_bytes()

    def work(seed):
        pick = random.Random(seed)
        for _ in range(500):
            offset = pick.randrange(50 * GRAIN // 4 - 8) * 4
            try:
                view = cursor.use_region(offset, 32).buffer()
            except smmap.InvalidCursorError:
                continue
            at = int.from_bytes(view[:4], "big") * 4
            assert view == data[at : at + len(view)]
            del view
            assert buffer[offset] == data[offset]
            assert buffer[offset : offset + 20_000] == data[offset : offset + 20_000]
            if seed == 0:
                cursor.unuse_region()

    run_threads(6, work)
    del cursor, buffer
    manager.collect()
    assert manager.num_file_handles() == 0


def test_long_copies_let_others_run(tmp_path):
    """A thread that only counts goes on while another copies without end."""
    path = make_file(tmp_path / "data", 8 << 20)
    buffer = smmap.SlidingWindowMapBuffer(smmap.SlidingWindowMapManager().make_cursor(str(path)))
    ends = time.monotonic() + 0.5
    counted = [0]

    def count():
        while time.monotonic() < ends:
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    while time.monotonic() < ends:
        buffer[:]
    thread.join()
    assert counted[0] > 10_000


def test_bytes_are_right_under_pressure(tmp_path):
    path = make_file(tmp_path / "data", 300 * GRAIN)
    data = path.read_bytes()
    manager = smmap.SlidingWindowMapManager(GRAIN, max_open_handles=4)

    def work(seed):
        pick = random.Random(seed)
        buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(str(path)))
        views = []
        for _ in range(300):
            offset = pick.randrange(300 * GRAIN)
            assert buffer[offset] == data[offset]
            views.append((offset, buffer.view(offset, offset + GRAIN)))
            if len(views) > 5:
                start, view = views.pop(0)
                assert view == data[start : start + GRAIN]

    run_threads(4, work)
