#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: coverage-python.sh [PYTHON [-- PYTEST-OPTION...]]
# Lines and branches of the extension (python/src) that the Python tests run, by gcov; writes docs/data/coverage-python.json
# and prints what is not reached.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
[ $# -eq 0 ] || shift
[ "${1:-}" != -- ] || shift
directory=build-python/coverage
scripts/python.sh "$python" "$directory/package" -Db_coverage=true -Dbuildtype=debug
objects=$(find build-python -path '*b-coverage=true*' -name '_smmap*.so.p' -type d | head -n 1)
find "$objects" -name '*.gcda' -delete
runner=$(scripts/check-python.sh runner "$python" "$directory/venv")
PYTHONPATH=$directory/package "$runner" -m pytest -q -p no:cacheprovider tests/python "$@"
"$runner" scripts/coverage-report.py "$objects" docs/data/coverage-python.json
