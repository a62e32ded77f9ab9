#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: build.sh DIRECTORY [MESON-OPTION...]
# Sets DIRECTORY up with these options (anew when they or CC changed) and builds it. Quiet when all goes well.
set -eu
cd "$(dirname "$0")/.."
directory=$1
shift

export CC="${CC:-gcc}"
stamp="$directory/.setup"
setup="CC=$CC $*"
if [ "$(cat "$stamp" 2>/dev/null)" != "$setup" ]; then
	rm -rf "$directory"
	mkdir -p "$directory"
	meson setup "$directory" "$@" >"$directory/setup.log" || {
		cat "$directory/setup.log"
		exit 1
	}
	echo "$setup" >"$stamp"
fi
# Test programs are found when Meson looks for them: it has to look again when one came or went.
find tests -name 'test_*.c' | sort >"$directory/.tests.now"
if ! cmp -s "$directory/.tests.now" "$directory/.tests"; then
	[ ! -e "$directory/.tests" ] || meson setup --reconfigure "$directory" >"$directory/setup.log"
	mv "$directory/.tests.now" "$directory/.tests"
fi
ninja -C "$directory" --quiet
