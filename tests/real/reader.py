# SPDX-License-Identifier: BSD-3-Clause
"""The protocol of reader.c in Python: reader.py WAY INSIDE, with WAY slice or view, INSIDE the library of inside.c."""
import ctypes
import errno
import os
import sys

import smmap

PAGES_IN_WINDOW = 16
way = sys.argv[1]
inside = ctypes.CDLL(sys.argv[2])
manager = smmap.SlidingWindowMapManager(window_size=PAGES_IN_WINDOW * smmap.ALLOCATIONGRANULARITY)
victims = {}


def name_of(error):
    if "truncated" in error.strerror:
        return "SMMAP_ETRUNCATED"
    if "cause is not known" in error.strerror:
        return "SMMAP_EFAULTED"
    return "SMMAP_" + {errno.ENOTSUP: "ENOTSUP"}.get(error.errno, errno.errorcode[error.errno])


def code_of(negative_errno):
    return "SMMAP_" + errno.errorcode[-negative_errno] if negative_errno else "0"


class Pieces:
    """Views of one window each."""

    def __init__(self, buffer):
        size = PAGES_IN_WINDOW * smmap.ALLOCATIONGRANULARITY
        self.views = [buffer.view(at, at + size) for at in range(0, len(buffer), size)]

    def __getitem__(self, part):
        return b"".join(self.views)[part]


class Victim:
    def __init__(self, target):
        self.target = target
        self.cursor = manager.make_cursor(target)
        self.buffer = self.memory = None
        self.cursor.use_region(0, 1)
        self.cursor.unuse_region()
        self.size = self.cursor.file_size()

    def let_go(self):
        self.buffer = self.memory = None

    def begin(self):
        if self.buffer is None:
            self.buffer = smmap.SlidingWindowMapBuffer(self.cursor)
        if way == "view" and self.memory is None:
            try:
                self.memory = self.buffer.view()
            except OSError as error:
                if error.errno != errno.ENOTSUP:
                    raise
                self.memory = Pieces(self.buffer)  # read into memory: nowhere contiguous

    def failed(self, error, data, offset):
        sticky = self.cursor.error()
        return data, name_of(sticky or error), sticky.offset if sticky else offset

    def read_on(self, offset, size):
        """What can be had, by copying reads, and where they end."""
        data = b""
        while len(data) < size:
            try:
                part = self.cursor.read(offset + len(data), size - len(data))
            except OSError as error:
                return data, name_of(error), offset + len(data)
            if not part:
                break
            data += part
        return data, "0", "-"

    def read(self, offset, size):
        if self.size == 0:
            return b"", "0", "-"
        try:
            self.begin()
            if way == "slice":
                return self.buffer[offset : offset + size], "0", "-"
        except OSError as error:
            if way == "view" or self.buffer is None:
                return self.failed(error, b"", offset)
            data, code, at = self.read_on(offset, size)
            assert code == name_of(error), (code, error)
            return data, code, at
        data = bytes(self.memory[offset : offset + size])
        error = self.cursor.error()
        return (data, name_of(error), error.offset) if error else (data, "0", "-")

    def address(self, offset):
        """Where the byte at `offset` lies, while something holds it."""
        if self.memory is None:
            self.memory = smmap.SlidingWindowMapBuffer(self.cursor).view()
        view = (ctypes.c_byte * 256)()  # a Py_buffer: its first field is the address
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(self.memory), view, 0)
        address = ctypes.c_void_p.from_buffer(view).value
        ctypes.pythonapi.PyBuffer_Release(view)
        return address + offset


def open_victim(number, path, memory):
    target = path
    if memory:
        target = os.memfd_create("victim")
        with open(path, "rb") as file:
            os.write(target, file.read())
    victims[number] = Victim(target)
    return f"0 {victims[number].size}"


def figures():
    s, guard = manager.stats(), smmap.guard()
    names = {"mapped": "mapped_bytes", "handles": "handles", "mappings": "mappings", "descriptors": "descriptors",
             "files": "files", "exported": "exported_bytes", "faults": "faults", "errors": "errors", "preads": "preads",
             "private": "fallback_private", "memory": "fallback_memory"}
    values = {k: s[v] for k, v in names.items()} | {"contained": guard["faults"], "ranges": guard["ranges"]}
    return " ".join(f"{k}={v}" for k, v in values.items())


def obey(command, words):
    if command in ("open", "memory"):
        return open_victim(int(words[0]), " ".join(words[1:]), command == "memory")
    if command == "read":
        data, code, offset = victims[int(words[0])].read(int(words[1]), int(words[2]))
        return f"{data.hex() or '-'} {code} {offset}"
    if command in ("refresh", "verify"):
        victim = victims[int(words[0])]
        if command == "refresh":
            victim.let_go()
        bits = getattr(victim.cursor, command)()
        victim.size = victim.cursor.file_size()
        return f"0 {bits}"
    if command == "error":
        error = victims[int(words[0])].cursor.error()
        return f"{name_of(error)} {error.offset}" if error else "0 0"
    if command == "evict":
        for victim in victims.values():
            victim.let_go()
            victim.cursor.unuse_region()
        manager.collect()
        return "0"
    if command == "memory-error":
        return code_of(inside.inside_memory_error(ctypes.c_void_p(victims[int(words[0])].address(int(words[1])))))
    if command == "break":
        kept = victims[0].memory
        victims[0].address(0)
        begin, end, how = map(int, words)
        code = inside.inside_break(b"memfd:victim", ctypes.c_uint64(begin), ctypes.c_uint64(end), how)
        victims[0].memory = victims[0].memory if way == "view" else kept
        return code_of(code)
    if command == "heal":
        return code_of(inside.inside_heal())
    if command == "lock":
        return code_of(inside.inside_lock_all())
    if command == "stats":
        return figures()
    if command == "close":
        victims.clear()
        manager.collect()
        return "0 " + figures()
    raise ValueError(command)


def main():
    for line in sys.stdin:
        command, *words = line.split()
        try:
            answer = obey(command, words)
        except OSError as error:
            answer = f"{name_of(error)} 0"
        print(answer, flush=True)


main()
