# SPDX-License-Identifier: BSD-3-Clause
"""The original's own test suite, unchanged, on this package."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import smmap
from conftest import DEBIAN


def test_suite(tmp_path):
    suite = DEBIAN / "smmap" / "test"
    if not suite.is_dir():
        pytest.skip("python3-smmap is not installed")
    # As part of the package, as the suite imports it: smmap.test.lib.
    shutil.copytree(pathlib.Path(smmap.__file__).parent, tmp_path / "smmap")
    shutil.copytree(suite, tmp_path / "smmap" / "test", ignore=shutil.ignore_patterns("__pycache__"))
    environment = dict(os.environ, PYTHONPATH=str(tmp_path))
    command = [sys.executable, "-X", "dev", "-W", "error", "-m", "unittest", "discover", "-v"]
    command += ["-s", str(tmp_path / "smmap" / "test"), "-t", str(tmp_path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    # Nine tests that ran, and ran here.
    assert "Ran 9 tests" in result.stderr and "OK" in result.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import smmap.test.lib; print(smmap.__file__, smmap.version_info)"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert str(tmp_path) in where.stdout and "(5, 1, 0)" in where.stdout
