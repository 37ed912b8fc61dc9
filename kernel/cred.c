/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is asking.
 *
 * The VFS has asked for permission already, on its copy of the inode.  The core
 * asks again on what it is about to change, so it gets all that decides: the
 * ids that count for files, all groups, and the capabilities that matter here.
 * Those count only in the initial user namespace, to which the ids of a volume
 * belong: root of a container is nobody in particular.
 *
 * The umask is 0, the VFS has applied it to the modes it hands down.
 *
 * No locks: the credentials of the current task do not change under it, and
 * the groups are copied because the core wants plain numbers.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "fs.h"

static const struct {
	int cap;
	u32 bit;
} caps[] = {
	{ CAP_CHOWN, SFS_CAP_CHOWN },
	{ CAP_DAC_OVERRIDE, SFS_CAP_DAC_OVERRIDE },
	{ CAP_DAC_READ_SEARCH, SFS_CAP_DAC_READ_SEARCH },
	{ CAP_FOWNER, SFS_CAP_FOWNER },
	{ CAP_FSETID, SFS_CAP_FSETID },
	{ CAP_MKNOD, SFS_CAP_MKNOD },
	{ CAP_SYS_ADMIN, SFS_CAP_SYS_ADMIN },
};

static u32 caps_of(const struct cred *cred)
{
	u32 ret = 0;
	size_t i;

	if (cred->user_ns != &init_user_ns)
		return 0;
	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		if (cap_raised(cred->cap_effective, caps[i].cap))
			ret |= caps[i].bit;
	}
	return ret;
}

int sfs_caller_init(struct sfs_caller *c)
{
	const struct cred *cred = current_cred();
	const struct group_info *gi = cred->group_info;
	u32 *groups = c->few;
	int i;

	c->many = NULL;
	if (gi->ngroups > ARRAY_SIZE(c->few)) {
		c->many = kvmalloc_array(gi->ngroups, sizeof(*c->many),
					 GFP_KERNEL);
		if (!c->many)
			return -ENOMEM;
		groups = c->many;
	}
	for (i = 0; i < gi->ngroups; i++)
		groups[i] = from_kgid(&init_user_ns, gi->gid[i]);
	c->cred = (struct sfs_cred) {
		.uid = from_kuid(&init_user_ns, cred->fsuid),
		.gid = from_kgid(&init_user_ns, cred->fsgid),
		.caps = caps_of(cred),
		.nr_groups = gi->ngroups,
		.groups = groups,
	};
	return 0;
}

void sfs_caller_exit(struct sfs_caller *c)
{
	kvfree(c->many);
}
