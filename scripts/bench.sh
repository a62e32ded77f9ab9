#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: bench.sh [BUILD-DIRECTORY [OPTION...]]
# Builds the benchmarks and runs all of them: first what is promised (memory, descriptors, mappings), then what is measured
# as ratios. Options go to smmap-bench (--help lists them): --quick, --only GROUP,... The result is
# BUILD-DIRECTORY/bench.json. With --docs, docs/performance.md and its charts are written from it.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build-bench}
[ $# = 0 ] || shift

docs=no
quick=
only=no
directory=/var/tmp
take_directory=no
for option; do
	shift
	[ $take_directory = no ] || directory=$option
	take_directory=no
	case $option in
	--docs)
		docs=yes
		continue
		;;
	--quick) quick=--quick ;;
	--only*) only=yes ;;
	--directory) take_directory=yes ;;
	--directory=*) directory=${option#*=} ;;
	esac
	set -- "$@" "$option"
done

scripts/build.sh "$build" -Dbench=true

broken=0
if [ $only = no ]; then
	"$build/bench/smmap-rss" $quick "$directory" || broken=1
	"$build/bench/smmap-many" 100000 "$directory" || broken=1
fi
"$build/bench/smmap-bench" --tool "$build/smmap" --json "$build/bench.json" "$@"
if [ $docs = yes ]; then
	# Debian's matplotlib belongs to Debian's Python, whatever other one comes first.
	python=python3
	$python -c 'import matplotlib' 2>/dev/null || python=/usr/bin/python3
	$python bench/report.py "$build/bench.json" docs
fi
exit $broken
