#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: [AR=...] cmocka.sh PREFIX COMPILER [FLAG...]
# Builds cmocka, the tests' library of assertions, where Debian has no package of it: for another system than this
# machine's, another C library, or a sanitizer that has to see all of a program. From Debian's source package, which
# is fetched once (into build-cmocka) and checked by its signature. Leaves PREFIX/lib/libcmocka.a and its pkg-config file.
set -eu
cd "$(dirname "$0")/.."
prefix=$1
shift

source=build-cmocka/source
fetch() {
	rm -rf build-cmocka
	mkdir -p build-cmocka/lists/partial build-cmocka/cache/archives/partial "$source"
	# This machine's own place of Debian packages, as a place of sources; in lists of our own.
	apt-get indextargets --format 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | grep -v -e -security -e -updates | sort -u >build-cmocka/sources.list
	lists="$PWD/build-cmocka"
	with_lists="-q -o Dir::Etc::sourcelist=$lists/sources.list -o Dir::Etc::sourceparts=/dev/null
		-o Dir::State::Lists=$lists/lists -o Dir::Cache=$lists/cache -o APT::Sandbox::User=root"
	# shellcheck disable=SC2086 # options, to be split
	(apt-get $with_lists update && cd build-cmocka && apt-get $with_lists source --download-only cmocka) \
		>build-cmocka/fetch.log 2>&1 || {
		tail -n 5 build-cmocka/fetch.log
		return 1
	}
	tar -xf build-cmocka/cmocka_*.orig.tar.?z -C "$source" --strip-components=1
	rm -rf build-cmocka/lists build-cmocka/cache
	touch build-cmocka/fetched
}
[ -e build-cmocka/fetched ] || fetch

stamp="$prefix/.cmocka"
[ "$(cat "$stamp" 2>/dev/null)" != "$*" ] || exit 0
rm -rf "$prefix/lib" "$prefix/include"
mkdir -p "$prefix/lib/pkgconfig" "$prefix/include"
cp "$source/include/cmocka.h" "$prefix/include/"
# What its own configuration would find on any Linux.
for name in ASSERT_H INTTYPES_H MALLOC_H MEMORY_H SETJMP_H SIGNAL_H STDARG_H STDDEF_H STDINT_H STDIO_H STDLIB_H \
	STRINGS_H STRING_H SYS_STAT_H SYS_TYPES_H TIME_H UNISTD_H CALLOC EXIT FPRINTF FREE LONGJMP MALLOC MEMCPY MEMSET \
	PRINTF SETJMP SIGNAL SNPRINTF STRCMP STRSIGNAL VSNPRINTF STRUCT_TIMESPEC CLOCK_GETTIME CLOCK_REALTIME \
	GCC_THREAD_LOCAL_STORAGE; do
	echo "#define HAVE_$name 1"
done >"$prefix/include/config.h"
"$@" -O2 -g -fPIC -D_GNU_SOURCE -DHAVE_CONFIG_H -I"$prefix/include" -I"$source/include" -c "$source/src/cmocka.c" -o "$prefix/lib/cmocka.o"
rm -f "$prefix/lib/libcmocka.a"
"${AR:-ar}" rcs "$prefix/lib/libcmocka.a" "$prefix/lib/cmocka.o"
cat >"$prefix/lib/pkgconfig/cmocka.pc" <<PC
Name: cmocka
Description: unit tests
Version: 1.1.5
Cflags: -I$(cd "$prefix" && pwd)/include
Libs: $(cd "$prefix" && pwd)/lib/libcmocka.a
PC
echo "$*" >"$stamp"
