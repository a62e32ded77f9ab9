# SPDX-License-Identifier: BSD-3-Clause
"""Sliding-window memory maps: random and sequential access to files inside a fixed budget of mapped memory."""
from ._smmap import (
    CHANGE_FAULTED,
    CHANGE_GREW,
    CHANGE_MODIFIED,
    CHANGE_REPLACED,
    CHANGE_SHRANK,
    InvalidCursorError,
    __version__,
    guard,
)
from .buf import *
from .files import MapFile, open
from .mman import *
from .util import *

version_info = tuple(int(part) for part in __version__.split("."))
