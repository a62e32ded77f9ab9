# SPDX-License-Identifier: BSD-3-Clause
"""SlidingWindowMapBuffer, method by method."""
import hashlib
import re
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import smmap
from conftest import GRAIN, windows


@pytest.fixture
def buffer(any_manager, path):
    return smmap.SlidingWindowMapBuffer(any_manager.make_cursor(path))


def test_like_bytes(buffer, data):
    assert len(buffer) == len(data)
    for i in (0, 1, 16_383, 16_384, 16_385, 100_000, 199_999, -1, -200_000, -5):
        assert buffer[i] == data[i]
    assert buffer[:] == data and type(buffer[:]) is bytes and type(buffer[0]) is int
    assert list(buffer) == list(data)
    assert bytes(buffer) == data
    assert list(reversed(buffer))[:10] == list(data[::-1][:10])


@pytest.mark.parametrize("index", [200_000, -200_001, 2**62, -(2**62), 2**64, -(2**64)])
def test_index_out_of_range(buffer, data, index):
    with pytest.raises(IndexError):
        buffer[index]
    assert buffer[5] == data[5]


bounds = st.one_of(st.none(), st.integers(-230_000, 230_000), st.sampled_from([-(2**70), 2**70]))
steps = st.one_of(st.none(), st.integers(-70_000, 70_000).filter(bool), st.sampled_from([-1, 2, 4097, 2**70]))


def test_slices(buffer, data):
    @settings(max_examples=300, deadline=None)
    @given(bounds, bounds, steps)
    def check(start, stop, step):
        got = buffer[start:stop:step]
        assert type(got) is bytes and got == data[start:stop:step]

    check()
    with pytest.raises(ValueError):
        buffer[::0]
    with pytest.raises(TypeError):
        buffer["1"]
    with pytest.raises(TypeError):
        buffer[1.0]


@pytest.mark.parametrize("kind", ["static", "small"])
def test_relative_to_the_offset(kind, path, data):
    cursor = windows(kind).make_cursor(path)

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 199_999), st.integers(1, 230_000), bounds, bounds, steps)
    def check(offset, size, start, stop, step):
        buffer = smmap.SlidingWindowMapBuffer(cursor, offset, size)
        expected = data[offset : offset + size]
        assert len(buffer) == len(expected)
        assert buffer[0] == expected[0] and buffer[-1] == expected[-1]
        assert buffer[start:stop:step] == expected[start:stop:step]
        for i in (len(expected), -len(expected) - 1):
            with pytest.raises(IndexError):
                buffer[i]

    check()


def test_access(any_manager, path, data):
    cursor = any_manager.make_cursor(path)
    buffer = smmap.SlidingWindowMapBuffer()
    assert buffer.cursor() is None and len(buffer) == 0
    assert buffer.begin_access() is False
    assert buffer.begin_access(None, 5) is False
    assert buffer.begin_access(cursor, 200_000) is False
    assert len(buffer) == 0
    assert buffer.begin_access(cursor, 100) is True
    assert buffer.cursor() is cursor and cursor.is_valid()
    assert len(buffer) == 199_900 and buffer[0] == data[100]
    assert buffer.begin_access() is True
    assert len(buffer) == 200_000 and buffer[0] == data[0]
    assert buffer.begin_access(offset=7, size=3) is True
    assert buffer[:] == data[7:10]
    buffer.end_access()
    buffer.end_access()
    assert len(buffer) == 0 and not cursor.is_valid() and cursor.is_associated()
    for use in (lambda: buffer[0], lambda: buffer[:], lambda: buffer.view(), lambda: list(buffer), lambda: 1 in buffer):
        with pytest.raises(ValueError):
            use()
    assert buffer.begin_access() and buffer[1] == data[1]


def test_never_begun():
    buffer = smmap.SlidingWindowMapBuffer()
    assert len(buffer) == 0
    for use in (lambda: buffer[0], lambda: buffer[-1], lambda: buffer[0:1], lambda: buffer.find(b"x"), lambda: bytes(buffer)):
        with pytest.raises((ValueError, IndexError)):
            use()
    buffer.end_access()


def test_context_manager(manager, path, data):
    cursor = manager.make_cursor(path)
    with smmap.SlidingWindowMapBuffer(cursor) as buffer:
        assert buffer[3] == data[3]
    assert len(buffer) == 0 and not cursor.is_valid()
    assert manager.collect() == 1


def test_cannot_become_valid(manager, path):
    with pytest.raises(ValueError):
        smmap.SlidingWindowMapBuffer(smmap.WindowCursor())
    with pytest.raises(ValueError):
        smmap.SlidingWindowMapBuffer(manager.make_cursor(path), 200_000)
    for arguments in ((0, -1), (-1, 5)):
        with pytest.raises(ValueError):
            smmap.SlidingWindowMapBuffer(manager.make_cursor(path), *arguments)
    with pytest.raises(OverflowError):
        smmap.SlidingWindowMapBuffer(manager.make_cursor(path), 2**63)
    with pytest.raises(TypeError, match="cursor"):
        smmap.SlidingWindowMapBuffer(path)
    with pytest.raises(TypeError, match="offset"):
        smmap.SlidingWindowMapBuffer(manager.make_cursor(path), "0")
    with pytest.raises(FileNotFoundError):
        smmap.SlidingWindowMapBuffer(manager.make_cursor("/nowhere/at/all"))


