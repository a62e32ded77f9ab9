#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: lint.sh tidy|cppcheck|format|format-check
# Looks at all C sources. Prints findings only, and fails when there are any.
set -euo pipefail
cd "$(dirname "$0")/.."

sources() {
	find . -path './build*' -prune -o -name "$1" -print | sort
}

# The compile commands that clang-tidy and cppcheck go by; the folder is that of the CI's build with clang.
folder=build-werror-clang
configure() {
	CC=clang scripts/build.sh $folder -Dtests=true -Dinvariants=true -Dwerror=true
}

# Versions differ in what they do to the same text; this is Debian 12's.
clang_format=$(command -v clang-format-14 || echo clang-format)

case ${1:-} in
tidy)
	configure
	# The extension and the benchmarks are not part of this build.
	sources '*.c' | grep -vE '^\./(python|bench)/' | xargs -P "$(nproc)" -n 1 clang-tidy -p $folder --quiet 2>/dev/null
	;;
cppcheck)
	configure
	cppcheck --project=$folder/compile_commands.json --quiet --inline-suppr --error-exitcode=1 \
		--enable=warning,performance,portability -j "$(nproc)"
	;;
format)
	sources '*.[ch]' | xargs "$clang_format" -i
	;;
format-check)
	sources '*.[ch]' | xargs "$clang_format" --dry-run -Werror
	;;
*)
	sed -n '3,4p' "$0" >&2
	exit 2
	;;
esac
