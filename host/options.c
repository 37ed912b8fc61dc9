/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mount options: reading a list of them, showing them.  What there is says
 * core/options.h; here comes what mount(8) hands to every kind of filesystem.
 */
#include "host/host.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "options.h"

struct option {
	const char *name;
	size_t field;
	__s64 def;
	__s64 min;
	__s64 max;
	unsigned int flags;
};

#define OPTION(name, def, min, max, flags) \
	{ #name, offsetof(struct sfs_options, name), def, min, max, flags },

static const struct option options[] = { SFS_OPTIONS(OPTION) };

#define NR_OPTIONS (sizeof(options) / sizeof(options[0]))

/* What mount(8) hands to every kind of filesystem. */
static const struct {
	const char *name;
	unsigned long set;
	unsigned long clear;
} generic[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "noatime", MS_NOATIME, 0 },
	{ "atime", 0, MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "relatime", MS_RELATIME, 0 },
	{ "norelatime", 0, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME, 0 },
	{ "nostrictatime", 0, MS_STRICTATIME },
	{ "lazytime", MS_LAZYTIME, 0 },
	{ "nolazytime", 0, MS_LAZYTIME },
	{ "silent", MS_SILENT, 0 },
	{ "loud", 0, MS_SILENT },
	{ "remount", MS_REMOUNT, 0 },
	{ "defaults", 0, 0 },
	{ "auto", 0, 0 },
	{ "noauto", 0, 0 },
	{ "user", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0 },
	{ "users", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0 },
	{ "nouser", 0, 0 },
	{ "owner", MS_NOSUID | MS_NODEV, 0 },
	{ "group", MS_NOSUID | MS_NODEV, 0 },
	{ "_netdev", 0, 0 },
	{ "nofail", 0, 0 },
};

static __s64 *field_of(const struct sfs_options *opts, const struct option *o)
{
	return (__s64 *)((char *)opts + o->field);
}

void sfs_options_default(struct sfs_options *opts)
{
	size_t i;

	memset(opts, 0, sizeof(*opts));
	for (i = 0; i < NR_OPTIONS; i++)
		if (!(options[i].flags & SFS_OPT_PATH))
			*field_of(opts, &options[i]) = options[i].def;
}

static int bad_value(const struct option *o, const char *val)
{
	if (o->flags & SFS_OPT_SWITCH)
		sfs_log(SFS_LOG_ERR, "mount option %s takes no value, not \"%s\"",
			o->name, val);
	else if (o->flags & SFS_OPT_PATH)
		sfs_log(SFS_LOG_ERR,
			"mount option %s is \"%s\", but must be a path of at most %d bytes",
			o->name, val, SFS_PATH_MAX - 1);
	else
		sfs_log(SFS_LOG_ERR,
			"mount option %s is \"%s\", but must be a number from %lld to %lld",
			o->name, val, o->min, o->max);
	return -EINVAL;
}

static int parse_number(const struct option *o, const char *val,
			__s64 *ret_number)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(val, &end, 10);
	if (!isdigit((unsigned char)val[0]) || *end || errno ||
	    n < o->min || n > o->max)
		return bad_value(o, val);
	*ret_number = n;
	return 0;
}

static int set_option(struct sfs_options *opts, size_t i, const char *val,
		      bool negated)
{
	const struct option *o = &options[i];
	int ret = 0;

	if ((o->flags & SFS_OPT_ONCE) && (opts->seen & (1UL << i))) {
		sfs_log(SFS_LOG_ERR, "mount option %s is given twice", o->name);
		return -EINVAL;
	}
	opts->seen |= 1UL << i;

	if (o->flags & SFS_OPT_SWITCH) {
		if (val)
			return bad_value(o, val);
		*field_of(opts, o) = !negated;
	} else if (!val) {
		sfs_log(SFS_LOG_ERR, "mount option %s needs a value: %s=...",
			o->name, o->name);
		return -EINVAL;
	} else if (o->flags & SFS_OPT_PATH) {
		if (!val[0] || strlen(val) >= SFS_PATH_MAX)
			return bad_value(o, val);
		strcpy((char *)opts + o->field, val);
	} else {
		ret = parse_number(o, val, field_of(opts, o));
	}
	return ret;
}

