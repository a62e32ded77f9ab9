# SPDX-License-Identifier: BSD-3-Clause
"""smmap.open()."""
import io
import os
import tarfile
import zipfile

import pytest

import smmap


@pytest.mark.parametrize("buffering", [-1, 0, 1, 17, 100_000])
def test_reads_like_a_file(any_manager, path, data, buffering):
    with smmap.open(path, buffering=buffering, manager=any_manager) as file, open(path, "rb") as real:
        assert isinstance(file, io.RawIOBase if buffering == 0 else io.BufferedReader)
        assert file.name == path and file.mode == "rb"
        assert file.readable() and file.seekable() and not file.writable() and not file.closed
        for action in (
            lambda f: f.read(10),
            lambda f: f.tell(),
            lambda f: f.seek(100_000),
            lambda f: f.read(50_000),
            lambda f: f.seek(-10, os.SEEK_END),
            lambda f: f.read(),
            lambda f: f.read(5),
            lambda f: f.seek(5, os.SEEK_CUR),
            lambda f: f.read(),
            lambda f: f.seek(10**12),
            lambda f: f.read(1),
            lambda f: f.seek(0),
            lambda f: f.readline(),
            lambda f: f.readlines(),
            lambda f: f.seek(3),
            lambda f: f.readinto(bytearray(7)),
            lambda f: f.tell(),
        ):
            assert action(file) == action(real)
        with pytest.raises((ValueError, OSError)):
            file.seek(-1)
        with pytest.raises((io.UnsupportedOperation, OSError)):
            file.write(b"x")
        with pytest.raises(OSError):
            file.fileno()
    assert file.closed
    for use in (file.read, file.tell, lambda: file.seek(0), lambda: file.readinto(bytearray(1))):
        with pytest.raises(ValueError):
            use()
    file.close()


def test_descriptor_and_default_manager(fd, data):
    with smmap.open(fd) as file:
        assert file.read() == data
    os.fstat(fd)


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        smmap.open(str(tmp_path / "none"))
    with pytest.raises(IsADirectoryError):
        smmap.open(tmp_path)
    with pytest.raises(ValueError):
        smmap.open(__file__, "w")
    with pytest.raises(ValueError):
        smmap.open(__file__, "r")


def test_text(tmp_path):
    (tmp_path / "text").write_text("one\ntwo\nthree\n")
    with io.TextIOWrapper(smmap.open(tmp_path / "text")) as file:
        assert list(file) == ["one\n", "two\n", "three\n"]


def test_archives(any_manager, tmp_path, path, data):
    with zipfile.ZipFile(tmp_path / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "data")
    with smmap.open(tmp_path / "zip", manager=any_manager) as file, zipfile.ZipFile(file) as archive:
        assert archive.read("data") == data
    with tarfile.open(tmp_path / "tar", "w:gz") as archive:
        archive.add(path, "data")
    with smmap.open(tmp_path / "tar", manager=any_manager) as file, tarfile.open(fileobj=file) as archive:
        assert archive.extractfile("data").read() == data


def test_no_descriptor_is_held(path):
    before = len(os.listdir("/proc/self/fd"))
    manager = smmap.SlidingWindowMapManager()
    files = [smmap.open(path, manager=manager) for _ in range(100)]
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    for file in files:
        file.close()
