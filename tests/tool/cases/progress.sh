# SPDX-License-Identifier: BSD-3-Clause
# The bar: on a terminal or when asked for, never by itself in a pipe.
random data 3000000
smmap hash data 2>.err >/dev/null
wc -c <.err
smmap hash data --progress=auto 2>.err >/dev/null
wc -c <.err
smmap hash data data --progress=always 2>.err >/dev/null
tr '\r' '\n' <.err | tail -n 1 | sed -e 's/[0-9.]* GiB/N MiB/g' -e 's/[0-9.]* MiB/N MiB/g' -e 's/N MiB.s/RATE/' -e 's/##*/#/'
need script
script -qec 'smmap hash data' /dev/null </dev/null >.out
grep -c '100% \[##*\] 2.9 MiB of 2.9 MiB' .out
script -qec 'smmap hash data --progress=never' /dev/null </dev/null | grep -c '%'