static int parse_one(struct sfs_options *opts, char *word)
{
	char *val = strchr(word, '=');
	size_t i;

	if (val)
		*val++ = '\0';
	for (i = 0; i < NR_OPTIONS; i++) {
		if (!strcmp(word, options[i].name))
			return set_option(opts, i, val, false);
		if (!strcmp(options[i].name, "acl") && !strcmp(word, "noacl"))
			return set_option(opts, i, val, true);
	}
	for (i = 0; !val && i < sizeof(generic) / sizeof(generic[0]); i++) {
		if (strcmp(word, generic[i].name))
			continue;
		opts->mount_flags |= generic[i].set;
		opts->mount_flags &= ~generic[i].clear;
		return 0;
	}
	/* for programs in user space, and as comments */
	if (!strncmp(word, "x-", 2) || !strncmp(word, "X-", 2) ||
	    !strcmp(word, "comment") || !strcmp(word, "user"))
		return 0;
	if (opts->sloppy)
		return 0;
	sfs_log(SFS_LOG_ERR, "unknown mount option \"%s%s%s\"; see scoutfs(5)",
		word, val ? "=" : "", val ? val : "");
	return -EINVAL;
}

int sfs_options_parse(struct sfs_options *opts, const char *list)
{
	char *word = malloc(strlen(list) + 1);
	const char *p = list;
	int ret = 0;
	char *w;

	if (!word)
		return -ENOMEM;
	while (*p && ret == 0) {
		for (w = word; *p && *p != ','; p++) {
			if (p[0] == '\\' && (p[1] == ',' || p[1] == '\\'))
				p++;
			*w++ = *p;
		}
		*w = '\0';
		if (*p == ',')
			p++;
		if (word[0])
			ret = parse_one(opts, word);
	}
	free(word);
	return ret;
}

void sfs_options_mount(const struct sfs_options *opts,
		       struct sfs_mount_opts *ret_opts)
{
	sfs_mount_opts_default(ret_opts);
	ret_opts->commit_interval_ms = opts->commit_interval_ms;
	ret_opts->data_prealloc_blocks = opts->data_prealloc_blocks;
	ret_opts->data_prealloc_contig_only = opts->data_prealloc_contig_only;
	ret_opts->ino_alloc_per_lock = opts->ino_alloc_per_lock;
	ret_opts->orphan_scan_delay_ms = opts->orphan_scan_delay_ms;
}

void sfs_options_sloppy(struct sfs_options *opts)
{
	opts->sloppy = true;
}

int sfs_options_complete(const struct sfs_options *opts)
{
	if (opts->metadev_path[0])
		return 0;
	sfs_log(SFS_LOG_ERR,
		"mount option metadev_path is missing: -o metadev_path=METADATA-DEVICE");
	return -EINVAL;
}

/* ---- showing ------------------------------------------------------------ */

static int append(char *buf, size_t size, size_t *pos, const char *text)
{
	size_t len = strlen(text);

	if (*pos + len >= size)
		return -ENAMETOOLONG;
	memcpy(buf + *pos, text, len + 1);
	*pos += len;
	return 0;
}

static int append_escaped(char *buf, size_t size, size_t *pos,
			  const char *text)
{
	char piece[3];
	int ret = 0;

	for (; *text && ret == 0; text++) {
		snprintf(piece, sizeof(piece), "%s%c",
			 *text == ',' || *text == '\\' ? "\\" : "", *text);
		ret = append(buf, size, pos, piece);
	}
	return ret;
}

static int show_one(const struct sfs_options *opts, const struct option *o,
		    char *buf, size_t size, size_t *pos)
{
	char text[96];
	int ret;

	if (o->flags & SFS_OPT_PATH) {
		ret = append(buf, size, pos, "metadev_path=");
		return ret ? ret : append_escaped(buf, size, pos,
						  opts->metadev_path);
	}
	if (o->flags & SFS_OPT_SWITCH)
		snprintf(text, sizeof(text), "%s%s",
			 *field_of(opts, o) ? "" : "no", o->name);
	else
		snprintf(text, sizeof(text), "%s=%lld", o->name,
			 *field_of(opts, o));
	return append(buf, size, pos, text);
}

int sfs_options_show(const struct sfs_options *opts, char *buf, size_t size)
{
	size_t i, pos = 0;
	int ret;

	buf[0] = '\0';
	for (i = 0; i < NR_OPTIONS; i++) {
		if (!(opts->seen & (1UL << i)))
			continue;
		ret = pos ? append(buf, size, &pos, ",") : 0;
		if (ret == 0)
			ret = show_one(opts, &options[i], buf, size, &pos);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int sfs_options_each(const struct sfs_options *opts,
		     int (*fn)(void *arg, const char *name, const char *value),
		     void *arg)
{
	const struct option *o;
	char text[32];
	size_t i;
	int ret = 0;

	for (i = 0; i < NR_OPTIONS && ret == 0; i++) {
		o = &options[i];
		if (o->flags & SFS_OPT_HIDDEN)
			continue;
		if (o->flags & SFS_OPT_PATH) {
			ret = fn(arg, o->name, opts->metadev_path);
			continue;
		}
		snprintf(text, sizeof(text), "%lld%s", *field_of(opts, o),
			 o->flags & SFS_OPT_NEWLINE ? "\n" : "");
		ret = fn(arg, o->name, text);
	}
	return ret;
}
