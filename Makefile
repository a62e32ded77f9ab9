# SPDX-License-Identifier: BSD-3-Clause
# A thin front: the build itself is Meson's. `make help` lists the targets.
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
DESTDIR ?=
export CC

BUILD = scripts/build.sh
CHECK = scripts/check.sh

.PHONY: all demo check check-python check-faults check-storms python bench promises sweep install asan tsan ubsan check-32 stress valgrind fuzz fuzz-replay msan integer helgrind check-platforms check-long coverage mcdc mutants report tidy cppcheck format format-check \
	clean help

all: ## build/smmap, build/libsmmap.a and build/libsmmap.so
	@scripts/setup.sh build
	@$(BUILD) build -Dprefix=$(PREFIX)

python: ## the Python package for python3, importable, in build/python
	@scripts/setup.sh python
	@scripts/python.sh

demo: ## the main job on real files of this machine
	@scripts/setup.sh demo
	@$(BUILD) build -Dprefix=$(PREFIX)
	@scripts/demo.sh

check: ## all tests
	@scripts/setup.sh check
	@$(CHECK) all

sweep: ## every fault of every public function (make check has it, too), and its figures into docs/data
	@scripts/setup.sh check
	@scripts/sweep.sh

check-python: ## the tests of the Python package, with every Python from 3.9 up that is found
	@scripts/setup.sh python
	@scripts/check-python.sh all

check-faults: ## real faults of files, devices and memory against every way of reading (as root: all of them)
	@scripts/setup.sh faults
	@scripts/check-faults.sh

check-storms: ## long: reads while others change the files, forks among threads
	@scripts/setup.sh check
	@scripts/check-storms.sh

bench: ## the measurements, as ratios within one run
	@scripts/setup.sh bench
	@$(BUILD) build -Dprefix=$(PREFIX)
	@scripts/bench.sh

promises: ## what holds of huge files and of many: resident memory, descriptors, mappings
	@scripts/setup.sh bench
	@$(BUILD) build-bench -Dbench=true
	@build-bench/bench/smmap-rss /var/tmp
	@build-bench/bench/smmap-many 100000 /var/tmp

install: all ## install below DESTDIR and PREFIX (/usr/local)
	@DESTDIR=$(DESTDIR) meson install -C build --no-rebuild --quiet

asan: ## the C tests under AddressSanitizer and LeakSanitizer
	@scripts/setup.sh check
	@$(CHECK) asan

ubsan: ## the C tests under UndefinedBehaviorSanitizer
	@scripts/setup.sh check
	@$(CHECK) ubsan

tsan: ## the C tests under ThreadSanitizer
	@scripts/setup.sh check
	@$(CHECK) tsan

stress: ## the C tests with one-page windows, evicting at once
	@scripts/setup.sh check
	@$(CHECK) stress

valgrind: ## the C tests under valgrind's memcheck
	@scripts/setup.sh ci
	@$(CHECK) valgrind

check-platforms: ## the C tests with other compilers, C libraries, processors and sizes of pages
	@scripts/setup.sh platforms
	@scripts/platforms.sh

check-long: ## everything, at length: takes hours
	@scripts/setup.sh platforms
	@scripts/check-long.sh

msan: ## the C tests under MemorySanitizer
	@scripts/setup.sh platforms
	@$(CHECK) msan

integer: ## the C tests under Clang's checks of unsigned overflow and of lossy conversions
	@scripts/setup.sh platforms
	@$(CHECK) integer

helgrind: ## the C tests under valgrind's helgrind
	@scripts/setup.sh ci
	@$(CHECK) helgrind

coverage: ## branch coverage of the core and of the tool, as gcov tells it
	@scripts/setup.sh coverage
	@scripts/coverage.sh branches

mcdc: ## modified condition/decision coverage of the core, as clang tells it
	@scripts/setup.sh coverage
	@scripts/coverage.sh mcdc

mutants: ## each condition of the core forced true and false: does a test notice? (half an hour)
	@scripts/setup.sh coverage
	@scripts/mutants.py

report: ## docs/testing.md, from what the tests have left in docs/data
	@scripts/testing-report.py

check-32: ## the tests of a 32-bit build
	@scripts/setup.sh check
	@$(CHECK) 32

fuzz: ## all fuzz targets for FUZZ_TIME seconds (60) each, with libFuzzer and AFL++
	@scripts/setup.sh fuzz
	@scripts/fuzz.sh all

fuzz-replay: ## the committed inputs of the fuzz targets (make check has them, too)
	@scripts/setup.sh check
	@$(CHECK) fuzz-replay

tidy: ## clang-tidy
	@scripts/setup.sh ci
	@scripts/lint.sh tidy

cppcheck: ## cppcheck
	@scripts/setup.sh ci
	@scripts/lint.sh cppcheck

format: ## format the C sources with clang-format
	@scripts/setup.sh ci
	@scripts/lint.sh format

format-check: ## tell which C sources clang-format would change
	@scripts/setup.sh ci
	@scripts/lint.sh format-check

clean: ## remove everything that was built
	@rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 24
