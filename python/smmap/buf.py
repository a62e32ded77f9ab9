# SPDX-License-Identifier: BSD-3-Clause
"""Buffers."""
from ._smmap import SlidingWindowMapBuffer

__all__ = ["SlidingWindowMapBuffer"]
