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
# Meson looks for test programs when it is set up: it has to look again when a source came or went.
find src tool tests -name '*.c' | sort >"$directory/.sources.now"
if ! cmp -s "$directory/.sources.now" "$directory/.sources"; then
	[ ! -e "$directory/.sources" ] || meson setup --reconfigure "$directory" >"$directory/setup.log"
	mv "$directory/.sources.now" "$directory/.sources"
fi
ninja -C "$directory" --quiet
