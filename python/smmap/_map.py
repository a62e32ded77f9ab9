# SPDX-License-Identifier: BSD-3-Clause
"""What WindowCursor.map() and MapRegion.map() return."""
import mmap

from ._smmap import _release

__all__ = ["RegionMap"]


class RegionMap(mmap.mmap):
    """An mmap.mmap of one region of a file, read-only and without a descriptor.

    It begins as anonymous memory; the file's pages are laid over it. `_pin` keeps the region in the manager's budget and
    under the guard, and goes before the memory does.
    """

    __slots__ = ("_pin",)

    def __new__(cls, size):
        self = super().__new__(cls, -1, size, access=mmap.ACCESS_READ)
        self._pin = None
        return self

    def close(self):
        super().close()
        if self._pin is not None:
            _release(self._pin)

    def __exit__(self, *exc_info):
        self.close()

    def __reduce__(self):
        raise TypeError(f"cannot pickle or copy {type(self).__name__!r} object: it stands for memory of this process")

    def size(self):
        """Bytes of the map; there is no descriptor by which to ask for the file's."""
        return len(self)
