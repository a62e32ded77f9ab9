# SPDX-License-Identifier: BSD-3-Clause
"""What programs do with these objects: arrays, data frames, copies, pickles, weak references, threads, processes."""
import asyncio
import concurrent.futures
import copy
import gc
import hashlib
import io
import os
import pathlib
import pickle
import subprocess
import sys
import sysconfig
import textwrap
import weakref

import pytest

import smmap
from conftest import GRAIN, make_file, mappings_of

# What has to hold without a warning, too.
STRICT = [["-X", "dev", "-W", "error"], ["-W", "error"]]


def script(tmp_path, code, *arguments, options=(), **environment):
    """Runs it as a program of its own, as multiprocessing wants it."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(code))
    paths = os.pathsep.join([str(pathlib.Path(smmap.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, *options, str(program), *map(str, arguments)],
        env=dict(os.environ, PYTHONPATH=paths, **environment),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (result.returncode, result.stderr) == (0, ""), (result.returncode, result.stdout, result.stderr)
    return result.stdout


# ---- arrays and data frames ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        lambda c: c.buffer(),
        lambda c: c,
        lambda c: c.map(),
        lambda c: smmap.SlidingWindowMapBuffer(c),
        lambda c: smmap.SlidingWindowMapBuffer(c).view(),
        lambda c: c.region().buffer(),
    ],
    ids=["buffer()", "cursor", "map()", "buffer", "view()", "region"],
)
def test_numpy(any_manager, path, data, source):
    numpy = pytest.importorskip("numpy")
    cursor = any_manager.make_cursor(path).use_region()
    array = numpy.frombuffer(source(cursor), dtype="<u4")
    expected = numpy.frombuffer(data[: array.nbytes], dtype="<u4")
    assert array.nbytes in (len(data), 4 * GRAIN) and not array.flags.writeable
    # It is kept by nobody but itself: neither cursor nor budget nor manager.
    cursor._destroy()
    any_manager.collect()
    assert (array == expected).all() and array[1:].sum() == expected[1:].sum()
    part = array[10:20]
    del array, cursor
    gc.collect()
    with pytest.raises(ValueError):
        part[0] = 1
    assert (part == expected[10:20]).all()
    del part
    gc.collect()
    any_manager.collect()
    assert mappings_of(path) == 0 and any_manager.mapped_memory_size() == 0


def test_numpy_outlives_the_manager(path, data):
    numpy = pytest.importorskip("numpy")
    array = numpy.frombuffer(smmap.SlidingWindowMapManager(GRAIN).make_cursor(path).use_region(GRAIN).buffer(), "u1")
    gc.collect()
    assert array.tobytes() == data[GRAIN : 2 * GRAIN]
    del array
    gc.collect()
    assert mappings_of(path) == 0


def test_numpy_fromfile_like(any_manager, tmp_path):
    numpy = pytest.importorskip("numpy")
    numbers = numpy.random.default_rng(1).random((100, 50))
    numpy.save(tmp_path / "numbers.npy", numbers)
    numpy.savez_compressed(tmp_path / "numbers.npz", numbers=numbers)
    for name in ("numbers.npy", "numbers.npz"):
        with smmap.open(tmp_path / name, manager=any_manager) as file:
            loaded = numpy.load(file)
            assert ((loaded if name.endswith("y") else loaded["numbers"]) == numbers).all()


def test_pandas(any_manager, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"number": range(5000), "text": [os.urandom(5).hex() for _ in range(5000)]})
    frame.to_csv(tmp_path / "frame.csv", index=False)
    frame.to_pickle(tmp_path / "frame.pickle")
    for engine in ("c", "python"):
        with smmap.open(tmp_path / "frame.csv", manager=any_manager) as file:
            assert pandas.read_csv(file, engine=engine, dtype={"text": str}).equals(frame)
    with smmap.open(tmp_path / "frame.pickle", manager=any_manager) as file:
        assert pandas.read_pickle(file).equals(frame)


def test_fsspec(any_manager, tmp_path, data, path):
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.zip import ZipFileSystem

    import zipfile

    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.write(path, "folder/data")
    assert fsspec is not None
    with smmap.open(tmp_path / "archive.zip", manager=any_manager) as file:
        files = ZipFileSystem(file)
        assert files.find("") == ["folder/data"] and files.cat_file("folder/data", 5, 50_000) == data[5:50_000]


def test_hashlib_and_io(any_manager, path, data):
    digest = hashlib.sha256()
    for chunk in smmap.SlidingWindowMapBuffer(any_manager.make_cursor(path)).chunks():
        digest.update(chunk)
    assert digest.digest() == hashlib.sha256(data).digest()
    target = io.BytesIO()
    assert target.write(any_manager.make_cursor(path).use_region(5, 1000)) == 1000
    assert b"".join([any_manager.make_cursor(path).use_region(0, 3), b"x"]) == data[:3] + b"x"


# ---- copies, pickles, weak references ----------------------------------------------------------------------------------


def unpicklable(path):
    manager = smmap.SlidingWindowMapManager(GRAIN)
    cursor = manager.make_cursor(path).use_region()
    buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(path))

    class Cursor(smmap.WindowCursor):
        pass

    return {
        "manager": manager,
        "static": smmap.StaticWindowMapManager(),
        "cursor": cursor,
        "subclass": Cursor(),
        "buffer": buffer,
        "region": cursor.region(),
        "own region": smmap.MapRegion(path, 0, 10),
        "map": cursor.map(),
        "memoryview": cursor.buffer(),
        "view": buffer.view(),
        "exporter": buffer.view().obj,
        "chunks": buffer.chunks(),
        "file": smmap.open(path, manager=manager),
        "raw file": smmap.open(path, manager=manager, buffering=0),
    }


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(path, protocol):
    for name, thing in unpicklable(path).items():
        with pytest.raises(TypeError, match="cannot pickle"):
            assert pickle.dumps(thing, protocol) is None, name
        with pytest.raises(TypeError, match="cannot pickle"):
            copy.deepcopy(thing)


def test_pickling_values(path):
    class_of_tests = Window
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        window = smmap.MapWindow(2**40, 17)
        for twin in (pickle.loads(pickle.dumps(window, protocol)), copy.copy(window), copy.deepcopy(window)):
            assert twin == window and twin is not window and type(twin) is smmap.MapWindow
        window = class_of_tests(1, 2)
        window.note = "kept"
        twin = pickle.loads(pickle.dumps(window, protocol))
        assert type(twin) is Window and twin == window and twin.note == "kept"
        regions = smmap.MapRegionList(path)
        twin = pickle.loads(pickle.dumps(regions, protocol))
        assert type(twin) is smmap.MapRegionList and twin == [] and twin.path_or_fd() == path
    region = smmap.MapRegion(path, 0, 10)
    regions.append(region)
    twin = copy.copy(regions)
    assert twin == [region] and twin.path_or_fd() is path and twin is not regions
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(regions)


class Window(smmap.MapWindow):
    pass


def test_weak_references(path):
    manager = smmap.SlidingWindowMapManager(GRAIN)
    cursor = manager.make_cursor(path).use_region()
    things = [manager, cursor, smmap.SlidingWindowMapBuffer(cursor), cursor.region(), smmap.MapRegion(path, 0, 10)]
    things += [cursor.map(), smmap.open(path, manager=manager)]
    called = []
    references = [weakref.ref(thing, called.append) for thing in things]
    assert [reference() for reference in references] == things
    known = weakref.WeakValueDictionary(enumerate(things))
    del manager, cursor, things
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
    assert sorted(map(id, called)) == sorted(map(id, references)) and not known


def test_subclasses(path, data):
    class Buffer(smmap.SlidingWindowMapBuffer):
        def __init__(self, *arguments, unit=1, **names):
            super().__init__(*arguments, **names)
            self.unit = unit

        def __getitem__(self, i):
            if isinstance(i, slice):
                return super().__getitem__(i)
            return super().__getitem__(slice(i * self.unit, (i + 1) * self.unit))

        def __len__(self):
            return super().__len__() // self.unit

    class Manager(smmap.SlidingWindowMapManager):
        def __init__(self):
            super().__init__(GRAIN)
            self.made = []

        def make_cursor(self, path_or_fd):
            self.made.append(path_or_fd)
            return super().make_cursor(path_or_fd)

    class Region(smmap.MapRegion):
        def __len__(self):
            return self.size()

    manager = Manager()
    buffer = Buffer(manager.make_cursor(path), 100, unit=1000)
    assert len(buffer) == 199 and buffer[3] == data[3100:4100] and buffer[:5] == data[100:105]
    assert manager.made == [path]
    assert len(Region(path, 0, 77)) == 77
    # They take part in the collection of cycles.
    buffer.itself, manager.buffer = buffer, buffer
    watch = weakref.ref(buffer)
    del buffer, manager
    gc.collect()
    assert watch() is None and mappings_of(path) == 0


# ---- threads, loops, processes -----------------------------------------------------------------------------------------


def test_executors(any_manager, path, data):
    def digest(first):
        buffer = smmap.SlidingWindowMapBuffer(any_manager.make_cursor(path), first, 50_000)
        return hashlib.sha256(buffer.view()).digest(), buffer[-1]

    starts = [i * 997 for i in range(150)]
    expected = [(hashlib.sha256(data[i : i + 50_000]).digest(), data[i : i + 50_000][-1]) for i in starts]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(digest, starts)) == expected

    async def together():
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return await asyncio.gather(*(loop.run_in_executor(pool, digest, start) for start in starts))

    assert asyncio.run(together()) == expected
    gc.collect()
    any_manager.collect()
    assert any_manager.mapped_memory_size() == 0


def test_one_map_for_all_threads(path, data):
    """However many ask at once: one mmap.mmap per region."""
    import threading

    for _ in range(50):
        manager = smmap.SlidingWindowMapManager(GRAIN)
        start, maps = threading.Barrier(4), []

        def ask():
            cursor = manager.make_cursor(path).use_region(GRAIN)
            start.wait()
            maps.append(cursor.map())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(maps) == 4 and len(set(map(id, maps))) == 1
        assert maps[0][:] == data[GRAIN : 2 * GRAIN]


POOL = """
    import hashlib, multiprocessing, sys
    import smmap

    manager = smmap.SlidingWindowMapManager(4096)

    def digest(job):
        path, start = job
        buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(path), start, 30_000)
        return hashlib.sha256(buffer).hexdigest(), buffer[:20]

    def main(method, path):
        data = open(path, "rb").read()
        # In use while the children are made.
        cursor = manager.make_cursor(path).use_region(5, 10)
        view, memory = cursor.buffer(), cursor.map()
        starts = [i * 4099 for i in range(40)]
        with multiprocessing.get_context(method).Pool(3) as pool:
            got = pool.map(digest, [(path, start) for start in starts])
            pool.close()
            pool.join()
        assert got == [(hashlib.sha256(data[i : i + 30_000]).hexdigest(), data[i : i + 20]) for i in starts]
        assert view == data[5:15] and memory[:9] == data[:9] and cursor.use_region(9000, 3).buffer() == data[9000:9003]
        print("right")

    if __name__ == "__main__":
        with open(sys.argv[2], "rb"):
            pass
        main(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("options", [["-X", "dev"], []], ids=["dev", ""])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path, path, method, options):
    code = POOL.replace('data = open(path, "rb").read()', 'data = __import__("pathlib").Path(path).read_bytes()')
    assert script(tmp_path, code, method, path, options=options) == "right\n"


