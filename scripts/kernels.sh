# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Which kernels the module is built for, read by other scripts.

KERNEL_SERIES="6.1 6.12"

# The middle of the names of a series' headers packages, a regular expression.
kernel_pattern() {
	case $1 in
	6.1) echo '6\.1\.0-[0-9]+' ;;
	6.12) echo '6\.12\.[0-9]+\+deb12' ;;
	esac
}

# The directory of the newest installed headers of a series; nothing if none.
kernel_headers() {
	find /usr/src -maxdepth 1 -regextype posix-extended -regex \
		"/usr/src/linux-headers-$(kernel_pattern "$1")(-cloud)?-amd64" \
		2>/dev/null | sort -V | tail -n 1
}

# The newest installed image of a series that machines boot, or the debug
# kernel if it has been built (scripts/debug-kernel); nothing if none.
kernel_image() {
	if [ "$1" = debug ]; then
		[ ! -x scripts/debug-kernel ] || scripts/debug-kernel
		return
	fi
	find /boot -maxdepth 1 -regextype posix-extended -regex \
		"/boot/vmlinuz-$(kernel_pattern "$1")-cloud-amd64" \
		2>/dev/null | sort -V | tail -n 1
}
