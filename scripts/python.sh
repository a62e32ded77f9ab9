#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: python.sh [PYTHON [DIRECTORY [MESON-OPTION...]]]
# Builds the Python package for PYTHON (python3) and leaves it, importable, in DIRECTORY (build/python).
set -eu
cd "$(dirname "$0")/.."
python=$(command -v "${1:-python3}")
directory=${2:-build/python}
[ $# -lt 1 ] || shift
[ $# -lt 1 ] || shift
case $directory in
/*) ;;
*) directory=$PWD/$directory ;;
esac

# pyenv's shims and the like: the interpreter itself, and its version for a place of its own to build in.
python=$("$python" -c 'import sys; print(sys.executable)')
tag=$("$python" -c 'import sys, sysconfig; print(sysconfig.get_config_var("SOABI"), "%d.%d.%d" % sys.version_info[:3], sep="-")')
meson_directory=build-python/$tag$(echo "$*" | tr -c 'A-Za-z0-9=' '-' | sed 's/-*$//')

# Before 1.3 Meson asks Python's distutils, which Python 3.12 no longer has: then a newer Meson, of our own.
newest=$(printf '1.3.0\n%s\n' "$(meson --version)" | sort -V | tail -n 1)
if [ "$newest" = 1.3.0 ] && ! "$python" -W ignore -c 'import distutils' 2>/dev/null; then
	tools=$PWD/build-python/tools-$tag
	if [ ! -x "$tools/bin/meson" ]; then
		"$python" -m venv "$tools"
		"$tools/bin/python" -m pip install -q --disable-pip-version-check meson
	fi
	PATH=$tools/bin:$PATH
fi

scripts/build.sh "$meson_directory" -Dbuildtype=release -Dpython=true -Dtool=false -Dpython_interpreter="$python" \
	-Dpython.purelibdir=/ -Dpython.platlibdir=/ "$@"
rm -rf "$directory/smmap"
mkdir -p "$directory"
meson install -C "$meson_directory" --no-rebuild --tags python-runtime --destdir "$directory" >"$meson_directory/install.log" || {
	cat "$meson_directory/install.log"
	exit 1
}
