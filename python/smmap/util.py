# SPDX-License-Identifier: BSD-3-Clause
"""Windows, regions and facts of the system."""
import os

from ._smmap import ALLOCATIONGRANULARITY, MapRegion, MapWindow, align_to_mmap, is_64_bit

__all__ = ["align_to_mmap", "is_64_bit", "MapWindow", "MapRegion", "MapRegionList", "ALLOCATIONGRANULARITY"]


class MapRegionList(list):
    """The regions of one file."""

    __slots__ = ("_path_or_fd", "_file_size")

    def __new__(cls, path_or_fd):
        return super().__new__(cls)

    def __init__(self, path_or_fd):
        super().__init__()
        self._path_or_fd = path_or_fd
        self._file_size = None

    def __reduce__(self):
        return type(self), (self._path_or_fd,), getattr(self, "__dict__", None), iter(self)

    def path_or_fd(self):
        """The very object that names the file."""
        return self._path_or_fd

    def file_size(self):
        """Size of the file in bytes; kept after the first call."""
        if self._file_size is None:
            self._file_size = os.stat(self._path_or_fd).st_size
        return self._file_size
