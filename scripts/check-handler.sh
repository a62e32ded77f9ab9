#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: check-handler.sh [-v] [LIBRARY.a]
# Shows by the object code (build/libsmmap.a) that the handler of the guard reaches nothing but what is async-signal-safe.
# Prints each way to a function that is not, and fails then; -v: prints what is reached. Every mention of a function counts
# as a call of it, and a call through the table of the os layer as one of the function that the table holds there.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 /dev/fd/3 "$@" 3<<'EOF'
import re
import subprocess
import sys

# Where the system enters: one for each level (src/os/linux_trap.c).
ROOT = re.compile(r"enter_\d+$")

# By POSIX (XSH 2.4.3), and thin covers of system calls (mmap, munmap, syscall); the last is no function.
SAFE = set("""__errno_location ___errno_location getpid gettid memcpy memset pthread_sigmask raise sigaction sigaddset
    sigemptyset sigismember mmap mmap64 munmap syscall _GLOBAL_OFFSET_TABLE_""".split())

# Functions that may call through a pointer, and what that points to.
POINTERS = {
    "enter": ("src_guard_guard.c.o", "handle_fault"),  # what smmap__os_trap_install was given
    "hand_on_marked": None,  # the handler that was there before: not ours to judge
    "call": None,
    "call_with_mask": None,
}
TABLE = "smmap__os"
FIELDS = re.compile(r"typedef struct smmap__os_calls \{(.*?)\} smmap__os_calls;", re.S)

arguments = [a for a in sys.argv[1:] if a != "-v"]
library = arguments[0] if arguments else "build/libsmmap.a"
INDIRECT = re.compile(r"\t(?:notrack |bnd )?(?:(?:call|jmp)\s+\*|bl?r\s+x\d)")
# A pointer is called where it lies, or loaded first; what the register holds is not followed, so some may be counted too many.
LOADED = re.compile(r"\t(?:mov|call|jmp|push|ldr)\w*\s.*?(?:(?P<x86>0x[0-9a-f]+)?\(%(?!rip|rsp|esp)|\[x\d+(?:, #(?P<arm>\d+))?\])")


def objdump(*options):
    return subprocess.run(["objdump", *options, library], check=True, capture_output=True, text=True).stdout


class Function:
    def __init__(self):
        self.mentions = set()  # symbols, or (section, offset)
        self.near = set()  # symbols of the same object
        self.offsets = set()  # behind a register, of what is loaded or called
        self.pointers = 0  # calls through a pointer


def strip(name):
    """gcc names clones of a function after it."""
    return re.sub(r"(\.(isra|constprop|part|cold|lto_priv)\b[.\d]*)+$", "", name)


def read_symbols():
    """Where each symbol lies, and which are data."""
    places, data, obj = {}, set(), ""
    for line in objdump("-t").splitlines():
        if m := re.match(r"(\S+):\s+file format", line):
            obj = m[1]
        elif m := re.match(r"([0-9a-f]+) (.{7}) (\S+)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", line):
            if "F" in m[2]:
                places[obj, m[3], int(m[1], 16)] = m[4]
            elif "O" in m[2]:
                data.add(m[4])
                places[obj, m[3], int(m[1], 16), "data"] = m[4]
    return places, data


def read_functions():
    functions, obj, function = {}, "", None
    for line in objdump("-dr", "--no-show-raw-insn").splitlines():
        if m := re.match(r"(\S+):\s+file format", line):
            obj = m[1]
        elif m := re.match(r"[0-9a-f]+ <(\S+)>:", line):
            function = functions.setdefault((obj, m[1]), Function())
            name = m[1]
        elif m := re.search(r"\bR_\w+\s+([^\s+-]+)(?:([+-])0x([0-9a-f]+))?", line):
            # The offset of a call or a load counts from its end, 4 behind.
            offset = int(m[3] or "0", 16) * (-1 if m[2] == "-" else 1)
            function.mentions.add((m[1], offset))
        elif function:
            function.pointers += bool(INDIRECT.search(line))
            if m := LOADED.search(line):
                function.offsets.add(int(m["arm"] or 0) if m["arm"] else int(m["x86"] or "0", 16))
            if (m := re.search(r"<([^>+]+)(?:\+0x[0-9a-f]+)?>", line)) and m[1] != name:
                function.near.add(m[1])
    return functions


