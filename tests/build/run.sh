#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What is true of the sources and of the built files as a whole. Needs build/.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0
skipped=0

# check NAME: runs the function of that name; it fails by what it prints or by its exit code.
check() {
	local output
	if output=$("$1" 2>&1) && [ -z "$output" ]; then
		echo "ok       build:$1"
		passed=$((passed + 1))
	else
		echo "FAILED   build:$1"
		echo "$output" | sed 's/^/    | /'
		failed=$((failed + 1))
	fi
}

the_headers_are_c11() {
	printf '#include <%s>\n' smmap.h smmap_faults.h |
		${CC:-gcc} -std=c11 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c -
}

the_headers_are_cxx() {
	printf '#include <%s>\n' smmap.h smmap_faults.h |
		${CXX:-g++} -std=c++11 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c++ -
}

# Exactly what the header declares, so neither an internal name nor a function that was forgotten.
the_library_exports_the_header() {
	tr '\n' ' ' <include/smmap.h | grep -o 'SMMAP_API [^(]*(' |
		sed -n 's/.*[ *]\(smmap_[a-z0-9_]*\)($/\1/p' | sort >"$scratch/declared"
	nm -D --defined-only build/libsmmap.so | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' |
		sort >"$scratch/exported"
	diff "$scratch/declared" "$scratch/exported"
	! grep '^smmap__' "$scratch/exported" | grep -vx smmap__buffer_get_far
}

# Every call that can fail can be made to fail: no object but that of the seam names another function of the system's than
# these, which cannot. A mutex that is sound is always had; pthread_sigmask and raise fail for wrong arguments alone, as
# do the functions on sets of signals; the page size is always known.
every_fallible_call_goes_through_the_seam() {
	scripts/build.sh build-faults -Dfaults=true -Dtool=false >"$scratch/log" 2>&1 || cat "$scratch/log"
	nm -u build-faults/libsmmap.a | awk '
		BEGIN {
			n = split("free memcpy memset memmove memcmp strlen strtoull abort raise sysconf __assert_fail" \
				" __errno_location _GLOBAL_OFFSET_TABLE_ __stack_chk_fail pthread_sigmask sigaddset sigemptyset" \
				" sigismember getpid gettid pthread_once pthread_mutex_lock pthread_mutex_unlock pthread_mutex_destroy" \
				" pthread_cond_wait pthread_cond_broadcast pthread_cond_destroy", names, " ")
			for (i = 1; i <= n; i++)
				infallible[names[i]] = 1
		}
		/:$/ { object = $1; objects++ }
		/ U / && object !~ /faults/ && $2 !~ /^smmap_/ && !($2 in infallible) { print object, $2 }
		END { if (objects < 20) print "only " objects " objects" }'
}

# What smmap_faults.h declares is there where it is asked for; a normal build has no trace of it.
the_seam_is_there_when_asked_for_alone() {
	tr '\n' ' ' <include/smmap_faults.h | grep -o 'SMMAP_API [^(]*(' |
		sed -n 's/.*[ *]\(smmap_[a-z0-9_]*\)($/\1/p' | sort >"$scratch/declared"
	nm -D --defined-only build-faults/libsmmap.so | sed -n 's/.* \(smmap_faults\{0,1\}_[a-z_]*\)@.*/\1/p' |
		sort >"$scratch/exported"
	diff "$scratch/declared" "$scratch/exported"
	DESTDIR=$scratch/faults meson install -C build-faults --no-rebuild --quiet
	[ -n "$(find "$scratch/faults" -name smmap_faults.h)" ] || echo "smmap_faults.h is not installed"
	! ar t build/libsmmap.a | grep faults
	! nm build/libsmmap.a build/libsmmap.so | grep -E 'smmap_fault|smmap__fault_(malloc|open|mmap)'
	! grep -l 'smmap_fault' build/libsmmap.a build/libsmmap.so
}

the_library_has_its_soname() {
	readelf -d build/libsmmap.so | grep -q 'SONAME.*\[libsmmap\.so\.5\]' || echo "no SONAME libsmmap.so.5"
}

# A layer includes itself, those below it and base; base includes itself.
layers_include_downwards() {
	local layers=(base os guard region file budget manager cursor)
	local folder target allowed='' layer
	for folder in src/*/; do
		[[ " ${layers[*]} " == *" $(basename "$folder") "* ]] || echo "$folder is not a layer"
	done
	for layer in "${layers[@]}"; do
		allowed="$allowed $layer"
		# shellcheck disable=SC2046 # no blanks in names of sources
		grep -n '^ *# *include "' $(find "src/$layer" -name '*.[ch]') /dev/null | while IFS= read -r line; do
			target=$(sed 's,.*"\(.*\)/.*".*,\1,' <<<"$line")
			[[ " $allowed " == *" $target "* ]] || echo "$line"
		done
	done
}

# The system is called through src/os alone.
only_os_names_the_system() {
	! grep -nE '^ *# *include <(sys/|fcntl|unistd|signal|linux/)' src/*/*.[ch] | grep -v '^src/os/'
}

the_handler_is_async_signal_safe() {
	scripts/check-handler.sh build/libsmmap.a
}

