# SPDX-License-Identifier: BSD-3-Clause
"""The Python package: bytes become a sequence of calls, whose results are compared with what plain bytes would give.

    PYTHONPATH=build/python python3 tests/fuzz/fuzz_python.py [--seconds N] [--seed N] [--max-length N] INPUT...

INPUTs are files or folders of them. They are replayed, and then, for --seconds, changed and mixed at random. The last line
is "N runs". An input that fails is written to the folder of the temporary files, which is named, or to --artifacts.
"""
import argparse
import copy
import os
import pathlib
import random
import sys
import tempfile
import time

import smmap

GRAIN = smmap.ALLOCATIONGRANULARITY
SIZES = (0, 1, GRAIN, 3 * GRAIN + 17, 9 * GRAIN - 1)
HUGE = (2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 2**70)
WRONG = (None, 1.5, "1", b"1", (), {}, object(), True)
# What a call with wrong arguments may raise.
REFUSALS = (ValueError, TypeError, OverflowError, IndexError)


class Input:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def more(self):
        return self.at < len(self.data)

    def below(self, n):
        value = 0
        shift = 0
        while n > 1 and 1 << shift < n:
            if self.at < len(self.data):
                value |= self.data[self.at] << shift
                self.at += 1
            shift += 8
        return value % n if n > 1 else 0

    def pick(self, items):
        return items[self.below(len(items))]


class Bound:
    """A cursor with what it must show."""

    def __init__(self, cursor, content):
        self.cursor = cursor
        self.content = content
        self.range = None  # (offset, size) while valid


class Ranged:
    """A buffer with the bytes that it must be like."""

    def __init__(self, buffer, content):
        self.buffer = buffer
        self.content = content  # None: no access under way


def raises(kinds, call, *arguments):
    try:
        call(*arguments)
    except kinds:
        return
    raise AssertionError(f"{call} {arguments} did not raise any of {kinds}")


