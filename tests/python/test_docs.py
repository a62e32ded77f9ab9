# SPDX-License-Identifier: BSD-3-Clause
"""The usage examples of the original's documentation, unmodified, on a file of random content.

Each file below examples/ is one example, word for word; the indentation of the last three of the utilities' was lost where
they were published. Those that are parts find the names that they presuppose: smmap, manager, file_path, window_size, cursor.
"""
import os
import pathlib

import pytest

import smmap
from conftest import GRAIN, make_file

EXAMPLES = sorted(pathlib.Path(__file__).with_name("examples").glob("*.py"))
SIZE = 12 << 20


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    return str(make_file(tmp_path_factory.mktemp("docs") / "data", SIZE + 12_345))


def run(example, big, monkeypatch, **names):
    """Runs it; paths that begin with /path/to/ are our file. Returns its names."""

    def redirect(cls):
        class Redirected(cls):
            def make_cursor(self, path_or_fd):
                here = str(path_or_fd).startswith("/path/to/")
                return super().make_cursor(big if here else path_or_fd)

        return Redirected

    monkeypatch.setattr(smmap, "SlidingWindowMapManager", redirect(smmap.SlidingWindowMapManager))
    monkeypatch.setattr(smmap, "StaticWindowMapManager", redirect(smmap.StaticWindowMapManager))
    manager = smmap.SlidingWindowMapManager(names.pop("window", -1))
    given = {
        "smmap": smmap,
        "manager": manager,
        "file_path": big,
        "window_size": manager.window_size(),
        "cursor": manager.make_cursor(big),
    }
    given.update(names)
    exec(compile(example.read_text(), str(example), "exec"), given)
    return given


@pytest.mark.parametrize("window", [-1, 64 << 10, 1 << 20])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_example(example, window, big, monkeypatch, capsys):
    data = pathlib.Path(big).read_bytes()
    names = run(example, big, monkeypatch, window=window)
    output = capsys.readouterr().out
    if example.stem == "cursor":
        assert names["first_byte"] == data[0] and names["header"] == data[:128]
        assert names["middle_data"] == data[512_000] and names["data"] == data[1000:6000]
        assert names["new_buffer"][:1000] == data[2 << 20 :][:1000]
        assert "Mapped region: 0 to 1048576" in output and f"File size: {len(data)} bytes" in output
    elif example.stem == "buffer":
        assert names["first_byte"] == data[0] and names["last_byte"] == data[-1]
        assert names["header"] == data[:1024] and names["trailer"] == data[-1024:]
        assert names["middle_chunk"] == data[1_000_000:1_001_000]
        assert names["data"] == data[2048:2148]
        assert "Buffer covers 1048576 bytes" in output and "Cursor valid: True" in output
    elif example.stem == "sequential":
        assert names["offset"] == len(data)
    elif example.stem == "random_access":
        assert (names["header"], names["footer"]) == (data[:64], data[-64:])
        assert names["middle"] == data[len(data) // 2 :][:64]
    elif example.stem == "multi_cursor":
        most = min(1 << 20, names["window_size"])
        assert names["data1"] == data[:most]
        assert names["data2"] == data[10 << 20 :][:most]
    elif example.stem == "align":
        assert names["aligned_offset"] == 0 and names["aligned_size"] == 2 * GRAIN
        assert names["cursor"].size() == min(2 * GRAIN, names["window_size"])
    elif example.stem == "architecture":
        assert names["manager"].window_size() == names["window_size"]
        assert names["manager"].max_mapped_memory_size() == names["max_memory"]
    elif example.stem == "granularity":
        assert output.splitlines()[1:] == ["Manual alignment: 12345 -> 12288", "Function alignment: 12345 -> 12288"]
    elif example.stem == "layout":
        assert "Gap: 1048576 - 10485760" in output
    elif example.stem == "region":
        size = min(names["window_size"], len(data))
        assert f"Region covers: 0 to {size}\nRegion size: {size} bytes\nClient count: 2\n" in output
        assert f"Includes offset 512000: {size > 512_000}" in output
    elif example.stem == "platform":
        assert names["manager"].max_file_handles() == 1000
        assert "64-bit system: True" in output
    else:
        pytest.fail("an example that nothing is known of")


def test_our_own_documentation():
    """What docs/python.md shows in Python."""
    page = pathlib.Path(__file__).parents[2] / "docs" / "python.md"
    blocks = page.read_text().split("```python\n")[1:]
    assert blocks
    for block in blocks:
        names = {}
        exec(block.split("```")[0], names)
        assert names["buffer"][:] == pathlib.Path(smmap.__file__).read_bytes()


def test_sequential_reads_everything(big):
    """The same pattern, with what it leaves to the reader filled in."""
    manager = smmap.SlidingWindowMapManager(64 << 10)
    window_size = manager.window_size()
    cursor = manager.make_cursor(big)
    cursor.use_region(offset=0, size=window_size)
    parts = []
    offset = 0
    while cursor.is_valid():
        parts.append(bytes(cursor.buffer()))
        offset += cursor.size()
        cursor.use_region(offset=offset, size=window_size)
    assert b"".join(parts) == pathlib.Path(big).read_bytes()
    assert offset == os.path.getsize(big)
