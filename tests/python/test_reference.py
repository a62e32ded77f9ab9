# SPDX-License-Identifier: BSD-3-Clause
"""
Side by side with the original: a state machine drives both packages on the same files of random content and asserts that
they answer the same, but for the differences that docs/python.md lists. What the machine leaves out, by number there:

  1  buffers begin at offset 0                     2  and their size is not limited
  3  slices are not reversed, empty or stepped     4  and end within the file; indices are within it
  5  slices are compared as bytes                  8  memoryviews are dropped before the next step
  12 only ours has a handle limit: at it the original raises and leaves cursors and buffers dead
  17 nothing is asked of an invalid cursor but size() after a first use   18 no negative offset or size
  19 a view of ours may be longer: the original's is its beginning
  15 copy() and assign() are not driven            30 there is one thread
"""
import os
import pathlib
import shutil
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

import pytest
import smmap

GRAIN = smmap.ALLOCATIONGRANULARITY
SIZES = (1, GRAIN, 10 * GRAIN, 200_000)
MANAGERS = [
    ("SlidingWindowMapManager", {"window_size": GRAIN}),
    ("SlidingWindowMapManager", {"window_size": 4 * GRAIN, "max_memory_size": 16 * GRAIN}),
    ("SlidingWindowMapManager", {"window_size": 4 * GRAIN, "max_open_handles": 5}),
    ("SlidingWindowMapManager", {}),
    ("StaticWindowMapManager", {}),
    ("StaticWindowMapManager", {"max_memory_size": 250_000}),
]


class Machine(RuleBasedStateMachine):
    cursors = Bundle("cursors")
    buffers = Bundle("buffers")

    reference = None  # set by the test

    def __init__(self):
        super().__init__()
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.paths = []
        for i, size in enumerate(SIZES):
            self.paths.append(str(self.directory / str(i)))
            pathlib.Path(self.paths[i]).write_bytes(os.urandom(size))
        self.fds = [os.open(path, os.O_RDONLY) for path in self.paths]
        self.live = []

    @initialize(which=st.integers(0, len(MANAGERS) - 1))
    def managers(self, which):
        name, arguments = MANAGERS[which]
        self.ours = getattr(smmap, name)(**arguments)
        arguments = {k: v for k, v in arguments.items() if k != "max_open_handles"}
        self.theirs = getattr(self.reference, name)(**arguments)
        self.static = name.startswith("Static")

    def teardown(self):
        for fd in self.fds:
            os.close(fd)
        shutil.rmtree(self.directory)

    @rule(target=cursors, file=st.integers(0, len(SIZES) - 1), by_descriptor=st.booleans())
    def make_cursor(self, file, by_descriptor):
        name = (self.fds if by_descriptor else self.paths)[file]
        pair = (self.ours.make_cursor(name), self.theirs.make_cursor(name), file)
        for cursor in pair[:2]:
            assert cursor.is_associated() and not cursor.is_valid() and cursor.size() == 0
            assert cursor.path_or_fd() is name and cursor.file_size() == SIZES[file]
            if by_descriptor:
                assert cursor.fd() == name
            else:
                assert cursor.path() == name
            with pytest.raises(ValueError):
                cursor.path() if by_descriptor else cursor.fd()
        return pair

    @rule(pair=cursors, offset=st.one_of(st.integers(0, 210_000), st.integers(0, 5000)), size=st.one_of(st.just(0), st.integers(0, 250_000)))
    def use_region(self, pair, offset, size):
        ours, theirs, file = pair
        assert ours.use_region(offset, size) is ours
        theirs.use_region(offset, size)
        assert ours.is_valid() == theirs.is_valid() == (offset < SIZES[file])
        self.compare(ours, theirs)

    def compare(self, ours, theirs):
        assert ours.is_valid() == theirs.is_valid()
        assert (ours.region() is None) == (theirs.region() is None)
        if not ours.is_valid():
            return
        assert ours.ofs_begin() == theirs.ofs_begin()
        seen = bytes(theirs.buffer())
        assert ours.size() >= theirs.size() == len(seen)
        assert ours.ofs_end() == ours.ofs_begin() + ours.size()
        assert ours.buffer()[: len(seen)] == seen
        for offset in (ours.ofs_begin() - 1, ours.ofs_begin(), ours.ofs_begin() + len(seen) - 1):
            assert ours.includes_ofs(offset) == theirs.includes_ofs(offset)
        if self.static:
            assert ours.size() == theirs.size()
            assert ours.map()[:] == theirs.map()[:]
            assert (ours.region().ofs_begin(), ours.region().size()) == (0, theirs.region().size())
        region = ours.region()
        assert region.includes_ofs(ours.ofs_begin()) and region.client_count() >= 2

    @rule(pair=cursors)
    def look_again(self, pair):
        self.compare(*pair[:2])

    @rule(pair=cursors)
    def unuse(self, pair):
        for cursor in pair[:2]:
            cursor.unuse_region()
            assert not cursor.is_valid() and cursor.is_associated()

    @rule()
    def collect(self):
        self.ours.collect()
        self.theirs.collect()

    @rule(target=buffers, file=st.integers(0, len(SIZES) - 1), end=st.booleans())
    def make_buffer(self, file, end):
        ours = smmap.SlidingWindowMapBuffer(self.ours.make_cursor(self.paths[file]))
        theirs = self.reference.SlidingWindowMapBuffer(self.theirs.make_cursor(self.paths[file]))
        if end:
            for buffer in (ours, theirs):
                buffer.end_access()
                assert not buffer.cursor().is_valid() and len(buffer) == 0
                assert buffer.begin_access() is True
        assert len(ours) == len(theirs) == SIZES[file]
        return (ours, theirs, SIZES[file])

    @rule(buffers=buffers, where=st.floats(0, 1, exclude_max=True), negative=st.booleans())
    def index(self, buffers, where, negative):
        ours, theirs, size = buffers
        i = int(where * size) - (size if negative else 0)
        assert ours[i] == theirs[i]

    @rule(buffers=buffers, where=st.floats(0, 1, exclude_max=True), length=st.integers(1, 200_000), form=st.integers(0, 3))
    def slice(self, buffers, where, length, form):
        ours, theirs, size = buffers
        i = int(where * size)
        j = min(i + length, size)
        part = [slice(i, j), slice(i - size, j if j < size else None), slice(None, j), slice(i, None)][form]
        assert ours[part] == bytes(theirs[part])

    @precondition(lambda self: hasattr(self, "ours"))
    @invariant()
    def the_budget_holds(self):
        assert self.ours.max_mapped_memory_size() == self.theirs.max_mapped_memory_size()
        assert self.ours.num_file_handles() >= self.ours.num_open_files()
        assert (self.ours.mapped_memory_size() == 0) == (self.ours.num_file_handles() == 0)


