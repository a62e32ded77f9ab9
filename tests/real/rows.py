# SPDX-License-Identifier: BSD-3-Clause
"""
The provocations: the rows of the matrix. Each is a context manager, entered once for each cell, that yields a Scene: a file
that is broken by one step and mended by another, and what readers of it must then see.
"""
import contextlib
import dataclasses
import errno
import os
import pathlib
import random
import resource
import shutil
import typing

from system import (BLKFLSBUF, FALLOC_COLLAPSE_RANGE, FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, Fuse, Missing, drop_pages,
                    fallocate, loop, mounted, need, need_command, run)

PAGE = 4096
PAGES = 40
SIZE = PAGES * PAGE + 123
BAD = (20 * PAGE, 23 * PAGE)  # where the rows break their files, if they may choose

# What verify tells; smmap.h.
REPLACED, GREW, SHRANK, MODIFIED, FAULTED = 1, 2, 4, 8, 16


@dataclasses.dataclass
class Scene:
    path: pathlib.Path
    before: bytes  # what the file holds when it is opened
    # Once it is broken:
    after: bytes = None  # what can be read of it; None: as before
    bad: tuple = None  # [begin, end): the pages there cannot be touched; None: all can
    copying: tuple = None  # (error, offset) of copying reads; None: they get all of `after`
    direct: tuple = None  # (error, offset) of direct readers, who see zeros in `bad`; None: no error
    may_copy_zeros: bool = False  # the last page of a file that was cut: whether zeros or an error is a matter of luck
    somewhere: bool = False  # which page of `bad` fails first is not for us to say, nor what the others hold
    told_before: bool = False  # the error is known before anything is read
    verify: int = None  # the bits that verify must tell at least
    # The steps. The reader is there for what can only be done inside it.
    break_it: typing.Callable = lambda reader: None
    mend: typing.Callable = None  # None: it cannot be mended
    healed: bytes = None  # what is read then, after a refresh; None: as before
    # How.
    is_static: bool = False  # broken from the beginning: nothing is read before
    memory: bool = False  # a memfd of the reader's own
    opening: tuple = None  # opening fails with one of these errors; None: it succeeds
    inside: bool = False  # has to be done inside the reader: not for the tool
    before_start: typing.Callable = None  # called in the reader's process before it becomes the reader
    wrapper: tuple = ()  # a command in front of the reader's
    static_program: bool = False  # C readers are to be static programs
    second: typing.Callable = None  # further steps with the reader, once all else was looked at
    tool_errors: tuple = ()  # errors that the tool may also end with
    needs_no_python: str = None  # why there is no Python cell
    needs_no_tool: str = None


def content(seed, size=SIZE):
    return random.Random(seed).randbytes(size)


@dataclasses.dataclass
class Place:
    """Where a row works."""

    directory: pathlib.Path
    build: pathlib.Path
    seed: int

    def file(self, name="victim", data=None):
        path = self.directory / name
        path.write_bytes(content(self.seed) if data is None else data)
        return path


ROWS = {}


def row(name):
    def add(function):
        ROWS[name] = contextlib.contextmanager(function)
        return function

    return add


def write_back(path, data):
    def step(_):
        with open(path, "r+b") as file:
            file.write(data)

    return step


# ---- changes by others -----------------------------------------------------------------------------------------------


@row("truncated")
def truncated(place):
    data = content(place.seed)
    path = place.file()
    cut = 20 * PAGE + 100
    yield Scene(path, data, data[:cut], (21 * PAGE, SIZE), ("ETRUNCATED", cut), ("ETRUNCATED", 21 * PAGE),
                verify=SHRANK | MODIFIED, break_it=lambda _: os.truncate(path, cut), mend=write_back(path, data))


@row("truncated to nothing")
def truncated_to_nothing(place):
    data = content(place.seed)
    path = place.file()
    yield Scene(path, data, b"", (0, SIZE), ("ETRUNCATED", 0), ("ETRUNCATED", 0), verify=SHRANK | MODIFIED,
                break_it=lambda _: os.truncate(path, 0), mend=write_back(path, data))


