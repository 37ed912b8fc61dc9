# SPDX-License-Identifier: GPL-2.0-only
#
# Fixture of the tests of the daemon itself: that of tests/mount, and what only
# a program has (daemon_pid, wait_daemon, kill_daemon).  Sourced, not run.

FIXTURE=fuse
. "$(dirname "${BASH_SOURCE[0]}")/../mount/lib.sh"