def test_side_by_side(reference):
    Machine.reference = reference
    from hypothesis.stateful import run_state_machine_as_test

    effort = float(os.environ.get("SMMAP_TEST_EFFORT", "1"))
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(int(300 * effort), 5),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_listed_differences_are_there(reference, path, data):
    """What the machine leaves out is different indeed; should the original change, this tells."""
    theirs = reference.SlidingWindowMapManager(window_size=4 * GRAIN)
    ours = smmap.SlidingWindowMapManager(window_size=4 * GRAIN)
    # 1 the offset
    assert reference.SlidingWindowMapBuffer(theirs.make_cursor(path), 100)[0] == data[0]
    assert smmap.SlidingWindowMapBuffer(ours.make_cursor(path), 100)[0] == data[100]
    # 2 the size
    assert reference.SlidingWindowMapBuffer(theirs.make_cursor(path), 0, 50)[60] == data[60]
    with pytest.raises(IndexError):
        smmap.SlidingWindowMapBuffer(ours.make_cursor(path), 0, 50)[60]
    # 3 steps
    assert len(reference.SlidingWindowMapBuffer(theirs.make_cursor(path))[0:10:2]) == 10
    assert smmap.SlidingWindowMapBuffer(ours.make_cursor(path))[0:10:2] == data[0:10:2]
    # 4 the end
    buffer = reference.SlidingWindowMapBuffer(theirs.make_cursor(path))
    with pytest.raises(AttributeError):
        buffer[len(data)]
    # 17 invalid cursors
    with pytest.raises(AttributeError):
        theirs.make_cursor(path).ofs_begin()
    # 18 negative offsets
    cursor = theirs.make_cursor(path)
    cursor.use_region(0, 100)
    with pytest.raises(ValueError):
        ours.make_cursor(path).use_region(-5000, 10)