@row("cut inside its last page")
def cut_inside(place):
    data = content(place.seed)
    path = place.file()
    cut = SIZE - 50
    yield Scene(path, data, data[:cut] + bytes(50), may_copy_zeros=True, verify=SHRANK | MODIFIED,
                break_it=lambda _: os.truncate(path, cut), mend=write_back(path, data), tool_errors=("ETRUNCATED",))


@row("cut and grown again")
def cut_and_grown(place):
    data = content(place.seed)
    path = place.file()

    def cut_and_grow(_):
        os.truncate(path, 20 * PAGE)
        os.truncate(path, SIZE)

    yield Scene(path, data, data[: 20 * PAGE] + bytes(SIZE - 20 * PAGE), verify=MODIFIED, break_it=cut_and_grow,
                mend=write_back(path, data))


@row("a hole punched into it")
def punched(place):
    data = content(place.seed)
    path = place.file()
    yield Scene(path, data, data[: BAD[0]] + bytes(BAD[1] - BAD[0]) + data[BAD[1] :], verify=MODIFIED,
                break_it=lambda _: fallocate(path, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, BAD[0], BAD[1] - BAD[0]),
                mend=write_back(path, data))


@row("a range collapsed")
def collapsed(place):
    data = content(place.seed)
    path = place.file()
    try:
        fallocate(place.file("probe"), FALLOC_COLLAPSE_RANGE, 4 * PAGE, 4 * PAGE)
    except OSError as error:
        raise Missing("needs a file system that collapses ranges (ext4, xfs)") from error
    left = data[: 4 * PAGE] + data[8 * PAGE :]
    yield Scene(path, data, left, (37 * PAGE, SIZE), ("ETRUNCATED", len(left)), ("ETRUNCATED", 37 * PAGE),
                verify=SHRANK | MODIFIED,
                break_it=lambda _: fallocate(path, FALLOC_COLLAPSE_RANGE, 4 * PAGE, 4 * PAGE),
                mend=write_back(path, data))


@row("replaced by rename")
def replaced(place):
    data, new = content(place.seed), content(place.seed + 1)
    path = place.file()
    yield Scene(path, data, verify=REPLACED, break_it=lambda _: os.replace(place.file("new", new), path),
                mend=lambda _: None, healed=new)


@row("overwritten in place")
def overwritten(place):
    data, new = content(place.seed), content(place.seed + 1)
    path = place.file()
    yield Scene(path, data, new, verify=MODIFIED, break_it=write_back(path, new), mend=lambda _: None, healed=new)


@row("grown")
def grown(place):
    data, more = content(place.seed), content(place.seed + 1)

    def grow(_):
        with open(path, "ab") as file:
            file.write(more)

    path = place.file()
    yield Scene(path, data, verify=GREW | MODIFIED, break_it=grow, mend=lambda _: None, healed=data + more)


@row("empty")
def empty(place):
    data = content(place.seed)
    path = place.file(data=b"")
    yield Scene(path, b"", verify=0, mend=write_back(path, data), healed=data)


# ---- devices that fail -------------------------------------------------------------------------------------------------


def failing(code):
    def function(place):
        data = content(place.seed)
        with Fuse(place.build / "tests/real-fuse", place.file()) as fuse:

            def break_it(_):
                fuse.tell("fail", *BAD, getattr(errno, code))
                fuse.forget_pages()

            yield Scene(fuse.path, data, data, BAD, (code, BAD[0]), (code, BAD[0]), break_it=break_it,
                        mend=lambda _: fuse.tell("go"))

    return function


for failure in ("EIO", "ESTALE", "EUCLEAN", "ETIMEDOUT"):
    row(f"reading fails: {failure}")(failing(failure))


@row("reading fails in direct I/O (mapped privately)")
def direct_io(place):
    data = content(place.seed)
    with Fuse(place.build / "tests/real-fuse", place.file(), "direct") as fuse:
        # What was mapped privately stays readable; what is read anew fails.
        yield Scene(fuse.path, data, data, BAD, ("EIO", BAD[0]), ("EIO", BAD[0]), is_static=True,
                    break_it=lambda _: fuse.tell("fail", *BAD, errno.EIO), mend=lambda _: fuse.tell("go"))


