/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mount options: taking them from a mount, changing them at run time, showing
 * them.  What there is and which values it may have says core/options.h.
 *
 * An option that can not be changed at run time and is given to a remount with
 * the value it has is no error: mount(8) repeats what fstab says.
 *
 * Locks: sbi->opts_lock over changes of a mount's options, so that the core is
 * told of them in their order.  Who shows them reads each value by itself.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs.h"
#include "options.h"

#define VALUE_MAX 32

struct option {
	const char *name;
	size_t field;
	s64 def;
	s64 min;
	s64 max;
	unsigned int flags;
};

#define OPTION(name, def, min, max, flags) \
	{ #name, offsetof(struct sfs_options, name), def, min, max, flags },

static const struct option options[] = { SFS_OPTIONS(OPTION) };

#define PLACE(name, def, min, max, flags) AT_##name,

enum { SFS_OPTIONS(PLACE) NR_OPTIONS };

/* A switch that is on by itself can be given with "no". */
#define SPEC(optname, def, min, max, optflags)				\
	{								\
		.name = #optname,					\
		.type = (optflags) & SFS_OPT_SWITCH ? NULL :		\
			fs_param_is_string,				\
		.opt = AT_##optname,					\
		.flags = ((optflags) & SFS_OPT_SWITCH) && (def) == 1 ?	\
			 fs_param_neg_with_no : 0,			\
	},

const struct fs_parameter_spec sfs_fs_parameters[] = {
	SFS_OPTIONS(SPEC)
	{}
};

static s64 *field_of(struct sfs_options *opts, int i)
{
	return (s64 *)((char *)opts + options[i].field);
}

static s64 value_of(const struct sfs_options *opts, int i)
{
	return READ_ONCE(*(const s64 *)((const char *)opts +
					options[i].field));
}

static bool is_path(int i)
{
	return options[i].flags & SFS_OPT_PATH;
}

void sfs_options_default(struct sfs_options *opts)
{
	int i;

	memset(opts, 0, sizeof(*opts));
	for (i = 0; i < NR_OPTIONS; i++) {
		if (!is_path(i))
			*field_of(opts, i) = options[i].def;
	}
}

void sfs_options_free(struct sfs_options *opts)
{
	kfree(opts->metadev_path);
	opts->metadev_path = NULL;
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

/* ---- mounting ------------------------------------------------------------ */

static bool parse_number(int i, const char *text, s64 *ret_number)
{
	s64 n;

	if (!isdigit(text[0]) || kstrtos64(text, 10, &n) < 0 ||
	    n < options[i].min || n > options[i].max)
		return false;
	*ret_number = n;
	return true;
}

static int parse_path(struct fs_context *fc, struct sfs_options *opts,
		      const char *text)
{
	char *path;

	if (strlen(text) >= PATH_MAX)
		return invalfc(fc, "metadev_path must be a path of at most %d bytes",
			      PATH_MAX - 1);
	path = kstrdup(text, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	kfree(opts->metadev_path);
	opts->metadev_path = path;
	return 0;
}

int sfs_options_parse(struct fs_context *fc, struct sfs_options *opts,
		      struct fs_parameter *param)
{
	struct fs_parse_result result;
	const struct option *o;
	int ret = 0;
	int i;

	i = fs_parse(fc, sfs_fs_parameters, param, &result);
	if (i < 0)
		return i;
	o = &options[i];
	if ((o->flags & SFS_OPT_ONCE) && (opts->seen & BIT(i)))
		return invalfc(fc, "option %s is given twice", o->name);
	if (is_path(i))
		ret = parse_path(fc, opts, param->string);
	else if (o->flags & SFS_OPT_SWITCH)
		*field_of(opts, i) = !result.negated;
	else if (!parse_number(i, param->string, field_of(opts, i)))
		ret = invalfc(fc, "option %s is \"%s\", but must be a number from %lld to %lld",
			     o->name, param->string, o->min, o->max);
	if (ret == 0)
		opts->seen |= BIT(i);
	return ret;
}

/* ---- changing ------------------------------------------------------------ */

/* Was it given in @opts, and differs? */
static bool differs(const struct sfs_sb *sbi, const struct sfs_options *opts,
		    int i)
{
	if (!(opts->seen & BIT(i)))
		return false;
	if (is_path(i))
		return strcmp(opts->metadev_path, sbi->opts.metadev_path);
	return value_of(opts, i) != value_of(&sbi->opts, i);
}

void sfs_options_ignored(const struct sfs_sb *sbi,
			 const struct sfs_options *opts)
{
	int i;

	for (i = 0; i < NR_OPTIONS; i++) {
		/* the volume is the same, whatever its path */
		if (!is_path(i) && differs(sbi, opts, i))
			pr_warn("scoutfs %s: mounted already, option %s stays %lld\n",
				sbi->ident, options[i].name,
				value_of(&sbi->opts, i));
	}
}

static void tell_core(struct sfs_sb *sbi)
{
	struct sfs_mount_opts mopts;

	lockdep_assert_held(&sbi->opts_lock);
	sfs_options_mount(&sbi->opts, &mopts);
	sfs_set_mount_opts(sbi->fs, &mopts);
}

int sfs_options_change(struct fs_context *fc, struct sfs_sb *sbi,
		       const struct sfs_options *opts)
{
	bool changed = false;
	int ret = 0;
	int i;

	mutex_lock(&sbi->opts_lock);
	for (i = 0; i < NR_OPTIONS && ret == 0; i++) {
		if (options[i].flags & SFS_OPT_RUNTIME || !differs(sbi, opts, i))
			continue;
		if (is_path(i))
			ret = invalfc(fc, "option metadev_path can not be changed by a remount, it is %s",
				     sbi->opts.metadev_path);
		else
			ret = invalfc(fc, "option %s can not be changed by a remount, it is %lld; unmount first",
				     options[i].name,
				     value_of(&sbi->opts, i));
	}
	for (i = 0; i < NR_OPTIONS && ret == 0; i++) {
		if (!differs(sbi, opts, i) || is_path(i))
			continue;
		WRITE_ONCE(*field_of(&sbi->opts, i), value_of(opts, i));
		changed = true;
	}
	if (changed)
		tell_core(sbi);
	mutex_unlock(&sbi->opts_lock);
	return ret;
}

/* ---- showing ------------------------------------------------------------- */

/* Those whose value is worth a word in /proc/mounts. */
static bool is_shown(const struct sfs_options *opts, int i)
{
	switch (i) {
	case AT_quorum_slot_nr:
	case AT_commit_interval_ms:
	case AT_force:
	case AT_separate:
		return value_of(opts, i) != options[i].def;
	default:
		return true;
	}
}

int sfs_options_show(struct seq_file *seq, const struct sfs_options *opts)
{
	const struct option *o;
	int i;

	for (i = 0; i < NR_OPTIONS; i++) {
		o = &options[i];
		if (!is_shown(opts, i))
			continue;
		if (is_path(i))
			seq_show_option(seq, o->name, opts->metadev_path);
		else if (o->flags & SFS_OPT_SWITCH)
			seq_printf(seq, ",%s%s", value_of(opts, i) ? "" : "no",
				   o->name);
		else
			seq_printf(seq, ",%s=%lld", o->name,
				   value_of(opts, i));
	}
	return 0;
}

/* ---- sysfs --------------------------------------------------------------- */

static bool has_file(int i)
{
	return !(options[i].flags & (SFS_OPT_HIDDEN | SFS_OPT_NOFILE));
}

int sfs_options_nr(void)
{
	int nr = 0;
	int i;

	for (i = 0; i < NR_OPTIONS; i++)
		nr += has_file(i);
	return nr;
}

/* The place of the @n-th option that has a file; there is one. */
static int place_of(int n)
{
	int i;

	for (i = 0; i < NR_OPTIONS; i++) {
		if (has_file(i) && n-- == 0)
			return i;
	}
	WARN_ON(1);
	return 0;
}

const char *sfs_options_name(int i, umode_t *ret_mode)
{
	const struct option *o = &options[place_of(i)];

	*ret_mode = o->flags & SFS_OPT_RUNTIME ? 0644 : 0444;
	return o->name;
}

int sfs_options_text(const struct sfs_options *opts, int i, char *buf,
		     size_t size)
{
	int at = place_of(i);

	if (is_path(at))
		return scnprintf(buf, size, "%s", opts->metadev_path);
	return scnprintf(buf, size, "%lld%s", value_of(opts, at),
			 options[at].flags & SFS_OPT_NEWLINE ? "\n" : "");
}

int sfs_options_set(struct sfs_sb *sbi, int i, const char *text)
{
	int at = place_of(i);
	const struct option *o = &options[at];
	char word[VALUE_MAX];
	s64 n;

	if (!(o->flags & SFS_OPT_RUNTIME))
		return -EROFS;
	if (strscpy(word, text, sizeof(word)) < 0 ||
	    !parse_number(at, strim(word), &n)) {
		sfs_port_log(&sbi->vol->host, SFS_LOG_ERR,
			     "option %s must be a number from %lld to %lld",
			     o->name, o->min, o->max);
		return -EINVAL;
	}
	mutex_lock(&sbi->opts_lock);
	WRITE_ONCE(*field_of(&sbi->opts, at), n);
	tell_core(sbi);
	mutex_unlock(&sbi->opts_lock);
	return 0;
}
