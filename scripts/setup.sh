#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: setup.sh build|python|demo|check|faults|bench|ci|coverage|fuzz|platforms
# Sees to it that what the given job needs is installed: silent when it is, by one call of apt-get on Debian and
# its like when it is not, and naming the packages elsewhere.
set -eu

missing=
i386=no

# need PACKAGE TEST...: notes the package when the test fails.
need() {
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}
command_exists() {
	command -v "$1"
}
# Debian's place of headers and libraries, or one that somebody installed by hand.
header_exists() {
	[ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]
}
library_exists() {
	for file in /usr/lib/*/"$1" /usr/lib64/"$1" /usr/local/lib/"$1"; do
		[ ! -e "$file" ] || return 0
	done
	return 1
}
libgcc_32_exists() {
	for file in /usr/lib/gcc/x86_64-linux-gnu/*/32/libgcc.a; do
		[ ! -e "$file" ] || return 0
	done
	return 1
}

need_build() {
	compiler=${CC:-gcc}
	compiler=${compiler%% *}
	need "$compiler" command_exists "$compiler"
	need libc6-dev header_exists stdio.h
	need meson command_exists meson
	need ninja-build command_exists ninja
	need pkg-config command_exists pkg-config
	need libxxhash-dev header_exists xxhash.h
	need libjson-c-dev header_exists json-c/json.h
}
need_demo() {
	need_build
	need xxhash command_exists xxhsum
	need libssl3 library_exists libcrypto.so.3
}
need_check() {
	need_demo
	need_python
	# What the Python package is compared with, and what it is used by.
	for package in smmap gitdb git; do
		need python3-$package [ -d /usr/lib/python3/dist-packages/$package ]
	done
	need git command_exists git
	need g++ command_exists g++
	need libcmocka-dev header_exists cmocka.h
	# The 32-bit tests run where the processor does.
	if [ "$(uname -m)" = x86_64 ]; then
		before=$missing
		need gcc-multilib libgcc_32_exists
		need libcmocka-dev:i386 [ -e /usr/lib/i386-linux-gnu/libcmocka.so ]
		need libjson-c-dev:i386 [ -e /usr/lib/i386-linux-gnu/libjson-c.a ]
		[ "$missing" = "$before" ] || i386=yes
	fi
}
need_python() {
	need_build
	need python3 command_exists python3
	need python3-dev python3 -c 'import os, sysconfig; assert os.path.exists(sysconfig.get_path("include") + "/Python.h")'
	need python3-venv python3 -c 'import ensurepip'
}
need_faults() {
	need_python
	need strace command_exists strace
	need e2fsprogs [ -x /usr/sbin/mkfs.ext4 ]
	need btrfs-progs [ -x /usr/sbin/mkfs.btrfs -o -x /usr/bin/mkfs.btrfs ]
	need erofs-utils [ -x /usr/bin/mkfs.erofs -o -x /usr/sbin/mkfs.erofs ]
}
need_bench() {
	need_demo
	need libgit2-dev header_exists git2.h
	need python3-matplotlib [ -e /usr/lib/python3/dist-packages/matplotlib/__init__.py ]
}
need_ci() {
	need_check
	need_faults
	need clang command_exists clang
	need clang-format command_exists clang-format
	need clang-tidy command_exists clang-tidy
	need cppcheck command_exists cppcheck
	need valgrind command_exists valgrind
}
libfuzzer_exists() {
	ls "$(clang -print-resource-dir)"/lib/linux/libclang_rt.fuzzer-*.a
}
need_fuzz() {
	need_python
	need libcmocka-dev header_exists cmocka.h
	need clang command_exists clang
	need libclang-rt-dev libfuzzer_exists
	need afl++ command_exists afl-fuzz
}

# gcov comes with gcc; MC/DC takes a clang that knows it, and the mutants its view of the sources.
need_coverage() {
	need_check
	need clang-19 command_exists clang-19
	need llvm-19 command_exists llvm-cov-19
	need libclang-rt-19-dev [ -d /usr/lib/llvm-19/lib/clang/19/lib/linux ]
	need python3-clang-19 [ -e /usr/lib/python3/dist-packages/clang/cindex.py ]
}
# What the other platforms take. clang is their compiler: Debian's gcc for them cannot stand beside gcc-multilib.
need_platforms() {
	need_ci
	need clang-19 command_exists clang-19
	need llvm-19 command_exists llvm-cov-19
	need libclang-rt-19-dev [ -d /usr/lib/llvm-19/lib/clang/19/lib/linux ]
	need musl-tools command_exists musl-gcc
	need qemu-user-static command_exists qemu-s390x-static
	for other in aarch64:arm64 s390x:s390x; do
		need "binutils-${other%:*}-linux-gnu" command_exists "${other%:*}-linux-gnu-ar"
		need "libgcc-12-dev-${other#*:}-cross" [ -d "/usr/lib/gcc-cross/${other%:*}-linux-gnu/12" ]
		need "libc6-dev-${other#*:}-cross" [ -d "/usr/${other%:*}-linux-gnu/include" ]
	done
}

case ${1:-} in
build | python | demo | check | faults | bench | ci | coverage | fuzz | platforms) "need_$1" ;;
*)
	echo "usage: setup.sh build|python|demo|check|faults|bench|ci|coverage|fuzz|platforms" >&2
	exit 2
	;;
esac
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null; then
	as_root=sudo
else
	as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null; then
	echo "Please install first (names of Debian's packages):$missing" >&2
	exit 1
fi

echo "Installing with apt-get:$missing"
lists=$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null | head -n 1)
if [ $i386 = yes ] && ! dpkg --print-foreign-architectures | grep -qx i386; then
	echo "(the 32-bit tests need Debian's i386 packages: adding that architecture)"
	$as_root dpkg --add-architecture i386
	lists=
fi
# A list that could not be fetched matters only when a package is not found.
[ -n "$lists" ] || $as_root apt-get update -q || true
# --no-remove: never at the price of something that is there.
# shellcheck disable=SC2086 # the list is meant to be split
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends --no-remove $missing || {
	echo "apt-get failed; please install by hand:$missing" >&2
	exit 1
}
