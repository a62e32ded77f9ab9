# SPDX-License-Identifier: BSD-3-Clause
import io
from typing import BinaryIO, Optional

from ._smmap import PathOrFd, StaticWindowMapManager, WindowCursor

__all__ = ["MapFile", "open"]

class MapFile(io.RawIOBase):
    def __init__(
        self, path_or_fd: PathOrFd, manager: Optional[StaticWindowMapManager] = None, flags: int = 0
    ) -> None: ...
    @property
    def name(self) -> PathOrFd: ...
    @property
    def mode(self) -> str: ...
    def cursor(self) -> WindowCursor: ...

def open(
    path_or_fd: PathOrFd,
    mode: str = "rb",
    buffering: int = -1,
    *,
    manager: Optional[StaticWindowMapManager] = None,
    flags: int = 0,
) -> BinaryIO: ...
