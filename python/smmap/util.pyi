# SPDX-License-Identifier: BSD-3-Clause
from typing import List

from ._smmap import ALLOCATIONGRANULARITY as ALLOCATIONGRANULARITY
from ._smmap import MapRegion as MapRegion
from ._smmap import MapWindow as MapWindow
from ._smmap import PathOrFd
from ._smmap import align_to_mmap as align_to_mmap
from ._smmap import is_64_bit as is_64_bit

__all__ = ["align_to_mmap", "is_64_bit", "MapWindow", "MapRegion", "MapRegionList", "ALLOCATIONGRANULARITY"]

class MapRegionList(List[MapRegion]):
    def __init__(self, path_or_fd: PathOrFd) -> None: ...
    def path_or_fd(self) -> PathOrFd: ...
    def file_size(self) -> int: ...