@row("the server of the file system dies")
def server_dies(place):
    data = content(place.seed)
    with Fuse(place.build / "tests/real-fuse", place.file()) as fuse:
        yield Scene(fuse.path, data, b"", (0, SIZE), ("ENOTCONN", 0), ("ENOTCONN", 0), is_static=True,
                    break_it=lambda _: fuse.die())


@row("truncated, on FUSE")
def truncated_fuse(place):
    data = content(place.seed)
    cut = 20 * PAGE + 100
    with Fuse(place.build / "tests/real-fuse", place.file()) as fuse:
        yield Scene(fuse.path, data, data[:cut], (21 * PAGE, SIZE), ("ETRUNCATED", cut), ("ETRUNCATED", 21 * PAGE),
                    verify=SHRANK, break_it=lambda _: os.truncate(fuse.path, cut))


def find_pages(image, data):
    """Where the pages of the file lie in the image of a file system."""
    raw = image.read_bytes()
    places = [raw.find(data[at : at + PAGE]) for at in range(0, len(data), PAGE)]
    assert min(places) >= 0
    return places


def ext4_image(place):
    data = content(place.seed)
    source = place.directory / "source"
    source.mkdir()
    (source / "victim").write_bytes(data)
    image = place.directory / "image"
    image.write_bytes(bytes(8 << 20))
    run(need_command("mkfs.ext4"), "-q", "-O", "^has_journal", "-b", PAGE, "-d", source, image)
    return data, image, find_pages(image, data)


def expect_lost(path, data, lost, code="EIO"):
    """The pages whose numbers are in `lost` cannot be read; they follow one another."""
    first, last = min(lost), max(lost) + 1
    assert lost == list(range(first, last))
    return dict(path=path, before=data, after=data, bad=(first * PAGE, min(last * PAGE, len(data))),
                copying=(code, first * PAGE), direct=(code, first * PAGE), is_static=True)


@row("a loop device over an image that was cut")
def cut_image(place):
    data, image, places = ext4_image(place)
    cut = places[20]
    whole = image.read_bytes()
    lost = [i for i, at in enumerate(places) if at >= cut]
    with loop(image, "--read-only") as device, mounted(device, "ext4", "noload", True) as mount:

        def mend(_):
            with open(image, "r+b") as file:
                file.write(whole)

        yield Scene(**expect_lost(mount / "victim", data, lost), break_it=lambda _: os.truncate(image, cut), mend=mend)


@row("a block device that lost its end")
def block_device(place):
    data = content(place.seed, PAGES * PAGE)
    image = place.file(data=data)

    def flush(device):
        import fcntl

        with open(device, "rb") as file:
            fcntl.ioctl(file, BLKFLSBUF, 0)

    with loop(image, "--read-only") as device:

        def break_it(_):
            os.truncate(image, BAD[0])
            flush(device)

        lost = list(range(20, PAGES))
        yield Scene(**expect_lost(pathlib.Path(device), data, lost), break_it=break_it, mend=write_back(image, data),
                    needs_no_python="the package opens no block devices", needs_no_tool="the tool opens no block devices")


@row("ext4 on a device that fails")
def ext4_on_fuse(place):
    data, image, places = ext4_image(place)
    with Fuse(place.build / "tests/real-fuse", image) as fuse:
        with loop(fuse.path, "--read-only") as device, mounted(device, "ext4", "noload", True) as mount:

            def break_it(_):
                fuse.tell("fail", places[20], places[22] + PAGE, errno.EIO)
                fuse.forget_pages()

            yield Scene(**expect_lost(mount / "victim", data, [20, 21, 22]), break_it=break_it,
                        mend=lambda _: fuse.tell("go"))


@row("a checksum that is wrong (btrfs)")
def btrfs(place):
    data = content(place.seed)
    source = place.directory / "source"
    source.mkdir()
    (source / "victim").write_bytes(data)
    image = place.directory / "image"
    image.write_bytes(b"")
    os.truncate(image, 128 << 20)
    run(need_command("mkfs.btrfs"), "-q", "--mixed", "-m", "single", "-d", "single", "-r", source, image)
    with open(image, "r+b") as file:
        at = find_pages(image, data)[20] + 77
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    with loop(image, "--read-only") as device, mounted(device, "btrfs", "", True) as mount:
        yield Scene(**expect_lost(mount / "victim", data, [20]))