# plant FILE SED-SCRIPT: a library whose object of that source was made from what sed makes of it.
plant() {
	local object=$scratch/${1//\//_}.o
	cp build/libsmmap.a "$scratch/planted.a"
	sed "$2" "$1" >"$scratch/planted.c"
	cmp -s "$1" "$scratch/planted.c" && echo "nothing planted into $1"
	${CC:-gcc} -std=c11 -D_GNU_SOURCE -O2 -g -fPIC -Iinclude -Isrc -c "$scratch/planted.c" -o "$object" &&
		ar r "$scratch/planted.a" "$object"
}

# Whatever way it is reached: by itself, from a layer below, by the table, by a pointer that nobody knows.
what_the_handler_must_not_do_is_found() {
	local here='/^static bool handle_fault/,/^}/s/^	hit found;/&' from='smmap__os_patch <- handle_fault <- enter <- enter_'
	expect() {
		if scripts/check-handler.sh "$scratch/planted.a" >"$scratch/found"; then
			echo "not found: $1"
		fi
		grep -q "$1" "$scratch/found" || cat "$scratch/found" /dev/stdin <<<"expected: $1"
	}
	plant src/guard/guard.c "1i #include <stdlib.h>
		$here free(*(void *volatile[]){malloc((size_t)address)});/"
	expect '^not async-signal-safe: malloc <- handle_fault <- enter <- enter_'
	plant src/guard/guard.c "$here smmap__os.deallocate(smmap__os.allocate((size_t)address));/"
	expect '^not async-signal-safe: malloc <- os_allocate (smmap__os.allocate) <- handle_fault <- enter <- enter_'
	expect '^not async-signal-safe: free <- os_deallocate (smmap__os.deallocate) <- handle_fault <- enter <- enter_'
	plant src/os/linux_trap.c '1i #include <stdio.h>
		/^bool smmap__os_patch/,/^}/s/^{/{ printf("%p\\n", address);/'
	expect "^not async-signal-safe: printf <- $from"
	plant src/guard/guard.c "$here ((void (*volatile)(void))(uintptr_t)address)();/"
	expect '^not async-signal-safe: a function that only a pointer tells <- handle_fault <- enter <- enter_'
}

the_tool_sees_the_public_header_alone() {
	! grep -nE 'smmap__|include "(os|base|guard|region|file|budget|manager|cursor)/' tool/*.[ch]
}

# The examples of the package's documentation are tests as they stand there, without a line of ours; so are inputs of fuzz targets.
every_file_names_its_licence() {
	git ls-files -z | grep -zvE '\.(golden|md|json|svg)$|^tests/python/examples/|^tests/fuzz/corpus/|^bench/traces/.*txt$' | while IFS= read -r -d '' file; do
		[ ! -s "$file" ] || grep -q 'SPDX-License-Identifier: BSD-3-Clause' "$file" || echo "$file"
	done
}

# As a user does: install below a folder, and compile against what pkg-config says, both ways.
# What README.md shows is the example, which compiles without a warning and counts right.
the_readme_shows_the_example() {
	awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$scratch/shown.c"
	tail -n +2 examples/first.c | diff - "$scratch/shown.c"
	${CC:-gcc} -Wall -Wextra -Werror -Iinclude examples/first.c build/libsmmap.a -pthread -o "$scratch/first"
	seq 100000 >"$scratch/lines"
	[ "$("$scratch/first" "$scratch/lines")" = "100000 lines: no error" ] || echo "it counts wrong"
}

an_installed_library_can_be_used() {
	make -s install "DESTDIR=$scratch/root" PREFIX=/usr/local >"$scratch/log" || cat "$scratch/log"
	! find "$scratch/root" -name '*fault*' | grep .
	local at pc
	pc=$(find "$scratch/root" -name smmap.pc)
	cat >"$scratch/use.c" <<-'EOF'
		#include <smmap.h>
		int main(void)
		{
			return smmap_version()[0] == '5' ? 0 : 1;
		}
	EOF
	at="env PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$scratch/root pkg-config smmap"
	# shellcheck disable=SC2046,SC2086 # flags are words
	${CC:-gcc} "$scratch/use.c" -o "$scratch/shared" $($at --cflags --libs) &&
		LD_LIBRARY_PATH=$(dirname "$pc")/.. "$scratch/shared"
	# shellcheck disable=SC2046,SC2086
	${CC:-gcc} "$scratch/use.c" -o "$scratch/static" $($at --cflags) "$(dirname "$pc")/../libsmmap.a" -pthread &&
		"$scratch/static"
}

check the_headers_are_c11
check the_headers_are_cxx
check the_library_exports_the_header
check every_fallible_call_goes_through_the_seam
check the_seam_is_there_when_asked_for_alone
check the_library_has_its_soname
check layers_include_downwards
check only_os_names_the_system
check the_tool_sees_the_public_header_alone
case $(uname -m) in
x86_64 | i?86 | aarch64)
	check the_handler_is_async_signal_safe
	check what_the_handler_must_not_do_is_found
	;;
*)
	echo "skipped  build:the_handler_is_async_signal_safe (needs x86 or aarch64, whose machine code it reads)"
	skipped=1
	;;
esac
check every_file_names_its_licence
check the_readme_shows_the_example
check an_installed_library_can_be_used
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
