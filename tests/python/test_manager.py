# SPDX-License-Identifier: BSD-3-Clause
"""The managers, method by method."""
import pathlib
import sys
import warnings

import pytest

import smmap
from conftest import GRAIN, make_file


def test_defaults():
    sliding, static = smmap.SlidingWindowMapManager(), smmap.StaticWindowMapManager()
    assert isinstance(sliding, smmap.StaticWindowMapManager)
    big = smmap.is_64_bit()
    assert sliding.window_size() == (1 << 30 if big else 64 << 20)
    assert static.window_size() == 0
    for manager in (sliding, static):
        assert manager.max_mapped_memory_size() == (8 << 30 if big else 1 << 30)
        assert manager.max_file_handles() == sys.maxsize
        assert manager.num_file_handles() == manager.num_open_files() == manager.mapped_memory_size() == 0
        assert manager.collect() == 0


def test_class_attributes():
    for manager in (smmap.SlidingWindowMapManager, smmap.StaticWindowMapManager):
        assert manager.MapRegionListCls is smmap.MapRegionList
        assert manager.MapWindowCls is smmap.MapWindow
        assert manager.MapRegionCls is smmap.MapRegion
        assert manager.WindowCursorCls is smmap.WindowCursor


@pytest.mark.parametrize("size,rounded", [(1, GRAIN), (GRAIN, GRAIN), (GRAIN + 1, 2 * GRAIN), (10**6, None)])
def test_window_size_is_rounded_up(size, rounded):
    manager = smmap.SlidingWindowMapManager(size)
    assert manager.window_size() == (rounded or smmap.align_to_mmap(size, True))


def test_window_of_any_size(path, data):
    """0: the whole file at once, for the sliding manager too."""
    manager = smmap.SlidingWindowMapManager(window_size=0)
    assert manager.window_size() == 0
    assert manager.make_cursor(path).use_region().buffer() == data


