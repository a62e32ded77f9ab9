# SPDX-License-Identifier: BSD-3-Clause
"""Windows, regions, lists, facts of the system; what the modules export."""
import mmap
import os
import pathlib

import pytest

import smmap
import smmap.buf
import smmap.mman
import smmap.util
from conftest import GRAIN, mappings_of, open_descriptors


def test_exports():
    assert smmap.version_info == (5, 1, 0) and smmap.__version__ == "5.1.0"
    for module, names in (
        (smmap.util, "align_to_mmap is_64_bit MapWindow MapRegion MapRegionList ALLOCATIONGRANULARITY"),
        (smmap.mman, "StaticWindowMapManager SlidingWindowMapManager WindowCursor"),
        (smmap.buf, "SlidingWindowMapBuffer"),
    ):
        for name in names.split():
            assert name in module.__all__
            assert getattr(module, name) is getattr(smmap, name)
            if isinstance(getattr(module, name), type):
                assert getattr(module, name).__module__ == module.__name__


def test_facts():
    assert smmap.ALLOCATIONGRANULARITY == mmap.ALLOCATIONGRANULARITY
    import struct

    assert smmap.is_64_bit() is (struct.calcsize("P") == 8)
    for num, up, result in ((0, True, 0), (1, True, GRAIN), (1, False, 0), (GRAIN, True, GRAIN), (GRAIN + 1, False, GRAIN)):
        assert smmap.align_to_mmap(num, up) == result
    assert smmap.align_to_mmap(num=1, round_up=True) == GRAIN
    with pytest.raises(TypeError, match="num"):
        smmap.align_to_mmap("1", True)
    with pytest.raises(ValueError):
        smmap.align_to_mmap(-1, True)


def test_window():
    window = smmap.MapWindow(10, 20)
    assert (window.ofs, window.size, window.ofs_begin(), window.ofs_end()) == (10, 20, 10, 30)
    assert repr(window) == "MapWindow(10, 20)"
    assert window == smmap.MapWindow(10, 20) != smmap.MapWindow(10, 21)
    window.ofs, window.size = GRAIN + 5, 10
    window.align()
    assert (window.ofs, window.size) == (GRAIN, GRAIN)
    window.align()
    assert (window.ofs, window.size) == (GRAIN, GRAIN)
    for wrong in ((-1, 0), (0, -1)):
        with pytest.raises(ValueError):
            smmap.MapWindow(*wrong)
    with pytest.raises(TypeError, match="offset"):
        smmap.MapWindow("0", 1)
    with pytest.raises(ValueError):
        window.size = -5
    with pytest.raises(AttributeError):
        del window.size


def test_window_extension():
    left, window, right = smmap.MapWindow(0, 10), smmap.MapWindow(50, 10), smmap.MapWindow(100, 1)
    window.extend_left_to(left, 30)
    assert (window.ofs, window.size) == (30, 30)
    window.extend_left_to(left, 10**6)
    assert (window.ofs, window.size) == (10, 50)
    window.extend_right_to(right, 60)
    assert (window.ofs, window.size) == (10, 60)
    window.extend_right_to(right, 10**6)
    assert window.ofs_end() == 100
    with pytest.raises(TypeError, match="window"):
        window.extend_left_to((0, 1), 5)
    with pytest.raises(TypeError, match="max_size"):
        window.extend_left_to(left, "5")


def test_window_from_region(manager, path):
    region = manager.make_cursor(path).use_region(5 * GRAIN, 1).region()
    assert smmap.MapWindow.from_region(region) == smmap.MapWindow(4 * GRAIN, 4 * GRAIN)

    class Window(smmap.MapWindow):
        pass

    assert type(Window.from_region(region)) is Window


def test_region_by_itself(path, data, fd):
    before = open_descriptors()
    for name in (path, fd, pathlib.Path(path), os.fsencode(path)):
        region = smmap.MapRegion(name, GRAIN, 10_000)
        assert (region.ofs_begin(), region.size(), region.ofs_end()) == (GRAIN, 10_000, GRAIN + 10_000)
        assert region.includes_ofs(GRAIN) and not region.includes_ofs(0) and not region.includes_ofs(-1)
        assert isinstance(region.map(), mmap.mmap) and region.buffer() is region.map()
        assert region.buffer()[:] == data[GRAIN : GRAIN + 10_000]
        assert repr(region) == f"MapRegion<{GRAIN}, 10000>"
        assert region == region and region != smmap.MapRegion(name, GRAIN, 10_000)
        assert len({region, region}) == 1
        assert open_descriptors() - before <= 1
    del region
    assert mappings_of(path) == 0 and open_descriptors() == before
    whole = smmap.MapRegion(path, 0, 2**62)
    assert whole.size() == len(data) and whole.buffer()[:] == data


def test_region_clients(path, data):
    region = smmap.MapRegion(path, 0, 100)
    assert region.client_count() == 1
    assert region.increment_client_count() is False and region.client_count() == 2
    assert region.increment_client_count(-1) is False
    with pytest.raises(ValueError):
        region.increment_client_count(-2)
    memory = region.buffer()
    assert region.increment_client_count(ofs=-1) is True
    assert region.client_count() == 0
    with pytest.raises(ValueError):
        region.buffer()
    with pytest.raises(ValueError):
        region.increment_client_count()
    region.release()
    assert memory[:] == data[:100]


def test_region_of_a_manager(manager, path, data):
    cursor = manager.make_cursor(path).use_region(5, 10)
    region = cursor.region()
    with pytest.raises(ValueError):
        region.increment_client_count(-3)
    assert cursor.buffer() == data[5:15]
    region.increment_client_count(2)
    cursor.unuse_region()
    assert region.client_count() == 3 and manager.collect() == 0
    region.increment_client_count(-1)
    with pytest.raises(OSError):
        region.release()
    del region
    assert manager.collect() == 1
    region = cursor.use_region().region()
    cursor.unuse_region()
    assert region.buffer()[:10] == data[:10]
    region.release()
    assert region.client_count() == 0 and manager.num_file_handles() == 0
    # Mapped again when it is asked for.
    assert region.map()[:10] == data[:10]


def test_region_errors(path, tmp_path):
    with pytest.raises(ValueError):
        smmap.MapRegion(path, 1, 10)
    with pytest.raises(ValueError):
        smmap.MapRegion(path, GRAIN * 1000, 10)
    with pytest.raises(ValueError):
        smmap.MapRegion(path, 0, 0)
    with pytest.raises(FileNotFoundError):
        smmap.MapRegion(str(tmp_path / "none"), 0, 10)
    with pytest.raises(IsADirectoryError):
        smmap.MapRegion(str(tmp_path), 0, 10)
    with pytest.raises(OSError):
        smmap.MapRegion(10**6, 0, 10)
    for arguments, name in (((None, 0, 1), "path_or_fd"), ((path, "0", 1), "ofs"), ((path, 0, "1"), "size")):
        with pytest.raises(TypeError, match=name):
            smmap.MapRegion(*arguments)
    before = open_descriptors()
    for _ in range(5):
        with pytest.raises(TypeError):
            smmap.MapRegion(path, 0, 10, "flags")
    assert open_descriptors() == before


def test_region_list(path, fd):
    for name in (path, fd, pathlib.Path(path), os.fsencode(path)):
        regions = smmap.MapRegionList(name)
        assert isinstance(regions, list) and len(regions) == 0
        assert regions.path_or_fd() is name and regions.file_size() == 200_000
        regions.append(smmap.MapRegion(name, 0, 10))
        assert len(regions) == 1