INHERITED = """
    import multiprocessing, sys, pathlib
    import smmap

    def child(data, cursor, buffer, view, memory, array, file):
        assert view == data[5:15] and memory[:9] == data[:9] and array[7] == data[7]
        assert buffer[150_000] == data[150_000] and cursor.use_region(70_000, 5).buffer() == data[70_000:70_005]
        assert file.read(10) == data[10:20]
        sys.exit(7)

    if __name__ == "__main__":
        path = sys.argv[1]
        data = pathlib.Path(path).read_bytes()
        manager = smmap.SlidingWindowMapManager(16384, 65536)
        cursor = manager.make_cursor(path).use_region(5, 10)
        buffer = smmap.SlidingWindowMapBuffer(manager.make_cursor(path))
        file = smmap.open(path, manager=manager)
        assert file.read(10) == data[:10]
        given = (data, cursor, buffer, cursor.buffer(), cursor.map(), memoryview(buffer), file)
        processes = [multiprocessing.get_context("fork").Process(target=child, args=given) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        print([process.exitcode for process in processes], file.read(10) == data[10:20], buffer[:] == data)
"""


@pytest.mark.parametrize("options", STRICT, ids=["dev", "errors"])
def test_inherited_objects(tmp_path, path, options):
    assert script(tmp_path, INHERITED, path, options=options) == "[7, 7, 7] True True\n"