def read_pages(path):
    """By pread, page by page: the numbers of those that fail, and how."""
    drop_pages(path)
    descriptor = os.open(path, os.O_RDONLY)
    lost, code = [], None
    for at in range(0, os.fstat(descriptor).st_size, PAGE):
        try:
            os.pread(descriptor, PAGE, at)
        except OSError as error:
            lost.append(at // PAGE)
            code = code or errno.errorcode[error.errno]
    os.close(descriptor)
    drop_pages(path)
    return lost, code


@row("compressed data that is corrupt (erofs)")
def erofs(place):
    chance = random.Random(place.seed)
    words = [chance.randbytes(12) for _ in range(50)]
    data = b"".join(chance.choice(words) for _ in range(SIZE // 12))
    source = place.directory / "source"
    source.mkdir()
    (source / "victim").write_bytes(data)
    image = place.directory / "image"
    run(need_command("mkfs.erofs"), "--quiet", "-zlz4", image, source)
    whole = image.read_bytes()
    # LZ4 has no checksum, but this is always found out: 255 literal bytes, then a match 61,680 bytes back, where nothing is.
    for at in range(len(whole) // PAGE - 1, 0, -1):
        image.write_bytes(whole[: at * PAGE] + b"\xf0" * PAGE + whole[(at + 1) * PAGE :])
        with contextlib.ExitStack() as stack:
            device = stack.enter_context(loop(image, "--read-only"))
            try:
                mount = stack.enter_context(mounted(device, "erofs", "", True))
                lost, code = read_pages(mount / "victim")
            except OSError:
                continue  # that page held the tables
            if lost and lost[0] > 0 and lost == list(range(lost[0], lost[-1] + 1)):
                # Which pages of a cluster fail depends on how many are read at once.
                yield Scene(**expect_lost(mount / "victim", data, lost, code), somewhere=True)
                return
    raise AssertionError("no corruption was found out")


# ---- memory --------------------------------------------------------------------------------------------------------------


@row("a sparse file on a full tmpfs")
def full_tmpfs(place):
    data = content(place.seed)
    with mounted("tmpfs", "tmpfs", "size=1m") as mount:
        path = mount / "victim"
        holey = data[: BAD[0]] + bytes(BAD[1] - BAD[0]) + data[BAD[1] :]
        with open(path, "wb") as file:
            file.write(data[: BAD[0]])
            file.seek(BAD[1])
            file.write(data[BAD[1] :])
        with contextlib.suppress(OSError), open(mount / "filler", "wb", buffering=0) as file:
            while True:
                file.write(bytes(PAGE))
        yield Scene(path, holey, holey, BAD, None, ("EFAULTED", BAD[0]), is_static=True,
                    mend=lambda _: os.unlink(mount / "filler"))


@row("a page of memory breaks (signal)")
def memory_error(place):
    data = content(place.seed)
    yield Scene(place.file(), data, data, (BAD[0], BAD[0] + PAGE), None, ("EFAULTED", BAD[0]), inside=True,
                told_before=True, break_it=lambda reader: reader.ask("memory-error", 0, BAD[0]), mend=lambda _: None)


def user_fault(how):
    def function(place):
        need(os.geteuid() == 0, "root (userfaultfd)")
        data = content(place.seed)
        yield Scene(place.file(), data, data, BAD, None, ("EFAULTED", BAD[0]), inside=True, memory=True,
                    break_it=lambda reader: reader.ask("break", *BAD, how), mend=lambda reader: reader.ask("heal"))

    return function


row("userfaultfd: touching raises SIGBUS")(user_fault(0))
row("userfaultfd: pages poisoned")(user_fault(1))


@row("a file of huge pages")
def huge_pages(place):
    with mounted("none", "hugetlbfs") as mount:
        path = mount / "victim"
        path.touch()
        os.truncate(path, 2 << 20)
        yield Scene(path, b"", opening=("ENOTSUP",))


# ---- what the system refuses --------------------------------------------------------------------------------------------


def refused_mapping(*which):
    def function(place):
        data = content(place.seed)
        path = place.file()
        strace = need_command("strace")
        inject = ":".join(("inject=mmap:error=ENOMEM", *which))
        yield Scene(path, data, wrapper=(strace, "-f", "-qq", "-o", "/dev/null", "-P", str(path), "-e", inject),
                    static_program=True, is_static=True)

    return function


row("its first mapping is refused: ENOMEM")(refused_mapping("when=1"))
row("every mapping of it is refused: ENOMEM")(refused_mapping())


def large(place, name="large"):
    """A sparse file of 64 MiB, too large to be read into memory, with content at two places."""
    path = place.file(name, b"")
    os.truncate(path, 64 << 20)
    with open(path, "r+b") as file:
        file.write(content(place.seed + 7, 2 * PAGE))
        file.seek(2 << 20)
        file.write(content(place.seed + 8, 2 * PAGE))
    return path


def read_large(place, path, reader, allowed=()):
    """Opens the file and reads it at its two places; or one of the `allowed` errors, without harm."""
    code = reader.open(2, path)[0]
    if code != "0":
        assert code in allowed, code
        return code
    for at, seed in ((0, 7), (2 << 20, 8)):
        got = reader.read(2, at, 2 * PAGE)
        if got[1] in allowed:
            return got[1]
        assert got == (content(place.seed + seed, 2 * PAGE), "0", None), got[1:]
    return "0"


def limited(which, limit_of):
    """Within a limit that the reader meets while it is at work: what it has open goes on."""

    def function(place):
        data = content(place.seed)
        path, other = place.file(), large(place)

        def set_limit(reader):
            # The soft limit, so that it can be lifted again.
            hard = resource.prlimit(reader.pid, which)[1]
            resource.prlimit(reader.pid, which, (limit_of(reader.pid), hard))

        def lift(reader):
            hard = resource.prlimit(reader.pid, which)[1]
            resource.prlimit(reader.pid, which, (hard, hard))

        def second(reader):
            set_limit(reader)
            allowed = ("SMMAP_EMFILE",) if which == resource.RLIMIT_NOFILE else ("SMMAP_ENOMEM",)
            code = read_large(place, other, reader, allowed)
            assert which != resource.RLIMIT_NOFILE or code == "SMMAP_EMFILE", code
            lift(reader)
            assert read_large(place, other, reader) == "0"

        yield Scene(path, data, break_it=set_limit, mend=lift, second=second,
                    needs_no_tool="the tool has one file open at a time (tests/tool/cases/limits.sh)")

    return function


def used_address_space(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmSize"):
            return int(line.split()[1]) * 1024
    raise AssertionError("VmSize")


row("no further descriptor (RLIMIT_NOFILE)")(limited(resource.RLIMIT_NOFILE, lambda pid: 3))
row("no address space for another file (RLIMIT_AS)")(
    limited(resource.RLIMIT_AS, lambda pid: used_address_space(pid) + (16 << 20))
)


@row("all memory is locked (mlockall)")
def locked(place):
    need(os.geteuid() == 0, "root (to lock memory without a limit)")
    data = content(place.seed)
    other = large(place)
    yield Scene(place.file(), data, inside=True, break_it=lambda reader: reader.ask("lock"), mend=lambda _: None,
                second=lambda reader: read_large(place, other, reader))


@row("all memory is locked, within RLIMIT_MEMLOCK")
def locked_within_limit(place):
    need(os.geteuid() == 0, "root")
    data = content(place.seed)
    other = large(place)

    def before_start():
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        limit = 16 << 20 if limit == resource.RLIM_INFINITY else min(limit, 16 << 20)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))

    def second(reader):
        read_large(place, other, reader, ("SMMAP_EAGAIN", "SMMAP_ENOMEM"))

    yield Scene(place.file(), data, inside=True, break_it=lambda reader: reader.ask("lock"), mend=lambda _: None,
                before_start=before_start, second=second,
                wrapper=(need_command("setpriv"), "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"))