def test_keeps_one_window(manager, path, data):
    cursor = manager.make_cursor(path)
    buffer = smmap.SlidingWindowMapBuffer(cursor)
    for i in range(0, 200_000, 5_000):
        assert buffer[i] == data[i]
        assert cursor.includes_ofs(i)
        manager.collect()
        assert manager.num_file_handles() == 1


def test_a_move_keeps_a_useful_range(manager, path):
    buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(path))
    buffer[100_000]
    before = manager.stats()
    for i in range(100_000, 101_000):
        buffer[i]
    after = manager.stats()
    assert after["hits"] + after["misses"] - before["hits"] - before["misses"] <= 2


def test_cursor_moved_by_its_owner(manager, path, data):
    cursor = manager.make_cursor(path)
    buffer = smmap.SlidingWindowMapBuffer(cursor, 1000)
    cursor.use_region(150_000, 10)
    assert buffer[0] == data[1000]
    cursor.unuse_region()
    assert buffer[:100] == data[1000:1100]
    # Another buffer on the same cursor.
    other = smmap.SlidingWindowMapBuffer(cursor, 50_000)
    for i in range(0, 100_000, 9999):
        assert buffer[i] == data[1000 + i] and other[i] == data[50_000 + i]
    other.end_access()
    assert buffer[5] == data[1005]


def test_views(buffer, data):
    manager = buffer.cursor().region()  # keeps nothing mapped
    for start, stop in ((0, 10), (5, -5), (10_000, 30_000), (-20, sys.maxsize), (5, 5), (10, 5), (0, sys.maxsize)):
        view = buffer.view(start, stop)
        assert isinstance(view, memoryview) and view.readonly
        assert view == data[start:stop]
        buffer[199_999 if start == 0 else 0]
        assert view == data[start:stop]
    assert buffer.view() == data
    assert buffer.view(stop=3) == data[:3]
    del manager


def test_views_are_counted(manager, path, data):
    buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(path))
    view = buffer.view()
    assert manager.stats()["exported_bytes"] == len(data)
    small = buffer.view(0, 100)
    assert manager.stats()["exported_bytes"] == len(data)
    buffer.end_access()
    manager.collect()
    assert view == data and small == data[:100]
    view.release()
    assert manager.stats()["exported_bytes"] == 0


def test_buffer_protocol(buffer, data):
    assert zlib.crc32(buffer) == zlib.crc32(data)
    assert hashlib.sha256(buffer).digest() == hashlib.sha256(data).digest()
    word = data[150_000:150_008]
    assert re.search(re.escape(word), buffer).start() == data.index(word)
    assert memoryview(buffer)[70_000:70_010] == data[70_000:70_010]
    numpy = pytest.importorskip("numpy") if "numpy" in sys.modules else None
    if numpy:
        assert (numpy.frombuffer(buffer, numpy.uint8) == numpy.frombuffer(data, numpy.uint8)).all()


def test_find(any_manager, path, data):
    buffer = smmap.SlidingWindowMapBuffer(any_manager.make_cursor(path), 1000, 150_000)
    expected = data[1000:151_000]

    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 149_990), st.integers(0, 40_000), bounds, bounds)
    def check(at, length, start, stop):
        needle = expected[at : at + length]
        arguments = (0 if start is None else start, 2**62 if stop is None else stop)
        assert buffer.find(needle, start, stop) == expected.find(needle, *arguments)

    check()
    assert buffer.find(expected) == 0
    assert buffer.find(expected + b"x") == -1
    assert buffer.find(data[999:1010]) == -1
    assert buffer.find(expected[7]) == expected.find(bytes([expected[7]]))
    assert buffer.find(sub=expected[-9:], start=1) == len(expected) - 9
    assert expected[100_000:100_050] in buffer and expected[3] in buffer
    assert b"never to be seen in random data" not in buffer
    with pytest.raises(ValueError):
        256 in buffer
    with pytest.raises(TypeError):
        "text" in buffer


def test_chunks(any_manager, path, data):
    buffer = smmap.SlidingWindowMapBuffer(any_manager.make_cursor(path), 10)
    most = any_manager.window_size() or len(data)
    for size in (1000, 4096, 0, 10**9):
        chunks = [bytes(chunk) for chunk in buffer.chunks(size)]
        assert b"".join(chunks) == data[10:]
        assert {len(chunk) for chunk in chunks[:-1]} <= {min(size or most, most)}
    assert b"".join(buffer.chunks()) == data[10:]


def test_refreshed_cursor_ends_the_buffer(manager, path, data):
    cursor = manager.make_cursor(path)
    buffer = smmap.SlidingWindowMapBuffer(cursor)
    cursor._destroy()
    with pytest.raises(OSError):
        buffer[0]
    assert buffer.begin_access() and buffer[0] == data[0]
