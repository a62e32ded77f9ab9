# SPDX-License-Identifier: BSD-3-Clause
"""What the rows of run.py ask of the system: mounts, loop devices, the file system of fuse.c, page caches."""
import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess
import tempfile

MS_RDONLY, MNT_DETACH = 1, 2
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_COLLAPSE_RANGE = 1, 2, 8
BLKFLSBUF = 0x1261
libc = ctypes.CDLL(None, use_errno=True)


class Missing(Exception):
    """A row cannot run here; its text says what it needs."""


def need(condition, what):
    if not condition:
        raise Missing(f"needs {what}")


def need_command(name):
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    need(found, name)
    return found


def need_root():
    need(os.geteuid() == 0, "root")


def need_file_system(name):
    need(any(line.split()[-1] == name for line in open("/proc/filesystems")), f"a kernel with {name}")


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def run(*command):
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)


def fallocate(path, mode, offset, size):
    descriptor = os.open(path, os.O_RDWR)
    try:
        check(libc.fallocate(descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(size)), "fallocate")
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def mounted(source, kind, options="", read_only=False):
    """Unmounted afterwards; who is still there keeps what he has."""
    need_root()
    need_file_system(kind)
    target = tempfile.mkdtemp(prefix="mount-", dir=os.environ["REAL_DIR"])
    flags = MS_RDONLY if read_only else 0
    check(libc.mount(str(source).encode(), target.encode(), kind.encode(), flags, options.encode()), f"mount {kind}")
    try:
        yield pathlib.Path(target)
    finally:
        libc.umount2(target.encode(), MNT_DETACH)


@contextlib.contextmanager
def loop(image, *options):
    need_root()
    need(os.path.exists("/dev/loop-control"), "/dev/loop-control")
    made = subprocess.run([need_command("losetup"), "--find", "--show", *options, str(image)], check=True,
                          stdout=subprocess.PIPE, text=True)
    device = made.stdout.strip()
    try:
        yield device
    finally:
        run(need_command("losetup"), "--detach", device)


def drop_pages(path):
    """Clean pages of the file leave the page cache, unless they are mapped."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


class Fuse:
    """The file system of fuse.c: `path` shows `backing`."""

    def __init__(self, program, backing, *options):
        need_root()
        need(os.path.exists("/dev/fuse"), "/dev/fuse")
        self.mount = tempfile.mkdtemp(prefix="fuse-", dir=os.environ["REAL_DIR"])
        self.path = pathlib.Path(self.mount, "f")
        self.backing = backing
        self.process = subprocess.Popen([program, self.mount, backing, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        while (line := self.process.stdout.readline()) != "ok\n":
            assert line.startswith("held"), line

    def die(self):
        self.tell("die")
        self.process.wait()

    def forget_pages(self):
        """Each opening of the file does that, since the server says nothing of keeping them."""
        os.close(os.open(self.path, os.O_RDONLY))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        libc.umount2(self.mount.encode(), MNT_DETACH)
