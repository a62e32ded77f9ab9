# SPDX-License-Identifier: BSD-3-Clause
"""Files: what takes a binary file object can read through a manager's windows."""
import io
import os
import threading

from ._smmap import SlidingWindowMapManager

__all__ = ["MapFile", "open"]

_lock = threading.Lock()
_default_manager = None


def _manager():
    """The manager of those who do not bring one."""
    global _default_manager
    with _lock:
        if _default_manager is None:
            _default_manager = SlidingWindowMapManager()
        return _default_manager


class MapFile(io.RawIOBase):
    """A raw, read-only, seekable binary file over a cursor. It ends where the file ended when it was opened."""

    def __init__(self, path_or_fd, manager=None, flags=0):
        super().__init__()
        self._cursor = None
        cursor = (manager if manager is not None else _manager()).make_cursor(path_or_fd)
        # The file is opened here, as users of files expect, and nothing of it mapped.
        cursor.use_region(0, 1, flags).unuse_region()
        self._size = cursor.file_size()
        self._position = 0
        self._cursor = cursor

    @property
    def name(self):
        """What the file was opened by."""
        return self._open_cursor().path_or_fd()

    @property
    def mode(self):
        return "rb"

    def _open_cursor(self):
        if self._cursor is None:
            raise ValueError("I/O operation on closed file")
        return self._cursor

    def __reduce__(self):
        raise TypeError(f"cannot pickle or copy {type(self).__name__!r} object: it stands for memory of this process")

    def cursor(self):
        """The cursor; moving it does not disturb the file."""
        return self._open_cursor()

    def close(self):
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor._destroy()
        super().close()

    def readable(self):
        self._open_cursor()
        return True

    def seekable(self):
        self._open_cursor()
        return True

    def tell(self):
        self._open_cursor()
        return self._position

    def seek(self, offset, whence=io.SEEK_SET):
        self._open_cursor()
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            offset += self._size
        elif whence != io.SEEK_SET:
            raise ValueError(f"invalid whence: {whence!r}")
        if offset < 0:
            raise ValueError(f"negative seek position: {offset!r}")
        self._position = offset
        return offset

    def readinto(self, buffer):
        cursor = self._open_cursor()
        if self._position >= self._size:
            return 0
        count = cursor.readinto(self._position, buffer)
        self._position += count
        return count

    def read(self, size=-1):
        cursor = self._open_cursor()
        if size is None or size < 0:
            return self.readall()
        if self._position >= self._size:
            return b""
        data = cursor.read(self._position, size)
        self._position += len(data)
        return data

    def write(self, data):
        raise io.UnsupportedOperation("write")

    def truncate(self, size=None):
        raise io.UnsupportedOperation("truncate")

    def readall(self):
        return self.read(max(self._size - self._position, 0)) if self._open_cursor() else b""


def open(path_or_fd, mode="rb", buffering=-1, *, manager=None, flags=0):
    """Open a file for reading through a manager's windows.

    A buffered binary file, or a raw one when buffering is 0. manager: whose budget it is read in; by default one that all
    callers share. flags: further flags of os.open.
    """
    if mode not in ("rb", "br"):
        raise ValueError(f"mode must be 'rb', not {mode!r}: files are read-only and binary")
    raw = MapFile(path_or_fd, manager, flags)
    if buffering == 0:
        return raw
    return io.BufferedReader(raw, io.DEFAULT_BUFFER_SIZE if buffering in (-1, 1) else buffering)
