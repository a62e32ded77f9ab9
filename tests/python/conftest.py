# SPDX-License-Identifier: BSD-3-Clause
import gc
import os
import pathlib

import pytest

import smmap
from original import DEBIAN, load_package

GRAIN = smmap.ALLOCATIONGRANULARITY


def make_file(path, size):
    path.write_bytes(os.urandom(size))
    return path


@pytest.fixture
def path(tmp_path):
    """A file of 200,000 random bytes: 13 windows of 16 KiB, the last one not full."""
    return str(make_file(tmp_path / "data", 200_000))


@pytest.fixture
def data(path):
    return pathlib.Path(path).read_bytes()


@pytest.fixture
def manager():
    """Small windows, room for four of them."""
    return smmap.SlidingWindowMapManager(window_size=4 * GRAIN, max_memory_size=16 * GRAIN)


def windows(kind, size=4 * GRAIN):
    if kind == "static":
        return smmap.StaticWindowMapManager()
    return smmap.SlidingWindowMapManager(window_size={"default": -1, "small": size}[kind])


@pytest.fixture(params=["static", "small", "default"])
def any_manager(request):
    return windows(request.param)


@pytest.fixture
def fd(path):
    number = os.open(path, os.O_RDONLY)
    yield number
    os.close(number)


@pytest.fixture(scope="session")
def reference():
    """The original, as Debian's python3-smmap installs it."""
    if not (DEBIAN / "smmap").is_dir():
        pytest.skip("python3-smmap is not installed")
    return load_package(DEBIAN / "smmap", "smmap_reference")


def open_descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def mappings_of(path):
    path = os.path.realpath(path)
    with open("/proc/self/maps") as maps:
        return sum(line.rstrip("\n").endswith(path) for line in maps)
