# SPDX-License-Identifier: BSD-3-Clause
# Lists with mistakes, and files that are not as listed.
for n in 1 2 3 4; do
	random "file$n" $((n * 1000))
done
smmap hash file1 file2 file3 file4 >list
printf 'x' >>file2
rm file3
t smmap hash --check list
t smmap hash --check list --json | sed 's/"algorithm":"xxh3-128",//'
# Lines that are none.
printf 'garbage\n\n# comment\n0123  short\n%s\n%s  \n%s %s\n' "$(head -c 32 list)" "$(head -c 32 list)" \
	"$(head -c 32 list)" file1 >mixed
head -n 1 list >>mixed
t smmap hash --check mixed
printf 'garbage\n' >garbage
t smmap hash --check garbage
: >empty
t smmap hash --check empty
mkdir directory
t smmap hash --check missing directory list
head -n 1 list >good
t smmap hash --check garbage good
# A name with an escape that is none, a 0 byte, no newline at the end.
printf '\\%s  fi\\qle\n' "$(head -c 32 list)" >escape
t smmap hash --check escape
printf '%s  file\0001\n' "$(head -c 32 list)" >zero
t smmap hash --check zero
printf '%s  file1' "$(head -c 32 list)" >unended
t smmap hash --check unended
