# SPDX-License-Identifier: BSD-3-Clause
"""Forked children, interpreter shutdown, subinterpreters, the switch of the guard."""
import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import pytest

import smmap
from conftest import GRAIN


def run(code, *options, status=0, **environment):
    paths = os.pathsep.join([str(pathlib.Path(smmap.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        env=dict(os.environ, PYTHONPATH=paths, **environment),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == status, (result.returncode, result.stdout, result.stderr)
    return result


def test_guard_is_on():
    assert "True" in run("import smmap; print(smmap.guard()['enabled'] and smmap.guard()['on_top'])").stdout
    assert "False" in run("import smmap; print(smmap.guard()['enabled'])", SMMAP_GUARD="0").stdout


CUT = """
    import os, smmap, sys
    path = sys.argv[1] if len(sys.argv) > 1 else {path!r}
    view = smmap.SlidingWindowMapManager().make_cursor(path).use_region().buffer()
    os.truncate(path, 0)
    print(sum(view))
"""


@pytest.mark.parametrize("options", [[], ["-X", "faulthandler"], ["-X", "dev"]])
def test_guarded(path, options):
    assert run(CUT.format(path=path), *options).stdout == "0\n"


def test_unguarded(path):
    """The test above shows something: without the guard the interpreter dies."""
    run(CUT.format(path=path), status=-signal.SIGBUS, SMMAP_GUARD="0")


def test_foreign_fault_is_not_ours(path):
    """A fault in somebody else's mapping goes where it would have gone."""
    run(
        f"""
        import mmap, os, smmap
        smmap.SlidingWindowMapManager().make_cursor(__import__("sys").executable).use_region()
        with open({path!r}, "rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        os.truncate({path!r}, 0)
        memory[5]
        """,
        status=-signal.SIGBUS,
    )


def test_fork(any_manager, path, data):
    cursor = any_manager.make_cursor(path).use_region(0, 100)
    view, memory = cursor.buffer(), cursor.map()
    buffer = smmap.SlidingWindowMapBuffer(any_manager.make_cursor(path))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert view == data[:100] and memory[:10] == data[:10]
            assert buffer[:] == data and cursor.use_region(150_000, 10).buffer() == data[150_000:150_010]
            any_manager.collect()
            assert any_manager.make_cursor(path).use_region(5, 5).buffer() == data[5:10]
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert view == data[:100] and buffer[:] == data
    any_manager.collect()
    assert cursor.is_valid()


SHUTDOWN = """
    import atexit, gc, smmap, sys, threading, time

    class Keeper:
        def __init__(self, *held):
            self.held = held
        def __del__(self):
            for use in self.held:
                try:
                    use()
                except Exception:
                    pass

    path = {path!r}
    manager = smmap.SlidingWindowMapManager(4096)
    static = smmap.StaticWindowMapManager()
    cursor = manager.make_cursor(path).use_region(0, 10)
    whole = static.make_cursor(path).use_region()
    buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(path))
    view, memory, region, exported = cursor.buffer(), whole.map(), cursor.region(), buffer.view()
    lone = smmap.MapRegion(path, 0, 100)
    file = smmap.open(path)
    keepers = [
        Keeper(cursor.buffer, cursor.map, cursor.region, cursor.use_region, cursor.file_size),
        Keeper(lambda: buffer[5], lambda: buffer[:], buffer.view, buffer.end_access, buffer.begin_access),
        Keeper(manager.collect, manager.stats, lambda: manager.make_cursor(path).use_region().buffer()),
        Keeper(region.map, region.client_count, lone.map, lone.release, whole.map, lambda: memory[3]),
        Keeper(lambda: view[0], lambda: exported[0], file.read, file.close, lambda: smmap.WindowCursor().path()),
    ]
    cycle = [keepers, manager, cursor]
    cycle.append(cycle)
    sys.kept_until_the_end = keepers[::-1] + [static, view, memory]
    atexit.register(lambda: buffer[7])

    def spin():
        c = manager.make_cursor(path)
        i = 0
        while True:
            c.use_region(i % 200000, 5000).buffer()[0]
            i += 7919
    for _ in range({threads}):
        threading.Thread(target=spin, daemon=True).start()
    time.sleep(0.05 if {threads} else 0)
"""


@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.parametrize("options", [[], ["-X", "dev"]], ids=["", "dev"])
def test_shutdown(path, threads, options):
    for _ in range(3):
        assert run(SHUTDOWN.format(path=path, threads=threads), *options).stderr == ""


SUBINTERPRETER = """
import smmap
manager = smmap.SlidingWindowMapManager(4096)
cursor = manager.make_cursor({path!r}).use_region(5, 10)
assert bytes(cursor.buffer()) == open({path!r}, "rb").read()[5:15]
cursor.map()[:5]
buffer = smmap.SlidingWindowMapBuffer(cursor)
assert len(buffer[:]) == 200000
try:
    smmap.WindowCursor().path()
except smmap.InvalidCursorError:
    pass
"""


def test_subinterpreters(path):
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    pytest.importorskip(name)
    code = SUBINTERPRETER.format(path=path)
    run(
        f"""
        import {name} as interpreters
        import smmap, sys
        ours = smmap.SlidingWindowMapManager().make_cursor({path!r}).use_region()
        code = "import sys; sys.path[:] = " + repr(sys.path) + chr(10) + {code!r}
        for _ in range(5):
            interpreter = interpreters.create()
            result = interpreters.run_string(interpreter, code)
            assert result is None, result
            interpreters.destroy(interpreter)
        assert len(ours.buffer()) == 200000 and smmap.guard()["enabled"]
        """
    )


def test_typed():
    package = pathlib.Path(smmap.__file__).parent
    assert (package / "py.typed").exists()