def read_table(places):
    """What each pointer of the table is called, and what it points to: by their order, and by the relocations."""
    with open("src/os/os.h") as header:
        fields = re.findall(r"\(\*(\w+)\)\(", FIELDS.search(header.read())[1])
    begin = next((k[:3] for k, v in places.items() if v == TABLE), None)
    if begin is None:
        sys.exit(f"{library}: no {TABLE}")
    found, obj, section = [], "", ""
    for line in objdump("-r").splitlines():
        if m := re.match(r"(\S+):\s+file format", line):
            obj = m[1]
        elif m := re.match(r"RELOCATION RECORDS FOR \[(.*)\]", line):
            section = m[1]
        elif (obj, section) == begin[:2] and (m := re.match(r"([0-9a-f]+) R_\S+\s+([^\s+]+)(?:\+0x([0-9a-f]+))?", line)):
            at = int(m[1], 16) - begin[2]
            name = m[2] if m[2] in places.values() else places.get((obj, m[2], int(m[3] or "0", 16)))
            found.append((at, name))
    found = sorted(f for f in found if f[0] >= 0)[: len(fields)]
    return {at: (field, (begin[0], name)) for field, (at, name) in zip(fields, found)}


places, data = read_symbols()
functions = read_functions()
table = read_table(places)
by_name = {}
for key in functions:
    by_name.setdefault(key[1], key)


def resolve(obj, symbol, offset):
    """The function that a relocation means, as a key; a name when it is not the library's; None for data."""
    if symbol.startswith("."):
        if not symbol.startswith(".text"):
            return None
        inside = [(k[2], v) for k, v in places.items() if k[:2] == (obj, symbol) and len(k) == 3 and k[2] <= offset + 4]
        return (obj, max(inside)[1]) if inside else None
    if symbol in data:
        return None
    return (obj, symbol) if (obj, symbol) in functions else by_name.get(symbol, symbol)


def next_ones(key):
    """What a function reaches, with what is wrong about it itself."""
    obj, name = key
    function = functions[key]
    uses_table = any(symbol == TABLE for symbol, _ in function.mentions)
    for symbol, offset in function.mentions:
        if (to := resolve(obj, symbol, offset)) is not None:
            yield to
    for symbol in function.near:
        if (obj, symbol) in functions:
            yield obj, symbol
    if uses_table:
        for offset in sorted(function.offsets & table.keys()) or sorted(table):
            yield table[offset][1]
    elif function.pointers and strip(name) not in POINTERS:
        yield "a function that only a pointer tells"
    if function.pointers and POINTERS.get(strip(name)):
        yield POINTERS[strip(name)]


def shown(key):
    if isinstance(key, str):
        return key
    fields = [field for field, to in table.values() if to == key]
    return f"{key[1]} ({TABLE}.{fields[0]})" if fields else key[1]


roots = sorted(k for k in functions if ROOT.match(k[1]))
if not roots:
    sys.exit(f"{library}: no handler found")
came_from = {root: None for root in roots}
queue, bad = list(roots), 0
for key in queue:
    for to in next_ones(key):
        if to in came_from:
            continue
        came_from[to] = key
        if not isinstance(to, str):
            if to in functions:
                queue.append(to)
            else:
                to = to[1]
        if isinstance(to, str) and to not in SAFE:
            way, at = [shown(to)], key
            while at is not None:
                way.append(shown(at))
                at = came_from[at]
            print("not async-signal-safe: " + " <- ".join(way))
            bad += 1
if "-v" in sys.argv:
    print("reached: " + ", ".join(sorted({k if isinstance(k, str) else k[1] for k in came_from})))
sys.exit(1 if bad else 0)
EOF