@pytest.mark.parametrize("cls", [smmap.SlidingWindowMapManager, smmap.StaticWindowMapManager])
def test_wrong_arguments(cls):
    for arguments in ({"window_size": -77}, {"max_memory_size": -1}, {"max_open_handles": -1}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            cls(**arguments)
    for name in ("window_size", "max_memory_size", "max_open_handles"):
        with pytest.raises(TypeError, match=name):
            cls(**{name: "1"})
        with pytest.raises(OverflowError, match=name):
            cls(**{name: 2**63})
    with pytest.raises(TypeError):
        cls(colour=1)
    manager = cls()
    for wrong in (None, 1.5, [], object()):
        with pytest.raises(TypeError, match="path_or_fd"):
            manager.make_cursor(wrong)
    with pytest.raises(TypeError, match="path_or_fd"):
        manager.make_cursor()
    with pytest.raises(ValueError):
        manager.make_cursor("a\0b").use_region()
    with pytest.raises(ValueError):
        manager._collect_lru_region(-1)
    with pytest.raises(TypeError):
        manager._collect_lru_region("1")
    with pytest.raises(TypeError):
        manager.force_map_handle_removal_win(1)


def test_without_init():
    class Forgetful(smmap.SlidingWindowMapManager):
        def __init__(self):
            pass

    for call in (lambda m: m.collect(), lambda m: m.make_cursor("x"), lambda m: m.stats(), lambda m: m.window_size()):
        with pytest.raises(ValueError):
            call(Forgetful())


def test_init_again(path):
    manager = smmap.SlidingWindowMapManager()
    manager.__init__(window_size=GRAIN)
    assert manager.window_size() == GRAIN
    cursor = manager.make_cursor(path).use_region()
    with pytest.raises(ValueError):
        manager.__init__()
    assert cursor.is_valid() and manager.window_size() == GRAIN


def test_counts(manager, tmp_path):
    paths = [make_file(tmp_path / str(i), 10 * GRAIN) for i in range(3)]
    cursors = [manager.make_cursor(str(p)).use_region(0, 10) for p in paths]
    assert manager.num_file_handles() == 3 and manager.num_open_files() == 3
    assert manager.mapped_memory_size() == 12 * GRAIN
    cursors[0].use_region(5 * GRAIN, 1)
    assert manager.num_file_handles() == 4 and manager.num_open_files() == 3
    assert manager.collect() == 1
    assert manager.num_file_handles() == 3
    del cursors
    assert manager.collect() == 3
    assert manager.num_file_handles() == manager.num_open_files() == manager.mapped_memory_size() == 0


def test_limits(tmp_path):
    path = str(make_file(tmp_path / "data", 100 * GRAIN))
    manager = smmap.SlidingWindowMapManager(GRAIN, max_memory_size=10 * GRAIN)
    cursor = manager.make_cursor(path)
    for i in range(100):
        cursor.use_region(i * GRAIN, 1)
        assert manager.mapped_memory_size() <= 10 * GRAIN
    assert manager.num_file_handles() == 10
    handles = smmap.SlidingWindowMapManager(GRAIN, max_open_handles=7)
    assert handles.max_file_handles() == 7
    cursor = handles.make_cursor(path)
    for i in range(100):
        cursor.use_region(i * GRAIN, 1)
        assert handles.num_file_handles() <= 7
    # One victim at a time.
    assert handles.num_file_handles() == 7


def test_all_pinned_is_soft(tmp_path):
    path = str(make_file(tmp_path / "data", 100 * GRAIN))
    manager = smmap.SlidingWindowMapManager(GRAIN, max_open_handles=3)
    cursors = [manager.make_cursor(path).use_region(i * GRAIN, 1) for i in range(6)]
    assert manager.num_file_handles() == 6
    assert manager.stats()["over_budget"] > 0
    del cursors
    assert manager.num_file_handles() <= 3


def test_collect_lru_region(manager, path):
    cursor = manager.make_cursor(path)
    for i in range(4):
        cursor.use_region(i * 4 * GRAIN, 1)
    assert manager._collect_lru_region(4 * GRAIN) == 1
    assert manager._collect_lru_region(8 * GRAIN) == 1
    assert manager._collect_lru_region(sys.maxsize) == 1
    assert manager._collect_lru_region(0) == 0
    assert cursor.is_valid()


def test_force_map_handle_removal_win(manager, path, tmp_path):
    other = str(make_file(tmp_path / "other", GRAIN))
    cursor = manager.make_cursor(path).use_region(0, 1)
    manager.make_cursor(other).use_region()
    cursor.use_region(5 * GRAIN, 1)
    with pytest.warns(ResourceWarning, match="in use"):
        assert manager.force_map_handle_removal_win(path) == 1
    assert cursor.is_valid() and cursor.buffer() == pathlib.Path(path).read_bytes()[5 * GRAIN :][:1]
    cursor.unuse_region()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert manager.force_map_handle_removal_win(path) == 1
        assert manager.num_file_handles() == 1
        assert manager.force_map_handle_removal_win(path) == 0
        assert manager.force_map_handle_removal_win(str(tmp_path / "never")) == 0


def test_stats(manager, path):
    cursor = manager.make_cursor(path).use_region(0, 1)
    cursor.use_region(0, 2)
    cursor._destroy()
    stats = manager.stats()
    assert all(isinstance(value, int) for value in stats.values())
    assert stats["misses"] == 1 and stats["hits"] >= 1 and stats["opens"] >= 1
    assert stats["mapped_bytes"] == manager.mapped_memory_size() == stats["peak_mapped_bytes"]
    assert stats["handles"] == 1


def test_files_are_dropped(manager, tmp_path):
    for i in range(50):
        path = make_file(tmp_path / str(i), 100)
        manager.make_cursor(str(path)).use_region()
    assert manager.num_open_files() > 0
    manager.collect()
    assert manager.num_open_files() == 0 and manager.stats()["files"] == 0
