#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Real faults: every provocation of rows.py against every way of reading.

    run.py BUILD [--tool FILE] [--package DIRECTORY] [--row TEXT] [--way TEXT] [--table]

BUILD holds tests/real-reader and the like; the tool and the Python package are those of build/ unless told. Each cell is one
provocation and one way: no process dies, the error and its offset are right, other files are not affected, the file is whole
again after a refresh where the fault heals, and everything is given back. A cell that cannot run here is named with what it
needs. The last line is "N passed, N failed, N skipped"; --table prints the matrix in Markdown instead of a line for each
cell. SMMAP_TEST_SEED, printed first, makes the same files again.
"""
import argparse
import concurrent.futures
import ctypes
import hashlib
import os
import pathlib
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from rows import FAULTED, PAGE, ROWS, Place, Scene, content
from system import Missing, check, libc, need, need_command

ROOT = pathlib.Path(__file__).resolve().parents[2]
WINDOW = 16 * PAGE
PIPE = 65536  # what a pipe holds
REPLY_SECONDS = 20

# Way: how it is started, and whether it copies or reads where the file is mapped.
C_WAYS = {
    "copying read": ("read", "stable"),
    "copying read, detached": ("read", "detached"),
    "pointer": ("pointer", "stable"),
    "pointer, detached": ("pointer", "detached"),
    "buffer, index": ("index", "stable"),
    "buffer, slice": ("slice", "stable"),
}
PYTHON_WAYS = {"Python slice": "slice", "Python memoryview": "view"}
TOOL_WAYS = {"smmap cat": "cat", "smmap hash": "hash"}
WAYS = [*C_WAYS, *PYTHON_WAYS, *TOOL_WAYS]
COPYING = {"copying read", "copying read, detached", "buffer, slice", "Python slice"}

MESSAGES = {
    name: message
    for name, message in re.findall(r'X\(SMMAP_(\w+), [^,]+, "([^"]*)"\)', (ROOT / "include/smmap.h").read_text())
}


class Reader:
    """A process that reads in one way; reader.c has the protocol."""

    def __init__(self, options, way, scene):
        if way in C_WAYS:
            program = options.build / "tests" / ("real-reader-static" if scene.static_program else "real-reader")
            need(program.exists(), "a static libc")
            command = [program, *C_WAYS[way]]
        else:
            command = [sys.executable, ROOT / "tests/real/reader.py", PYTHON_WAYS[way],
                       options.build / "tests/real-inside.so"]
        self.process = subprocess.Popen(
            [*map(str, scene.wrapper), *map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(options.package)}, preexec_fn=scene.before_start)
        self.pending = b""

    @property
    def pid(self):
        return self.process.pid

    def ask(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()
        until = time.monotonic() + REPLY_SECONDS
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
            assert ready, f"no answer to {words} in {REPLY_SECONDS} s"
            part = os.read(self.process.stdout.fileno(), 1 << 20)
            assert part, f"the reader died at {words}: {self.process.wait()}"
            self.pending += part
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode().split()

    def open(self, number, path, memory=False):
        return self.ask("memory" if memory else "open", number, path)

    def read(self, number, offset, size):
        data, code, at = self.ask("read", number, offset, size)
        return bytes.fromhex(data.strip("-")), code, None if at == "-" else int(at)

    def figures(self, command="stats"):
        return dict((k, int(v)) for k, v in (word.split("=") for word in self.ask(command) if "=" in word))

    def end(self):
        """It ends by itself, and well."""
        self.process.stdin.close()
        status = self.process.wait(REPLY_SECONDS)
        assert status == 0, f"the reader ended with {status}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def expect(got, wanted, what):
    if got == wanted:
        return
    if isinstance(got, bytes):
        at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
        got, wanted = f"{len(got)} bytes, wrong from {at} (page {at / PAGE:.2f})", f"{len(wanted)} bytes"
    raise AssertionError(f"{what}: {got} instead of {wanted}")


def coded(error):
    return ("SMMAP_" + error[0], error[1]) if error else ("0", None)


def seen_directly(scene):
    """What direct readers see: zeros where the pages are bad, and behind the end."""
    after = bytearray((scene.before if scene.after is None else scene.after).ljust(len(scene.before), b"\0"))
    if scene.bad and not scene.somewhere:
        begin, end = scene.bad
        after[begin:end] = bytes(end - begin)
    return bytes(after)


def error_wanted(scene, error, offset):
    """The error that must be seen, given where it was."""
    if error and scene.somewhere and offset is not None and scene.bad[0] <= offset < scene.bad[1]:
        return error[0], offset
    return error


# ---- cells of readers ---------------------------------------------------------------------------------------------------


def check_copying(scene, reader):
    data, code, offset = reader.read(0, 0, len(scene.before))
    after = scene.before if scene.after is None else scene.after
    if scene.may_copy_zeros and code == "SMMAP_ETRUNCATED":
        expect(data, after[: len(data)], "contents")
        return
    wanted = error_wanted(scene, scene.copying, offset)
    expect((code, offset), coded(wanted), "error of a copying read")
    expect(data, after[: wanted[1]] if wanted else after, "contents")


def check_direct(scene, reader):
    data, code, offset = reader.read(0, 0, len(scene.before))
    wanted = seen_directly(scene)
    expect((code, offset), coded(error_wanted(scene, scene.direct, offset)), "error of a direct reader")
    sure = min(len(data), offset) if scene.somewhere else len(data)
    expect(data[:sure], wanted[:sure], "contents")
    least = len(wanted)
    if scene.direct:
        expect(reader.ask("error", 0), [code, str(offset)], "the sticky error")
        least = 0 if scene.told_before else min(least, (offset // WINDOW + 1) * WINDOW)
    assert len(data) >= least, f"{len(data)} bytes, at least {least} were mapped"


def check_other(scene, reader, other):
    expect(reader.read(1, 0, len(other)), (other, "0", None), "another file")


def check_counters(way, scene, reader):
    figures = reader.figures()
    if scene.direct is None and scene.copying is None and not scene.may_copy_zeros:
        expect((figures["faults"], figures["contained"]), (0, 0), "faults counted")
    elif way not in COPYING:
        expect(figures["faults"], 1 if scene.direct else 0, "files with faults")
        assert not scene.direct or figures["contained"] > 0, "faults contained are not counted"
    elif scene.copying:
        assert figures["errors"] > 0, "errors are not counted"


def check_healing(way, scene, reader):
    scene.mend(reader)
    if scene.healed is None and way in COPYING:
        expect(reader.read(0, 0, len(scene.before)), (scene.before, "0", None), "mended, before a refresh")
    code, bits = reader.ask("refresh", 0)
    expect(code, "0", "refresh")
    whole = scene.before if scene.healed is None else scene.healed
    expect(reader.read(0, 0, len(whole)), (whole, "0", None), "mended")
    expect(reader.ask("error", 0)[0], "0", "the error after a refresh")
    reader.ask("evict")
    expect(reader.read(0, 0, len(whole)), (whole, "0", None), "mended, after evicting")


def check_end(reader):
    code, *figures = reader.ask("close")
    expect(code, "0", "freeing the manager")
    for name in ("mapped", "handles", "mappings", "descriptors", "files", "exported", "ranges"):
        held = [f for f in figures if f.startswith(name + "=")]
        expect(held, [name + "=0"], "what is held at the end")
    reader.end()


def read_scene(way, scene, reader, other_path, other):
    expect(reader.open(1, other_path), ["0", str(len(other))], "opening another file")
    opened = reader.open(0, scene.path, scene.memory)
    if scene.opening:
        assert opened[0] in ["SMMAP_" + name for name in scene.opening], f"opening: {opened[0]}"
        check_other(scene, reader, other)
        check_end(reader)
        return
    expect(opened, ["0", str(len(scene.before))], "opening")
    if not scene.is_static:
        expect(reader.read(0, 0, len(scene.before)), (scene.before, "0", None), "contents before")
        check_other(scene, reader, other)
    broken = scene.break_it(reader)
    assert broken in (None, ["0"]), f"could not be broken: {broken}"
    (check_copying if way in COPYING else check_direct)(scene, reader)
    check_other(scene, reader, other)
    check_counters(way, scene, reader)
    if scene.verify is not None:
        wanted = scene.verify | (FAULTED if scene.direct and way not in COPYING else 0)
        code, bits = reader.ask("verify", 0)
        expect((code, int(bits) & wanted), ("0", wanted), "verify")
    if scene.mend:
        check_healing(way, scene, reader)
    if scene.second:
        scene.second(reader)
    check_other(scene, reader, other)
    check_end(reader)


def cell_of_reader(options, way, scene, place):
    need(way not in PYTHON_WAYS or not scene.needs_no_python, f"another way: {scene.needs_no_python}")
    other = content(place.seed + 9)
    reader = Reader(options, way, scene)
    try:
        read_scene(way, scene, reader, place.file("other", other), other)
    finally:
        reader.kill()


# ---- cells of the tool --------------------------------------------------------------------------------------------------


def start_tool(options, scene, *arguments, wrapper=()):
    return subprocess.Popen([*map(str, (*wrapper, options.tool, *arguments))], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, preexec_fn=scene.before_start)


def end_of(process):
    try:
        out, errors = process.communicate(timeout=REPLY_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError("the tool hangs")
    assert process.returncode in (0, 1), f"the tool ended with {process.returncode}"
    return out, errors.decode(errors="replace"), process.returncode


def wait_until_maps(tracer, path):
    until = time.monotonic() + REPLY_SECONDS
    while time.monotonic() < until and tracer.poll() is None:
        for child in pathlib.Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split():
            try:
                if str(path) in pathlib.Path(f"/proc/{child}/maps").read_text():
                    return
            except OSError:
                pass
        time.sleep(0.005)
    raise AssertionError("the tool maps nothing")


def cat(options, scene):
    """Breaks the file once the pipe is full: then the tool has it mapped, and waits."""
    process = start_tool(options, scene, "cat", scene.path, wrapper=scene.wrapper)
    if not scene.is_static:
        # Other people's pipes are not ours to ask: the tool is quick, and a full pipe does not change any more.
        select.select([process.stdout], [], [], REPLY_SECONDS)
        while fionread(process.stdout) < min(PIPE, len(scene.before)):
            time.sleep(0.002)
        time.sleep(0.05)
        scene.break_it(None)
    return end_of(process)


def fionread(file):
    count = ctypes.c_int()
    libc.ioctl(file.fileno(), 0x541B, ctypes.byref(count))
    return count.value


def hash_file(options, scene):
    """Breaks the file in the time for which strace keeps the tool's mmap from returning."""
    arguments = ("hash", "--algorithm", "sha256", scene.path)
    if scene.is_static or not scene.before:
        return end_of(start_tool(options, scene, *arguments, wrapper=scene.wrapper))
    strace = need_command("strace")
    wrapper = (strace, "-qq", "-o", "/dev/null", "-P", scene.path, "-e", "inject=mmap:delay_exit=400000")
    process = start_tool(options, scene, *arguments, wrapper=wrapper)
    wait_until_maps(process, scene.path)
    scene.break_it(None)
    return end_of(process)


