# SPDX-License-Identifier: BSD-3-Clause
"""The committed inputs of the fuzz target for Python, and a few at random."""
import pathlib
import random
import sys

import pytest

FUZZ = pathlib.Path(__file__).parent.parent / "fuzz"
sys.path.insert(0, str(FUZZ))
import fuzz_python  # noqa: E402

INPUTS = sorted((FUZZ / "corpus" / "python").iterdir())


@pytest.fixture
def files(tmp_path):
    return fuzz_python.make_files(tmp_path)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_corpus(files, path):
    fuzz_python.World(path.read_bytes(), files).run()


def test_random(files):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed: {seed}")
    source = random.Random(seed)
    inputs = [path.read_bytes() for path in INPUTS]
    for _ in range(100):
        data = fuzz_python.mutate(source, inputs, 300)
        print(data.hex())
        fuzz_python.World(data, files).run()
