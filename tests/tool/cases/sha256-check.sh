# SPDX-License-Identifier: BSD-3-Clause
# Lists of SHA-256 that are as they should be, and one that is of another algorithm.
need_libcrypto
for n in 1 2 3; do
	random "file $n" $((n * 10000))
done
sha256sum file* >list
sha256sum --tag file* >tagged
sha256sum --binary file* >binary
t smmap hash --algorithm sha256 --check list tagged binary
tr a-f A-F <list | sed 's/FilE/file/' >upper
t smmap hash --algorithm sha256 --check upper
smmap hash --algorithm sha256 file* | sha256sum --quiet -c && echo 'sha256sum takes our list'
smmap hash file* >other
t smmap hash --algorithm sha256 --check other