def check_tool(way, scene, out, errors, status):
    after = seen_directly(scene) if way == "smmap hash" else (scene.before if scene.after is None else scene.after)
    after = after.ljust(len(scene.before), b"\0")
    written = 0 if scene.is_static else min(PIPE, len(scene.before))
    shown = scene.before[:written] + after[written:]
    error = scene.opening and (scene.opening[0], None) or scene.copying
    if status == 1 and not error and any(MESSAGES[name] in errors for name in scene.tool_errors):
        return
    if not error:
        expect((status, errors), (0, ""), "the tool")
        expect(out.split()[0] if way == "smmap hash" else out,
               hashlib.sha256(after).hexdigest().encode() if way == "smmap hash" else shown, "what it says")
        return
    expect(status, 1, "exit status")
    assert MESSAGES[error[0]] in errors, f"{errors!r} does not say {MESSAGES[error[0]]!r}"
    if error[1] is None:
        return
    told = re.search(r"at offset (\d+)", errors)
    assert told or error[0] == "ENOTCONN", f"{errors!r} tells no offset"
    # What is in the pipe already cannot be found wrong any more.
    right = {max(written, scene.copying[1]), max(written, scene.direct[1])} if way == "smmap cat" else {scene.direct[1]}
    if scene.somewhere:
        right = range(*scene.bad)
    assert not told or int(told[1]) in right, f"{errors!r}: not at {right}"
    if way == "smmap cat":
        expect(out, shown[: int(told[1]) if told else 0], "what was written")


