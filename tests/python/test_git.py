# SPDX-License-Identifier: BSD-3-Clause
"""gitdb and GitPython, as Debian packages them and unmodified, on this package."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import history
import smmap
from conftest import DEBIAN

HERE = pathlib.Path(__file__).parent
PACK_SIZE = 20 << 20
# gitdb's buffers come and go at the top of the heap. Whether that shrinks and grows each time depends on what else the
# program happened to allocate; it would make either package a tenth faster by chance.
HEAP = {"MALLOC_TRIM_THRESHOLD_": str(256 << 20), "MALLOC_MMAP_THRESHOLD_": str(256 << 20)}


@pytest.fixture(scope="module")
def path_of(tmp_path_factory):
    """PYTHONPATH with gitdb and GitPython, and our smmap or the original."""
    if not (DEBIAN / "gitdb").is_dir() or not (DEBIAN / "git").is_dir() or not shutil.which("git"):
        pytest.skip("git, python3-gitdb and python3-git are not installed")
    paths = {}
    for name in ("ours", "theirs"):
        paths[name] = tmp_path_factory.mktemp(name)
        for package in ("gitdb", "git"):
            (paths[name] / package).symlink_to(DEBIAN / package)
        source = pathlib.Path(smmap.__file__).parent if name == "ours" else DEBIAN / "smmap"
        (paths[name] / "smmap").symlink_to(source)
    return paths


@pytest.fixture(scope="module")
def repository(tmp_path_factory, path_of):
    return history.generate(tmp_path_factory.mktemp("git") / "repository")


@pytest.fixture(scope="module")
def expected(repository):
    """Every object, as `git cat-file --batch` gives it."""
    (pack,) = (repository / "objects" / "pack").glob("*.pack")
    assert pack.stat().st_size >= PACK_SIZE
    lines = []
    command = ["git", "cat-file", "--batch", "--batch-all-objects"]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE) as process:
        while True:
            header = process.stdout.readline().split()
            if not header:
                break
            data = process.stdout.read(int(header[2]))
            process.stdout.read(1)
            lines.append(b" ".join([*header, hashlib.sha1(data).hexdigest().encode()]))
    assert process.returncode == 0 and len(lines) > 3000
    return sorted(lines)


def read_pack(path, repository, mode):
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(HERE / "read_pack.py"), str(repository), mode],
        env=dict(os.environ, PYTHONPATH=str(path), **HEAP),
        capture_output=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.splitlines(), float(result.stderr.split()[-1])


@pytest.mark.parametrize("mode", ["default", "smallest", "threads"])
def test_every_object(path_of, repository, expected, mode):
    lines, seconds = read_pack(path_of["ours"], repository, mode)
    assert lines == expected


REPOSITORIES = """
import os, pathlib, sys
import git, gitdb.util, smmap

assert smmap.version_info == (5, 1, 0)
directory, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])

def descriptors():
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink("/proc/self/fd/" + number))
        except OSError:
            pass
    return [name for name in names if str(directory) in name]

repositories, trees = [], set()
for i in range(count):
    repository = git.Repo(str(directory / str(i)), odbt=git.GitDB)
    commit = repository.head.commit
    assert commit.message and len(list(repository.iter_commits(max_count=3))) == 3
    blob = next(item for item in commit.tree.traverse() if item.type == "blob")
    assert len(blob.data_stream.read()) == blob.size
    trees.add(commit.tree.hexsha)
    repositories.append(repository)
held = descriptors()
assert len(held) <= 32, held
print(len(repositories), len(held), gitdb.util.mman.num_open_files())
"""


def test_450_repositories(path_of, tmp_path):
    first = history.generate(tmp_path / "0", 0)
    for i in range(1, 450):
        shutil.copytree(first, tmp_path / str(i))
    result = subprocess.run(
        [sys.executable, "-c", REPOSITORIES, str(tmp_path), "450"],
        env=dict(os.environ, PYTHONPATH=str(path_of["ours"]), GIT_PYTHON_REFRESH="quiet"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    opened, held, mapped = (int(word) for word in result.stdout.split())
    assert opened == 450 and held <= 32 and mapped >= 450


def test_end_to_end(path_of, repository, capsys):
    """
    gitdb itself takes nearly all of the time, so the ratio is a little more than 1, and one run of each says nothing: the least
    of five runs, taken in turn, is printed. The test fails only where ours costs a reader of packs something.
    """
    times = {"ours": [], "theirs": []}
    for _ in range(5):
        for name in times:
            times[name].append(read_pack(path_of[name], repository, "default")[1])
    ratio = min(times["theirs"]) / min(times["ours"])
    with capsys.disabled():
        print(f"\ngitdb reading a pack: {ratio:.3f}x as fast as with python3-smmap (least of 5 runs each)")
    assert ratio > 0.9