EVERYTHING = """
    import gc, os, sys
    sys.path.insert(0, sys.argv[2])
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        import test_leaks
    fd = os.open(sys.argv[1], os.O_RDONLY)
    for _ in range(5):
        test_leaks.body(sys.argv[1], fd)
    os.close(fd)
    gc.collect()
    print("done", [g for g in gc.garbage if "smmap" in repr(g)])
"""


@pytest.mark.parametrize(
    "options, environment",
    [
        (["-X", "dev", "-W", "error"], {}),
        (["-W", "error"], {"PYTHONMALLOC": "debug"}),
        # Free-threaded builds have no other allocator.
        (["-W", "error"], {} if sysconfig.get_config_var("Py_GIL_DISABLED") else {"PYTHONMALLOC": "malloc_debug"}),
        (["-W", "error", "-bb", "-O"], {}),
        (["-X", "faulthandler", "-X", "tracemalloc=5"], {}),
        (["-W", "error"], {"SMMAP_GUARD": "0"}),
    ],
    ids=["dev", "debug", "malloc_debug", "optimised", "tracemalloc", "unguarded"],
)
def test_strict_interpreters(tmp_path, path, options, environment):
    here = pathlib.Path(__file__).parent
    assert script(tmp_path, EVERYTHING, path, here, options=options, **environment) == "done []\n"