def cell_of_tool(options, way, scene, place):
    need(not scene.inside, "another way: it must happen inside the process")
    need(not scene.needs_no_tool, f"another way: {scene.needs_no_tool}")
    if scene.is_static:
        scene.break_it(None)
    results = (cat if way == "smmap cat" else hash_file)(options, scene)
    check_tool(way, scene, *results)
    if scene.mend and scene.is_static:
        scene.mend(None)
        whole = scene.before if scene.healed is None else scene.healed
        out, errors, status = cat(options, Scene(scene.path, whole, is_static=True))
        expect((out, errors, status), (whole, "", 0), "mended")


# ---- all cells ------------------------------------------------------------------------------------------------------------


def run_cell(options, row, way, seed):
    """("ok" | "FAILED" | "skipped", why, seconds)"""
    start = time.monotonic()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="cell-", dir=os.environ["REAL_DIR"]))
    place = Place(directory, options.build, seed)
    try:
        with ROWS[row](place) as scene:
            (cell_of_tool if way in TOOL_WAYS else cell_of_reader)(options, way, scene, place)
        result = "ok", ""
    except Missing as reason:
        result = "skipped", str(reason)
    except AssertionError as problem:
        result = "FAILED", str(problem) or traceback.format_exc()
    except Exception:
        result = "FAILED", traceback.format_exc()
    shutil.rmtree(directory, ignore_errors=True)
    return (*result, time.monotonic() - start)


