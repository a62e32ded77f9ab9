#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage (as root): fresh.sh [FOLDER]
# The proof that a clean clone works on a fresh machine: makes a Debian 12 with nothing but git, make and apt in
# FOLDER, clones the last commit into it, and runs `make demo` and `make check` there. Packages come from where
# this machine's apt gets its own. Prints the times. FOLDER is removed at the end, unless KEEP=1.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-/var/tmp/smmap-fresh}
release=bookworm

[ "$(id -u)" = 0 ] || { echo "fresh.sh has to mount and to chroot: run it as root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "please install debootstrap first" >&2; exit 1; }
[ ! -e "$folder" ] || { echo "$folder is there already" >&2; exit 1; }

sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
	'Created-By: Packages' 'Origin: Debian' | grep " $release" | sort -u)
mirror=$(awk -v release=$release '$3 == release { print $2; exit }' <<<"$sources")
[ -n "$mirror" ] || { echo "this machine's apt knows no source of Debian $release" >&2; exit 1; }

cleanup() {
	local mounted
	for mounted in dev/pts dev sys proc; do
		! mountpoint -q "$folder/$mounted" || umount "$folder/$mounted"
	done
	# Never across a mount that could not be undone.
	[ "${KEEP:-0}" = 1 ] || rm -rf --one-file-system "$folder"
}
trap cleanup EXIT

echo "== Debian $release in $folder"
debootstrap --variant=minbase --include=git,make,ca-certificates $release "$folder" "$mirror" >"/tmp/fresh.$$.log" || {
	tail -n 20 "/tmp/fresh.$$.log"
	exit 1
}
rm -f "/tmp/fresh.$$.log"
echo "$sources" >"$folder/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(https?|Check-)' >"$folder/etc/apt/apt.conf.d/90from-host" || true
cp /etc/resolv.conf /etc/hosts "$folder/etc/"
cp -r /etc/ssl/certs "$folder/etc/ssl/" # an https mirror's authority may be known to the host alone

mount -t proc proc "$folder/proc"
mount -t sysfs sysfs "$folder/sys"
mount --bind /dev "$folder/dev"
mount --bind /dev/pts "$folder/dev/pts"
git clone --quiet --no-local . "$folder/root/smmap"

inside() {
	env -i HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		chroot "$folder" sh -c "cd /root/smmap && $1"
}
for job in demo check; do
	echo "== make $job"
	start=$SECONDS
	inside "scripts/setup.sh $job"
	packages=$((SECONDS - start))
	start=$SECONDS
	inside "make $job"
	echo "== make $job: ok, $((SECONDS - start)) s, after $packages s for packages"
done