class World:
    CURSORS, BUFFERS, VIEWS = 3, 2, 4

    def __init__(self, data, files):
        self.input = Input(data)
        self.files = files
        self.window = None
        below = self.input.below
        if below(4) == 0:
            self.manager = smmap.StaticWindowMapManager(0, below(20) * GRAIN, below(8))
        else:
            self.window = (1 + below(4)) * GRAIN
            self.manager = smmap.SlidingWindowMapManager(self.window - below(8), below(20) * GRAIN, below(8))
        self.cursors = [None] * self.CURSORS
        self.buffers = [Ranged(smmap.SlidingWindowMapBuffer(), None) for _ in range(self.BUFFERS)]
        self.views = [None] * self.VIEWS

    # ---- numbers ----

    def offset(self, size):
        around = self.input.below(8)
        return max(0, self.input.pick((around, size - around, size + around, self.input.below(size + 1),
                                       (1 + self.input.below(9)) * GRAIN - around)))

    def bound(self, size):
        """A bound of a slice."""
        return self.input.pick((None, self.input.below(size + 10), -self.input.below(size + 10),
                                self.input.pick(HUGE), -self.input.pick(HUGE)))

    # ---- cursors ----

    def some(self):
        i = self.input.below(self.CURSORS)
        if self.cursors[i] is None:
            self.make(i)
        return self.cursors[i]

    def make(self, i):
        path, content = self.input.pick(self.files)
        name = self.input.pick((path, os.fsencode(path), pathlib.Path(path)))
        self.cursors[i] = Bound(self.manager.make_cursor(name), content)

    def forget(self, c):
        self.cursors = [None if other is c else other for other in self.cursors]

    def op_make(self):
        self.make(self.input.below(self.CURSORS))

    def op_use(self):
        c = self.some()
        offset = self.offset(len(c.content))
        size = self.input.pick((0, 1 + self.input.below(GRAIN), self.input.below(6 * GRAIN)))
        assert c.cursor.use_region(offset, size) is c.cursor
        window = self.window or max(len(c.content), 1)
        offered = min(size or window, window, max(0, len(c.content) - offset))
        c.range = (offset, offered) if offered else None
        self.check(c)

    def check(self, c):
        assert c.cursor.is_valid() == (c.range is not None)
        assert c.cursor.size() == (c.range[1] if c.range else 0)
        if c.range is None:
            assert c.cursor.region() is None
            raises(smmap.InvalidCursorError, c.cursor.buffer)
            return
        offset, size = c.range
        assert (c.cursor.ofs_begin(), c.cursor.ofs_end()) == (offset, offset + size)
        assert c.cursor.buffer() == c.content[offset:offset + size]
        assert c.cursor.includes_ofs(offset) and not c.cursor.includes_ofs(offset + size)
        assert c.cursor.file_size() == len(c.content)

    def op_unuse(self):
        c = self.some()
        c.cursor.unuse_region()
        c.range = None
        self.check(c)

    def op_copy(self):
        c = self.some()
        i = self.input.below(self.CURSORS)
        if self.cursors[i] is None or self.input.below(2):
            self.cursors[i] = Bound(copy.copy(c.cursor), c.content)
        else:
            self.cursors[i].cursor.assign(c.cursor)
            self.cursors[i].content = c.content
        self.cursors[i].range = c.range
        self.check(self.cursors[i])

    def op_read(self):
        c = self.some()
        offset, size = self.offset(len(c.content)), self.input.below(3 * GRAIN)
        assert c.cursor.read(offset, size) == c.content[offset:offset + size]
        into = bytearray(size)
        n = c.cursor.readinto(offset, into)
        assert into[:n] == c.content[offset:offset + size]

    def op_map(self):
        c = self.some()
        if c.range is None:
            raises(smmap.InvalidCursorError, c.cursor.map)
        else:
            region = c.cursor.region()
            assert region.includes_ofs(c.range[0])
            assert c.cursor.map()[:] == c.content[region.ofs_begin():region.ofs_end()]

    def op_region(self):
        path, content = self.input.pick(self.files)
        offset, size = self.offset(len(content)), self.input.below(3 * GRAIN)
        if offset % GRAIN or offset >= len(content) or size == 0:
            raises(ValueError, smmap.util.MapRegion, path, offset, size)
            return
        region = smmap.util.MapRegion(path, offset, size)
        assert region.buffer()[:] == content[offset:offset + size]
        assert region.size() == len(content[offset:offset + size])
        assert region.client_count() == 1

    def op_ask(self):
        c = self.some()
        c.cursor.use_region(0, 1)
        c.range = (0, 1) if c.content else None
        assert c.cursor.verify() == 0 and c.cursor.refresh() == 0 and c.cursor.error() is None
        assert c.cursor.status()["size"] == len(c.content)
        c.cursor.advise(self.input.pick(("normal", "sequential", "random", "willneed")))
        self.check(c)

    # ---- buffers ----

    def op_begin(self):
        b = self.input.pick(self.buffers)
        c = self.some()
        offset, size = self.offset(len(c.content)), self.input.pick((sys.maxsize, self.input.below(6 * GRAIN)))
        expected = c.content[offset:offset + size]
        began = b.buffer.begin_access(c.cursor, offset, size)
        self.forget(c)  # the buffer's by now, which moves it
        assert began == bool(expected)
        b.content = expected if began else None
        assert len(b.buffer) == len(b.content or b"")

    def op_end(self):
        b = self.input.pick(self.buffers)
        b.buffer.end_access()
        b.content = None
        assert len(b.buffer) == 0

    def op_index(self):
        b = self.input.pick(self.buffers)
        size = len(b.content or b"")
        index = self.bound(size) or 0
        if b.content is None:
            raises((ValueError, IndexError), b.buffer.__getitem__, index)
        elif -size <= index < size:
            assert b.buffer[index] == b.content[index]
        else:
            raises(IndexError, b.buffer.__getitem__, index)

    def op_slice(self):
        b = self.input.pick(self.buffers)
        if b.content is None:
            return
        size = len(b.content)
        start, stop = self.bound(size), self.bound(size)
        step = self.input.pick((None, None, 1, -1, 2, 1 + self.input.below(5000), -1 - self.input.below(5000), 2**70))
        assert b.buffer[start:stop:step] == b.content[start:stop:step]

    def op_find(self):
        b = self.input.pick(self.buffers)
        if b.content is None:
            return
        at = self.input.below(len(b.content))
        sub = b.content[at:at + self.input.below(40)]
        if self.input.below(4) == 0:
            sub = bytes(reversed(sub))
        start, end = self.bound(len(b.content)) or 0, self.bound(len(b.content))
        end = sys.maxsize if end is None else end
        assert b.buffer.find(sub, start, end) == b.content.find(sub, start, end)
        assert (sub in b.buffer) == (sub in b.content)

    def op_whole(self):
        b = self.input.pick(self.buffers)
        if b.content is not None:
            how = self.input.below(3)
            if how == 0:
                assert bytes(b.buffer) == b.content
            elif how == 1:
                assert b"".join(b.buffer.chunks(1 + self.input.below(2 * GRAIN))) == b.content
            else:
                for got, wanted in zip(b.buffer, b.content[:50]):
                    assert got == wanted

    def op_view(self):
        i = self.input.below(self.VIEWS)
        b = self.input.pick(self.buffers)
        if b.content is None:
            raises(ValueError, b.buffer.view)
            return
        start, stop = self.bound(len(b.content)) or 0, self.bound(len(b.content))
        stop = sys.maxsize if stop is None else stop
        view = b.buffer.view(start, stop)
        self.views[i] = (view, b.content[start:stop])
        self.check_view(self.views[i])

    @staticmethod
    def check_view(held):
        if held is not None:
            assert held[0] == held[1]

    def op_drop(self):
        i = self.input.below(self.VIEWS)
        self.check_view(self.views[i])
        self.views[i] = None

    # ---- the rest ----

    def op_collect(self):
        before = self.manager.num_file_handles()
        given = self.manager.collect()
        assert self.manager.num_file_handles() == before - given

    def op_window(self):
        a, b = (smmap.util.MapWindow(self.offset(99999), self.offset(99999)) for _ in range(2))
        begin, end, most = a.ofs, a.ofs_end(), self.offset(99999)
        how = self.input.below(3)
        if how == 0:
            a.align()
            assert (a.ofs, a.ofs_end()) == (begin // GRAIN * GRAIN, -(-end // GRAIN) * GRAIN)
        elif how == 1:
            a.extend_right_to(b, most)
            wanted = min(max(end, b.ofs), max(end, begin + most))
            assert (a.ofs, a.ofs_end()) == (begin, wanted)
        else:
            a.extend_left_to(b, most)
            wanted = max(min(begin, b.ofs_end()), min(begin, end - most))
            assert (a.ofs, a.ofs_end()) == (wanted, end)

    def op_wrong(self):
        """Arguments of wrong types and sizes are refused, whatever the call, and nothing is broken by them."""
        c = self.some()
        b = self.input.pick(self.buffers).buffer
        calls = (c.cursor.use_region, c.cursor.read, c.cursor.readinto, c.cursor.includes_ofs, c.cursor.assign,
                 c.cursor.advise, b.__getitem__, b.view, b.find, b.begin_access, b.chunks, smmap.util.MapRegion,
                 smmap.util.MapWindow, smmap.util.align_to_mmap, smmap.StaticWindowMapManager,
                 smmap.SlidingWindowMapManager, self.manager.make_cursor)
        values = WRONG + HUGE + tuple(-n for n in HUGE) + (0, 1, -1)
        call = self.input.pick(calls)
        arguments = [self.input.pick(values) for _ in range(self.input.below(4))]
        try:
            call(*arguments)
        except REFUSALS + (OSError, smmap.InvalidCursorError):
            pass
        # It may have been right; what it moved is begun anew.
        self.forget(c)
        for held in self.buffers:
            if held.buffer is b:
                b.end_access()
                held.content = None

    OPERATIONS = (op_make, op_use, op_use, op_unuse, op_copy, op_read, op_read, op_map, op_region, op_ask, op_begin,
                  op_begin, op_end, op_index, op_index, op_slice, op_slice, op_find, op_whole, op_view, op_drop,
                  op_collect, op_window, op_wrong)

    def run(self):
        while self.input.more():
            self.input.pick(self.OPERATIONS)(self)
        while self.views:
            self.check_view(self.views.pop())
        self.buffers.clear()
        self.cursors.clear()
        self.manager.collect()
        assert self.manager.num_file_handles() == 0 and self.manager.mapped_memory_size() == 0
        assert self.manager.stats()["exported_bytes"] == 0


def make_files(directory):
    """Content for any seed is the same, so that an input that failed fails again."""
    contents = random.Random(1)
    files = []
    for i, size in enumerate(SIZES):
        path = os.path.join(directory, f"file{i}")
        content = contents.randbytes(size)
        pathlib.Path(path).write_bytes(content)
        files.append((path, content))
    return files


def inputs_of(places):
    for place in map(pathlib.Path, places):
        for path in sorted(place.iterdir()) if place.is_dir() else [place]:
            yield path.read_bytes()


def mutate(source, inputs, longest):
    """Another input: new, or one or two of those there are, changed here and there."""
    if not inputs or source.random() < 0.2:
        return source.randbytes(source.randrange(longest))
    data = bytearray(source.choice(inputs))
    if source.random() < 0.5:
        other = source.choice(inputs)
        data[source.randrange(len(data) + 1):] = other[source.randrange(len(other) + 1):]
    for _ in range(source.randrange(8)):
        at = source.randrange(len(data) + 1)
        data[at:at + source.randrange(3)] = source.randbytes(source.randrange(3))
    return bytes(data[:longest])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=0)
    arguments.add_argument("--seed", type=int, default=None)
    arguments.add_argument("--max-length", type=int, default=200)
    arguments.add_argument("--artifacts", default=tempfile.gettempdir())
    arguments.add_argument("inputs", nargs="*")
    options = arguments.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    source = random.Random(seed)
    print(f"seed: {seed}")
    runs = 0
    with tempfile.TemporaryDirectory(prefix="smmap-fuzz-") as directory:
        files = make_files(directory)
        inputs = list(inputs_of(options.inputs))
        end = time.monotonic() + options.seconds
        while runs < len(inputs) or time.monotonic() < end:
            data = inputs[runs] if runs < len(inputs) else mutate(source, inputs, options.max_length)
            try:
                World(data, files).run()
            except BaseException:
                path = os.path.join(options.artifacts, "crash-python")
                pathlib.Path(path).write_bytes(data)
                print(f"failed: {path} has the input")
                raise
            runs += 1
    print(f"{runs} runs")


if __name__ == "__main__":
    main()