def print_table(cells, rows, ways):
    short = {"ok": "pass", "FAILED": "**FAIL**", "skipped": "–"}
    print("| provocation | " + " | ".join(ways) + " |")
    print("| --- " * (len(ways) + 1) + "|")
    reasons = {}
    for row in rows:
        marks = []
        for way in ways:
            outcome, why, _ = cells[row, way]
            mark = short[outcome]
            if outcome == "skipped":
                mark += f" ({reasons.setdefault(why, len(reasons) + 1)})"
            marks.append(mark)
        print(f"| {row} | " + " | ".join(marks) + " |")
    if reasons:
        print()
    for why, number in reasons.items():
        print(f"({number}) {why}  ")
    print()


def own_namespace():
    """Mounts made here are seen here alone, and gone at the end."""
    if os.geteuid() == 0 and "REAL_NAMESPACE" not in os.environ:
        os.environ["REAL_NAMESPACE"] = "1"
        command = ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv]
        os.execvp(command[0], command)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--tool", type=lambda p: pathlib.Path(p).resolve(), default=ROOT / "build/smmap")
    parser.add_argument("--package", type=lambda p: pathlib.Path(p).resolve(), default=ROOT / "build/python")
    parser.add_argument("--row", default="", help="only rows whose name contains this")
    parser.add_argument("--way", default="", help="only ways whose name contains this")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    own_namespace()
    seed = int(os.environ.get("SMMAP_TEST_SEED") or random.randrange(1 << 32))
    rows = [row for row in ROWS if options.row in row]
    ways = [way for way in WAYS if options.way in way]
    if not options.table:
        print(f"seed {seed}")
    cells, count = {}, {"ok": 0, "FAILED": 0, "skipped": 0}
    os.environ["REAL_DIR"] = tempfile.mkdtemp(prefix="smmap-real-", dir=os.environ.get("TMPDIR", "/var/tmp"))
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            jobs = {(r, w): pool.submit(run_cell, options, r, w, seed) for r in rows for w in ways}
            for (row, way), job in jobs.items():
                outcome, why, seconds = cells[row, way] = job.result()
                count[outcome] += 1
                if not options.table:
                    note = f" ({seconds:.2f} s)" if outcome == "ok" else ": " + why.replace("\n", "\n    | ")
                    print(f"{outcome:8} {row}: {way}{note}", flush=True)
    finally:
        shutil.rmtree(os.environ["REAL_DIR"], ignore_errors=True)
    if options.table:
        print_table(cells, rows, ways)
    print(f"{count['ok']} passed, {count['FAILED']} failed, {count['skipped']} skipped")
    return count["FAILED"] != 0 or count["ok"] == 0


if __name__ == "__main__":
    sys.exit(main())
