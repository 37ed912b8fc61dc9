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

# The image that machines boot: the one whose modules the installed headers
# build, without headers the newest; of `debug` the kernel that
# scripts/debug-kernel has built.  Nothing if there is none.
kernel_image() {
	local headers

	if [ "$1" = debug ]; then
		headers=$(scripts/debug-kernel --path 2>/dev/null) &&
			echo "$headers/bzImage"
		return
	fi
	headers=$(kernel_headers "$1")
	if [ -n "$headers" ]; then
		find "/boot/vmlinuz-${headers#/usr/src/linux-headers-}" 2>/dev/null
		return
	fi
	find /boot -maxdepth 1 -regextype posix-extended -regex \
		"/boot/vmlinuz-$(kernel_pattern "$1")(-cloud)?-amd64" \
		2>/dev/null | sort -V | tail -n 1
}
