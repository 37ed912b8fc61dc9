#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Other users: what they may and what they may not.

. "$(dirname "$0")/lib.sh"

ok "format" format
ok "mount" mount_volume || tap_done
if [ "$(id -u)" != 0 ]; then
	skip "other users" "not root"
	tap_done
fi

chmod 755 "$SCRATCH" 2>/dev/null
# where the programs are may be closed to others
install -m 755 "$OPS" "$T/ioctls" "$MNT"
ops=$MNT/ops
user() { setpriv --reuid 1234 --regid 1234 --clear-groups "$@"; }
member() { setpriv --reuid 1234 --regid 1234 --groups 1234,5678 "$@"; }

cd "$MNT" || exit 1
mkdir -m 755 closed
mkdir -m 1777 tmp
mkdir -m 777 open
echo secret >closed/file
chmod 600 closed/file

refuses() { ! "$@"; }

ok "a private file is not read" refuses user cat closed/file
ok "nor written" refuses user sh -c 'echo x >>closed/file'
ok "a closed directory takes no files" refuses user touch closed/new
ok "nor gives any" refuses user rm -f closed/file
ok "attributes belong to the owner" refuses user chmod 777 closed/file
ok "so do times" refuses user touch -d 2000-01-01 closed/file
ok "an open directory takes files" user touch open/mine
is "they belong to the user" "$(stat -c %u:%g open/mine)" 1234:1234
ok "who may change their mode" user chmod 640 open/mine
ok "and not give them away" refuses user chown 4321 open/mine
ok "nor to a group one is not in" refuses user chgrp 5678 open/mine
ok "but to one's other group" member chgrp 5678 open/mine
is "which it then has" "$(stat -c %g open/mine)" 5678
ok "root gives files away" chown 4321:4321 open/mine

echo foreign >tmp/foreign
ok "sticky: others' files stay" refuses user rm -f tmp/foreign
ok "sticky: nor are they renamed" refuses user mv tmp/foreign tmp/x
ok "sticky: own files go" user sh -c 'touch tmp/own && rm tmp/own'

mkdir -m 2777 group
chgrp 5678 group
chmod 2777 group
ok "setgid directory" user sh -c 'touch group/f && mkdir group/d'
is "files get its group" "$(stat -c %g group/f)" 5678
is "directories get group and bit" "$(stat -c %g:%a group/d)" 5678:2755
ok "a stranger can not make setgid files of that group" user \
	sh -c 'umask 0; cp /bin/true group/x && chmod 2755 group/x; true'
is "the bit is gone" "$(stat -c %a group/x)" 755
ok "a member can" member sh -c 'cp /bin/true group/y && chmod 2755 group/y'
is "the bit is there" "$(stat -c %a group/y)" 2755

ok "a write takes setuid away" user "$ops" suid open/suid
ok "chown takes it away, too" sh -c \
	'cp /bin/true su && chmod 4755 su && chown 1234 su'
is "without the bit" "$(stat -c %a su)" 755
is "umask" "$(umask 027; touch um; stat -c %a um)" 640

ok "trusted attributes are root's" refuses user \
	setfattr -n trusted.x -v 1 open/suid
ok "the interface without privileges" user \
	sh -c "umask 0; mkdir open/ioctls && ./ioctls open/ioctls $FIXTURE user"

cd /
ok "unmount" unmount
tap_done
