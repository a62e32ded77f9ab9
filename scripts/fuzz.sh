#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: fuzz.sh [all|TARGET...]     fuzzes for FUZZ_TIME seconds (60) with each engine there is: libFuzzer, AFL++
#        fuzz.sh merge [TARGET...]   takes what was found over into tests/fuzz/corpus, the few files that cover most edges
# FUZZ_ENGINES chooses ("libfuzzer afl++"). A TARGET is the <what> of tests/fuzz/fuzz_<what>.c, or python. How many inputs
# were run is added to docs/data/fuzz.json. An input that fails is left in build-fuzz-work/findings, and ends this with status 1.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_TIME:-60}
if command -v afl-fuzz >/dev/null; then
	engines=${FUZZ_ENGINES:-libfuzzer afl++}
else
	engines=${FUZZ_ENGINES:-libfuzzer}
	echo "(without AFL++, which is not installed)"
fi
findings=$PWD/build-fuzz-work/findings
longest=250 # bytes of an input

parent=/dev/shm
[ -w $parent ] || parent=/var/tmp
TMPDIR=$(mktemp -d $parent/smmap-fuzz-XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

targets() {
	find tests/fuzz -name 'fuzz_*' | sed 's,.*/fuzz_,,; s,\..*,,' | sort
}

build() {
	CC=$1 scripts/build.sh "$2" -Dtests=true -Dinvariants=true -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
}

# record TARGET ENGINE RUNS SECONDS
record() {
	python3 - "$@" <<-'END'
		import json, pathlib, sys
		target, engine, runs, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
		path = pathlib.Path("docs/data/fuzz.json")
		path.parent.mkdir(exist_ok=True)
		data = json.loads(path.read_text()) if path.exists() else {"runs": 0, "targets": {}}
		entry = data["targets"].setdefault(target, {}).setdefault(engine, {"runs": 0, "seconds": 0})
		entry["runs"] += runs
		entry["seconds"] += seconds
		data["runs"] += runs
		path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
	END
	echo "ok       $1: $3 runs in $4 s ($2)"
}

failed() {
	echo "FAILED   $1 ($2): see $findings"
	exit 1
}

# Folders of inputs: what is committed, and what was found since.
corpus() {
	mkdir -p "tests/fuzz/corpus/$1" "build-fuzz-work/corpus/$1"
}

fuzz_libfuzzer() {
	local log=$findings/$1.log
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "build-fuzz/tests/fuzz-$1" -max_total_time="$seconds" \
		-max_len=$longest -len_control=0 -timeout=20 -handle_bus=0 -print_final_stats=1 -verbosity=0 \
		-artifact_prefix="$findings/" "$PWD/build-fuzz-work/corpus/$1" "$PWD/tests/fuzz/corpus/$1" >"$log" 2>&1 || {
		tail -n 60 "$log"
		failed "$1" libFuzzer
	}
	record "$1" libFuzzer "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$seconds"
}

fuzz_afl++() {
	local out=$TMPDIR/afl stats
	stats=$out/default/fuzzer_stats
	rm -rf "$out"
	# It does not begin with no input at all.
	mkdir -p "$TMPDIR/seed"
	cp -r "tests/fuzz/corpus/$1/." "$TMPDIR/seed"
	echo seed >"$TMPDIR/seed/seed"
	AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 \
		afl-fuzz -i "$TMPDIR/seed" -o "$out" -V "$seconds" -G $longest -t 5000 -m none -- \
		"build-fuzz-afl/tests/fuzz-$1" >"$findings/$1-afl.log" 2>&1 || true
	rm -rf "$TMPDIR/seed"
	if [ ! -e "$stats" ]; then
		tail -n 30 "$findings/$1-afl.log"
		failed "$1" AFL++
	fi
	cp "$out"/default/queue/id* "build-fuzz-work/corpus/$1/"
	if ls "$out"/default/crashes/id* "$out"/default/hangs/id* >/dev/null 2>&1; then
		cp "$out"/default/crashes/id* "$out"/default/hangs/id* "$findings/" 2>/dev/null || true
		failed "$1" AFL++
	fi
	record "$1" AFL++ "$(sed -n 's/^execs_done *: *//p' "$stats")" "$seconds"
}

fuzz_python() {
	local log=$findings/python.log
	scripts/python.sh
	PYTHONPATH=build/python python3 -X dev tests/fuzz/fuzz_python.py --seconds "$seconds" --artifacts "$findings" \
		tests/fuzz/corpus/python >"$log" 2>&1 || {
		tail -n 30 "$log"
		failed python "its own driver"
	}
	record python driver "$(sed -n 's/ runs$//p' "$log")" "$seconds"
}

# libFuzzer tells which edges each input covers; of those the few are taken that cover most, each the one that adds most.
merge() {
	local merged=$TMPDIR/merged control=$TMPDIR/control
	rm -rf "$merged" "$control"
	mkdir "$merged"
	"build-fuzz/tests/fuzz-$1" -merge=1 -use_counters=0 -handle_bus=0 -verbosity=0 -merge_control_file="$control" \
		"$merged" "$PWD/tests/fuzz/corpus/$1" "$PWD/build-fuzz-work/corpus/$1" >"$findings/$1-merge.log" 2>&1 ||
		failed "$1" merge
	python3 - "$1" "$control" <<-'END'
		import pathlib, sys
		target = sys.argv[1]
		lines = pathlib.Path(sys.argv[2]).read_text().splitlines()
		names = lines[2:2 + int(lines[0])]
		edges = {int(words[1]): set(words[2:]) for words in map(str.split, lines) if words[0] == "FT"}
		every = set().union(*edges.values())
		chosen, seen = [], set()
		while len(chosen) < 35 and seen != every:
		    best = max(edges, key=lambda i: len(edges[i] - seen))
		    seen |= edges.pop(best)
		    chosen.append(pathlib.Path(names[best]).read_bytes())
		to = pathlib.Path("tests/fuzz/corpus") / target
		for old in to.iterdir():
		    old.unlink()
		for i, content in enumerate(chosen):
		    (to / f"{i:02}").write_bytes(content)
		print(f"{target}: {len(chosen)} files, {len(seen)} of {len(every)} edges")
	END
}

what=fuzz
if [ "${1:-}" = merge ]; then
	what=merge
	shift
fi
if [ $# = 0 ] || [ "$1" = all ]; then
	mapfile -t chosen < <(targets)
else
	chosen=("$@")
fi
mkdir -p "$findings"
build clang build-fuzz
[[ $what = merge || $engines != *afl* ]] || build afl-clang-fast build-fuzz-afl
for target in "${chosen[@]}"; do
	if [ "$target" = python ]; then
		[ $what = merge ] || fuzz_python
		continue
	fi
	corpus "$target"
	if [ $what = merge ]; then
		merge "$target"
		continue
	fi
	for engine in $engines; do
		"fuzz_$engine" "$target"
	done
done
