# SPDX-License-Identifier: BSD-3-Clause
# A file without permission.
printf 'secret\n' >secret
printf 'open\n' >open
chmod 000 secret
chmod 755 .
if [ "$(id -u)" = 0 ]; then
	need setpriv
	cp "$(command -v smmap)" ./smmap-copy
	nobody() {
		setpriv --reuid=65534 --regid=65534 --clear-groups ./smmap-copy "$@"
	}
	nobody --version >/dev/null 2>&1 || skip "nobody cannot run the tool here"
else
	nobody() {
		smmap "$@"
	}
fi
t nobody cat secret open
t nobody hash secret open
t nobody find open secret open
q nobody info secret open
sed 's/^/2> /' .err
