# SPDX-License-Identifier: BSD-3-Clause
"""Generates a git repository with realistic history: text that is edited in places, pictures that are added once.

    python3 history.py DIRECTORY [MEGABYTES]
"""
import os
import random
import subprocess
import sys


def _words(pick):
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    return ["".join(pick.choices(letters, weights=range(26, 0, -1), k=pick.randint(2, 9))) for _ in range(2000)]


def _commits(megabytes, seed):
    """What git fast-import reads."""
    pick = random.Random(seed)
    words = _words(pick)

    def line():
        return " " * 4 * pick.randrange(4) + " ".join(pick.choices(words, k=pick.randint(1, 12)))

    files = {
        f"{pick.choice(['src', 'docs', 'tests', 'src/core'])}/{words[i]}_{i}.txt": [line() for _ in range(pick.randint(20, 500))]
        for i in range(120)
    }
    pictures = [(f"pictures/{i}.png", pick.randint(20_000, 90_000)) for i in range(megabytes * 18)]
    count = max(len(pictures), 600)
    for number in range(count):
        changed = dict(files) if number == 0 else {}
        for name in pick.sample(sorted(files), pick.randint(1, 4)):
            lines = files[name]
            for _ in range(pick.randint(1, 5)):
                at = pick.randrange(len(lines))
                lines[at : at + pick.randrange(3)] = [line() for _ in range(pick.randrange(1, 4))]
            changed[name] = lines
        message = line().strip().encode()
        yield b"commit refs/heads/main\n"
        yield b"committer A Writer <writer@example.org> %d +0000\n" % (1_700_000_000 + 3600 * number)
        yield b"data %d\n%s\n" % (len(message), message)
        for name, lines in changed.items():
            text = "\n".join(lines).encode()
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(text), text)
        for name, size in pictures[number : number + 1]:
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), size, pick.randbytes(size))


def generate(directory, megabytes=21, seed=None):
    """A bare repository with one pack of about this size."""

    def git(*arguments, **more):
        environment = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", HOME=str(directory))
        subprocess.run(["git", *arguments], check=True, cwd=directory, env=environment, **more)

    os.makedirs(directory)
    git("init", "-q", "--bare", "-b", "main")
    importer = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=directory, stdin=subprocess.PIPE)
    for part in _commits(megabytes, seed if seed is not None else random.randrange(2**32)):
        importer.stdin.write(part)
    importer.stdin.close()
    if importer.wait() != 0:
        raise RuntimeError("git fast-import failed")
    git("repack", "-q", "-adf", "--depth=20", "--window=10")
    return directory


if __name__ == "__main__":
    generate(sys.argv[1], *(int(size) for size in sys.argv[2:]))
