# SPDX-License-Identifier: BSD-3-Clause
# A file that cannot be read: one line on standard error, the others are worked on, status 1 (2 for find).
printf 'hello\n' >good
mkdir directory
mkfifo fifo
ln -s loop loop
ln -s nowhere dangling
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
long=$(printf '%0300d' 0)
for command in cat hash info 'find hello'; do
	q timeout 10 smmap $command good missing directory fifo loop dangling socket good/x /dev/null "$long" '' good
	sed 's/^/2> /' .err
done
t smmap hash good missing directory good
t smmap find hello missing
t smmap find nothing good
t timeout 10 smmap hash --threads 4 fifo good fifo
