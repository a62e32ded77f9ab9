# SPDX-License-Identifier: BSD-3-Clause
"""Managers and cursors."""
from ._smmap import InvalidCursorError, SlidingWindowMapManager, StaticWindowMapManager, WindowCursor
from .util import MapRegion, MapRegionList, MapWindow, is_64_bit

__all__ = ["StaticWindowMapManager", "SlidingWindowMapManager", "WindowCursor"]

# What a manager makes; a subclass may set others.
StaticWindowMapManager.MapRegionListCls = MapRegionList
StaticWindowMapManager.MapWindowCls = MapWindow
StaticWindowMapManager.MapRegionCls = MapRegion
StaticWindowMapManager.WindowCursorCls = WindowCursor
