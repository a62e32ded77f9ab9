# SPDX-License-Identifier: BSD-3-Clause
"""Python's own handlers of SIGBUS, before the import and after it: the table in docs/signals.md, row by row."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import smmap

DOCUMENT = Path(__file__).parents[2] / "docs" / "signals.md"

# What is done; "miss" maps another region.
STEPS = {
    "enable": "faulthandler.enable()",
    "disable": "faulthandler.disable()",
    "handler": "signal.signal(signal.SIGBUS, lambda number, frame: print('P', end='', flush=True))",
    "default": "signal.signal(signal.SIGBUS, signal.SIG_DFL)",
    "ignore": "signal.signal(signal.SIGBUS, signal.SIG_IGN)",
    "miss": "manager.collect(); manager.make_cursor(sys.executable).use_region()",
}

# name: before the import, after it; what comes of a fault of ours, a foreign fault, a signal sent. 0: contained, !: the
# interpreter died of SIGBUS, F: faulthandler told about it, P: the handler ran, "": nothing happened.
ROWS = {
    "python_alone": ((), (), "0", "!", "!"),
    "faulthandler_before": (("enable",), (), "0", "F!", "F!"),
    "faulthandler_before_and_off": (("enable",), ("disable",), "!", "!", "!"),
    "faulthandler_before_and_off_then_miss": (("enable",), ("disable", "miss"), "0", "!", "!"),
    "faulthandler_after": ((), ("enable",), "F!", "F!", "F!"),
    "faulthandler_after_then_miss": ((), ("enable", "miss"), "0", "F!", "F!"),
    "faulthandler_after_and_off": ((), ("enable", "disable"), "0", "!", "!"),
    "faulthandler_after_then_miss_and_off": ((), ("enable", "miss", "disable"), "0", "!", "!"),
    "faulthandler_off_and_on_again": (("enable",), ("disable", "enable", "miss"), "0", "F!", "F!"),
    "faulthandler_again_and_again": (
        (),
        ("enable", "miss", "disable", "enable", "miss", "disable", "enable", "miss"),
        "0",
        "F!",
        "F!",
    ),
    "handler_before": (("handler",), (), "0", None, "P"),
    "handler_after_then_miss": ((), ("handler", "miss"), "0", None, "P"),
    "handler_after_faulthandler": (("enable",), ("handler", "miss"), "0", None, "P"),
    "handler_and_faulthandler_after": ((), ("handler", "miss", "enable", "miss"), "0", None, "FP"),
    "ignored_before": (("ignore",), (), "0", "!", ""),
    "ignored_after_then_miss": ((), ("ignore", "miss"), "0", "!", ""),
    "default_after": ((), ("default",), "!", "!", "!"),
    "default_after_then_miss": ((), ("default", "miss"), "0", "!", "!"),
}

SCRIPT = """
import faulthandler, mmap, os, signal, sys
{before}
import smmap
manager = smmap.SlidingWindowMapManager()
view = manager.make_cursor({ours!r}).use_region().buffer()
with open({foreign!r}, "rb") as file:
    memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
{after}
os.truncate({ours!r}, 0)
os.truncate({foreign!r}, 0)
{attempt}
"""

ATTEMPTS = {
    "ours": "print(view[5], end='')",
    "foreign": "memory[5]",
    "sent": "os.kill(os.getpid(), signal.SIGBUS)",
}


def shown(names):
    return ", ".join(f"`{name}`" for name in names)


def row_of(name):
    before, after, *outcomes = ROWS[name]
    cells = [name, shown(before), shown(after)]
    cells += ["(for ever)" if o is None else f"`{o}`" if o else "" for o in outcomes]
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def outcome_of(result):
    told = "F" if "Fatal Python error: Bus error" in result.stderr else ""
    died = "!" if result.returncode == -signal.SIGBUS else "" if result.returncode == 0 else "?"
    return told + result.stdout + died


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("name", ROWS)
def test_row(name, attempt, tmp_path):
    before, after, *outcomes = ROWS[name]
    expected = dict(zip(ATTEMPTS, outcomes))[attempt]
    for file in "ours", "foreign":
        (tmp_path / file).write_bytes(b"x" * 100000)
    script = SCRIPT.format(
        before="\n".join(STEPS[step] for step in before),
        after="\n".join(STEPS[step] for step in after),
        attempt=ATTEMPTS[attempt],
        ours=str(tmp_path / "ours"),
        foreign=str(tmp_path / "foreign"),
    )
    package = str(Path(smmap.__file__).parents[1])
    environment = {k: v for k, v in os.environ.items() if k not in ("SMMAP_GUARD", "PYTHONFAULTHANDLER", "PYTHONDEVMODE")}
    environment["PYTHONPATH"] = os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])
    try:
        result = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60 if expected is not None else 2,
        )
    except subprocess.TimeoutExpired:
        assert expected is None
        return
    assert outcome_of(result) == expected, result.stderr


def test_documented():
    lines = DOCUMENT.read_text().splitlines()
    begin = lines.index("| test | before the import | after it | a fault of ours | a foreign fault | kill |")
    end = lines.index("", begin)
    assert lines[begin + 2 : end] == [row_of(name) for name in ROWS]
