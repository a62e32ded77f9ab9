#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: platforms.sh [CELL...]
# Runs all C tests on every platform that this machine can run: compilers, C libraries, processors (by qemu-user), sizes of
# pages (by the table of src/os/os.h), kinds of build. Prints what passed, failed and was skipped in each cell, with the
# reasons, and puts it into docs/data/platforms.json. With names: these cells only; what is known of the others is kept.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
log=build-platforms
mkdir -p "$log" docs/data

# cell NAME HOW COMPILER WHAT ENVIRONMENT... -- MESON-OPTION...
# HOW is run, emulated or imitated. Long tests do the given share of their rounds.
cell() {
	local name=$1 how=$2 compiler=$3 what=$4 environment=() start=$SECONDS
	shift 4
	[ ${#wanted[@]} = 0 ] || [[ " ${wanted[*]} " == *" $name "* ]] || return 0
	while [ "$1" != -- ]; do
		environment+=("$1")
		shift
	done
	shift
	echo "==== $name: $what, ${compiler%% *}, $how"
	env "SMMAP_TEST_EFFORT=${SMMAP_TEST_EFFORT:-0.2}" "CC=${compiler%% *}" "${environment[@]}" \
		scripts/check.sh cell "build-$name" -Dtool=false "$@" >"$log/$name.log" 2>&1
	grep -E -A 30 '^(FAILED|error)' "$log/$name.log"
	grep -E '^(skipped|left out)' "$log/$name.log"
	tail -n 1 "$log/$name.log"
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$how" "$(${compiler%% *} --version 2>&1 | head -n 1)" "$what" \
		$((SECONDS - start)) "$log/$name.log" >>"$log/done"
}

# cross NAME CPU-FAMILY ENDIAN: the cross file and cmocka of an architecture, compiled by clang with Debian's C library.
cross() {
	[ ${#wanted[@]} = 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]] || return 0
	AR=$1-linux-gnu-ar scripts/cmocka.sh "build-cmocka/$1" clang-19 "--target=$1-linux-gnu" || return
	cat >"build-cmocka/$1.ini" <<-INI
		[binaries]
		c = ['clang-19', '--target=$1-linux-gnu']
		ar = '$1-linux-gnu-ar'
		strip = '$1-linux-gnu-strip'
		pkgconfig = 'pkg-config'
		[properties]
		needs_exe_wrapper = true
		pkg_config_libdir = ['$PWD/build-cmocka/$1/lib/pkgconfig']
		[host_machine]
		system = 'linux'
		cpu_family = '$2'
		cpu = '$2'
		endian = '$3'
	INI
}

# emulated NAME WHAT
emulated() {
	local by="qemu-$1-static -L /usr/$1-linux-gnu"
	cell "$1" emulated clang-19 "$2" "SMMAP_TEST_EMULATOR=$by" "SMMAP_TEST_WRAPPER=$by" SMMAP_TEST_TIMEOUT=3 \
		"SMMAP_TEST_EFFORT=${SMMAP_TEST_EFFORT:-0.05}" -- --cross-file "build-cmocka/$1.ini"
}

# musl-gcc looks at no header of the system's: those of the kernel are handed to it.
prepare_musl() {
	mkdir -p build-cmocka/kernel
	ln -sfn /usr/include/linux build-cmocka/kernel/linux
	ln -sfn /usr/include/asm-generic build-cmocka/kernel/asm-generic
	ln -sfn "/usr/include/$(uname -m)-linux-gnu/asm" build-cmocka/kernel/asm
	scripts/cmocka.sh build-cmocka/musl musl-gcc
}

wanted=("$@")
rm -f "$log/done"
[ "$(uname -m)" = x86_64 ] || {
	echo "these cells are for an x86-64 machine" >&2
	exit 1
}
mkdir -p build-cmocka

cell gcc run gcc "x86-64, glibc" --
cell clang-14 run clang-14 "x86-64, glibc" --
cell clang-19 run clang-19 "x86-64, glibc" --
cell release run gcc "x86-64, glibc, -O3, LTO" -- -Doptimization=3 -Db_lto=true
cell i386 run gcc "i386, glibc" -- --cross-file scripts/i386.ini
[ ${#wanted[@]} != 0 ] && [[ " ${wanted[*]} " != *" musl "* ]] || prepare_musl
cell musl run musl-gcc "x86-64, musl" "CFLAGS=-isystem $PWD/build-cmocka/kernel" \
	"PKG_CONFIG_LIBDIR=$PWD/build-cmocka/musl/lib/pkgconfig" --
cross aarch64 aarch64 little
emulated aarch64 "aarch64, glibc"
cross s390x s390x big
emulated s390x "s390x (big-endian), glibc"
cell pages-16k imitated gcc "pages of 16 KiB" SMMAP_TEST_SYSTEM=pages-16k --
cell pages-64k imitated gcc "pages of 64 KiB" SMMAP_TEST_SYSTEM=pages-64k --
cell views imitated gcc "pages of 4 KiB, views of 64 KiB, nothing given back" SMMAP_TEST_SYSTEM=views --
cell pages-64k-32 imitated gcc "i386, pages of 64 KiB" SMMAP_TEST_SYSTEM=pages-64k -- --cross-file scripts/i386.ini

[ -e "$log/done" ] || {
	echo "there is no such cell" >&2
	exit 2
}
python3 - "$log/done" docs/data/platforms.json <<'PYTHON'
import json, re, sys

done, path = sys.argv[1:]
try:
    with open(path) as file:
        cells = {cell["name"]: cell for cell in json.load(file)["cells"]}
except FileNotFoundError:
    cells = {}
for line in open(done):
    name, how, compiler, what, seconds, log = line.rstrip("\n").split("\t")
    lines = open(log, errors="replace").read().splitlines()
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", lines[-1] if lines else "")
    passed, failed, skipped = map(int, counts.groups()) if counts else (0, 1, 0)
    cells[name] = {
        "name": name, "what": what, "compiler": compiler, "how": how, "seconds": int(seconds),
        "passed": passed, "failed": failed, "skipped": skipped,
        "skips": sorted(l for l in lines if l.startswith(("skipped ", "left out "))),
    }
with open(path, "w") as file:
    json.dump({"command": "make check-platforms", "cells": list(cells.values())}, file, indent=1)
    file.write("\n")
PYTHON

awk -F '\t' '{ print $6 }' "$log/done" | xargs -n 1 tail -q -n 1 | awk '
	/^[0-9]+ passed/ { passed += $1; failed += $3; skipped += $5; next }
	{ failed++ }
	END {
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit failed > 0 || passed == 0
	}'
