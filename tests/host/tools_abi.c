/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins the public ABI: every command value, and size and offset of every
 * structure and field in include/scoutfs/ioctl.h.
 *
 * The numbers are those of programs that were compiled years ago and elsewhere;
 * a line that fails means that the header is wrong, never this table.
 */
#include <stddef.h>
#include <string.h>

#include "scoutfs/ioctl.h"
#include "tap.h"

struct row {
	const char *what;
	unsigned long got;
	unsigned long want;
};

#define T(s) struct scoutfs_ioctl_##s
#define COMMAND(c, v) { "value of " #c, SCOUTFS_IOC_##c, v }
#define STRUCT(s, n) { "size of " #s, sizeof(T(s)), n }
/* Offset and size in one number, so that a row is a line. */
#define PLACE(off, n) ((unsigned long)(off) << 16 | (n))
#define FIELD(s, f, off, n) { "place of " #s "." #f, \
	PLACE(offsetof(T(s), f), sizeof(((T(s) *)0)->f)), PLACE(off, n) }
#define VARIABLE(s, f, off) { "place of " #s "." #f, \
	PLACE(offsetof(T(s), f), 0), PLACE(off, 0) }

static const struct row rows[] = {
	COMMAND(WALK_INODES, 0x4048e801),
	COMMAND(INO_PATH, 0x4028e802),
	COMMAND(RELEASE, 0x4018e803),
	COMMAND(STAGE, 0x4020e804),
	COMMAND(STAT_MORE, 0x8038e805),
	COMMAND(DATA_WAITING, 0x4028e806),
	COMMAND(SETATTR_MORE, 0x4030e807),
	COMMAND(LISTXATTR_HIDDEN, 0xc018e808),
	COMMAND(SEARCH_XATTRS, 0x4038e809),
	COMMAND(STATFS_MORE, 0x8030e80a),
	COMMAND(DATA_WAIT_ERR, 0x4030e80b),
	COMMAND(ALLOC_DETAIL, 0x4010e80c),
	COMMAND(MOVE_BLOCKS, 0x4030e80d),
	COMMAND(RESIZE_DEVICES, 0x4010e80e),
	COMMAND(READ_XATTR_TOTALS, 0x4028e80f),
	COMMAND(GET_ALLOCATED_INOS, 0x4018e810),
	COMMAND(GET_REFERRING_ENTRIES, 0x4028e811),
	COMMAND(GET_ATTR_X, 0x4068e812),
	COMMAND(SET_ATTR_X, 0x4068e813),
	COMMAND(GET_QUOTA_RULES, 0x8020e814),
	COMMAND(ADD_QUOTA_RULE, 0x4030e815),
	COMMAND(DEL_QUOTA_RULE, 0x4030e816),
	COMMAND(READ_XATTR_INDEX, 0x8048e817),
	COMMAND(PUNCH_OFFLINE, 0x4020e818),
	COMMAND(INJECT_TOTL_DELTA, 0x4028e819),
	COMMAND(RAW_READ_META_SEQ, 0x8040e819),
	COMMAND(RAW_READ_INODE_INFO, 0x8028e819),
	COMMAND(INLINE, 0xe050e840),
	COMMAND(RAW_READ_META_SEQ_24, 0x8040e818),

	STRUCT(walk_inodes, 72),
	FIELD(walk_inodes, first, 0, 24),
	FIELD(walk_inodes, last, 24, 24),
	FIELD(walk_inodes, entries_ptr, 48, 8),
	FIELD(walk_inodes, nr_entries, 56, 4),
	FIELD(walk_inodes, index, 60, 1),
	FIELD(walk_inodes, _pad, 61, 11),

	STRUCT(walk_inodes_entry, 24),
	FIELD(walk_inodes_entry, major, 0, 8),
	FIELD(walk_inodes_entry, ino, 8, 8),
	FIELD(walk_inodes_entry, minor, 16, 4),
	FIELD(walk_inodes_entry, _pad, 20, 4),

	STRUCT(ino_path, 40),
	FIELD(ino_path, ino, 0, 8),
	FIELD(ino_path, dir_ino, 8, 8),
	FIELD(ino_path, dir_pos, 16, 8),
	FIELD(ino_path, result_ptr, 24, 8),
	FIELD(ino_path, result_bytes, 32, 2),
	FIELD(ino_path, _pad, 34, 6),

	STRUCT(ino_path_result, 24),
	FIELD(ino_path_result, dir_ino, 0, 8),
	FIELD(ino_path_result, dir_pos, 8, 8),
	FIELD(ino_path_result, path_bytes, 16, 2),
	FIELD(ino_path_result, _pad, 18, 6),
	VARIABLE(ino_path_result, path, 24),

	STRUCT(get_referring_entries, 40),
	FIELD(get_referring_entries, ino, 0, 8),
	FIELD(get_referring_entries, dir_ino, 8, 8),
	FIELD(get_referring_entries, dir_pos, 16, 8),
	FIELD(get_referring_entries, entries_ptr, 24, 8),
	FIELD(get_referring_entries, entries_bytes, 32, 8),

	STRUCT(dirent, 32),
	FIELD(dirent, dir_ino, 0, 8),
	FIELD(dirent, dir_pos, 8, 8),
	FIELD(dirent, ino, 16, 8),
	FIELD(dirent, entry_bytes, 24, 2),
	FIELD(dirent, flags, 26, 1),
	FIELD(dirent, d_type, 27, 1),
	FIELD(dirent, name_len, 28, 1),
	FIELD(dirent, name, 29, 3),

	STRUCT(get_allocated_inos, 24),
	FIELD(get_allocated_inos, start_ino, 0, 8),
	FIELD(get_allocated_inos, inos_ptr, 8, 8),
	FIELD(get_allocated_inos, inos_bytes, 16, 8),

	STRUCT(release, 24),
	FIELD(release, offset, 0, 8),
	FIELD(release, length, 8, 8),
	FIELD(release, data_version, 16, 8),

	STRUCT(stage, 32),
	FIELD(stage, data_version, 0, 8),
	FIELD(stage, buf_ptr, 8, 8),
	FIELD(stage, offset, 16, 8),
	FIELD(stage, length, 24, 4),
	FIELD(stage, _pad, 28, 4),

	STRUCT(punch_offline, 32),
	FIELD(punch_offline, offset, 0, 8),
	FIELD(punch_offline, len, 8, 8),
	FIELD(punch_offline, data_version, 16, 8),
	FIELD(punch_offline, flags, 24, 8),

	STRUCT(move_blocks, 48),
	FIELD(move_blocks, from_fd, 0, 8),
	FIELD(move_blocks, from_off, 8, 8),
	FIELD(move_blocks, len, 16, 8),
	FIELD(move_blocks, to_off, 24, 8),
	FIELD(move_blocks, data_version, 32, 8),
	FIELD(move_blocks, flags, 40, 8),

	STRUCT(data_waiting, 40),
	FIELD(data_waiting, flags, 0, 8),
	FIELD(data_waiting, after_ino, 8, 8),
	FIELD(data_waiting, after_iblock, 16, 8),
	FIELD(data_waiting, ents_ptr, 24, 8),
	FIELD(data_waiting, ents_nr, 32, 2),
	FIELD(data_waiting, _pad, 34, 6),

	STRUCT(data_waiting_entry, 24),
	FIELD(data_waiting_entry, ino, 0, 8),
	FIELD(data_waiting_entry, iblock, 8, 8),
	FIELD(data_waiting_entry, op, 16, 1),
	FIELD(data_waiting_entry, _pad, 17, 7),

	STRUCT(data_wait_err, 48),
	FIELD(data_wait_err, ino, 0, 8),
	FIELD(data_wait_err, data_version, 8, 8),
	FIELD(data_wait_err, offset, 16, 8),
	FIELD(data_wait_err, count, 24, 8),
	FIELD(data_wait_err, op, 32, 8),
	FIELD(data_wait_err, err, 40, 8),

	STRUCT(stat_more, 56),
	FIELD(stat_more, meta_seq, 0, 8),
	FIELD(stat_more, data_seq, 8, 8),
	FIELD(stat_more, data_version, 16, 8),
	FIELD(stat_more, online_blocks, 24, 8),
	FIELD(stat_more, offline_blocks, 32, 8),
	FIELD(stat_more, crtime_sec, 40, 8),
	FIELD(stat_more, crtime_nsec, 48, 4),
	FIELD(stat_more, _pad, 52, 4),

	STRUCT(setattr_more, 48),
	FIELD(setattr_more, data_version, 0, 8),
	FIELD(setattr_more, i_size, 8, 8),
	FIELD(setattr_more, flags, 16, 8),
	FIELD(setattr_more, ctime_sec, 24, 8),
	FIELD(setattr_more, ctime_nsec, 32, 4),
	FIELD(setattr_more, crtime_nsec, 36, 4),
	FIELD(setattr_more, crtime_sec, 40, 8),

	STRUCT(inode_attr_x, 104),
	FIELD(inode_attr_x, x_mask, 0, 8),
	FIELD(inode_attr_x, x_flags, 8, 8),
	FIELD(inode_attr_x, meta_seq, 16, 8),
	FIELD(inode_attr_x, data_seq, 24, 8),
	FIELD(inode_attr_x, data_version, 32, 8),
	FIELD(inode_attr_x, online_blocks, 40, 8),
	FIELD(inode_attr_x, offline_blocks, 48, 8),
	FIELD(inode_attr_x, ctime_sec, 56, 8),
	FIELD(inode_attr_x, ctime_nsec, 64, 4),
	FIELD(inode_attr_x, crtime_nsec, 68, 4),
	FIELD(inode_attr_x, crtime_sec, 72, 8),
	FIELD(inode_attr_x, size, 80, 8),
	FIELD(inode_attr_x, bits, 88, 8),
	FIELD(inode_attr_x, project_id, 96, 8),

	STRUCT(listxattr_hidden, 24),
	FIELD(listxattr_hidden, id_pos, 0, 8),
	FIELD(listxattr_hidden, buf_ptr, 8, 8),
	FIELD(listxattr_hidden, buf_bytes, 16, 4),
	FIELD(listxattr_hidden, hash_pos, 20, 4),

	STRUCT(search_xattrs, 56),
	FIELD(search_xattrs, next_ino, 0, 8),
	FIELD(search_xattrs, last_ino, 8, 8),
	FIELD(search_xattrs, name_ptr, 16, 8),
	FIELD(search_xattrs, inodes_ptr, 24, 8),
	FIELD(search_xattrs, output_flags, 32, 8),
	FIELD(search_xattrs, nr_inodes, 40, 8),
	FIELD(search_xattrs, name_bytes, 48, 2),
	FIELD(search_xattrs, _pad, 50, 6),

	STRUCT(read_xattr_totals, 40),
	FIELD(read_xattr_totals, pos_name, 0, 24),
	FIELD(read_xattr_totals, totals_ptr, 24, 8),
	FIELD(read_xattr_totals, totals_bytes, 32, 8),

	STRUCT(xattr_total, 40),
	FIELD(xattr_total, name, 0, 24),
	FIELD(xattr_total, total, 24, 8),
	FIELD(xattr_total, count, 32, 8),

	STRUCT(read_xattr_index, 72),
	FIELD(read_xattr_index, flags, 0, 8),
	FIELD(read_xattr_index, first, 8, 24),
	FIELD(read_xattr_index, last, 32, 24),
	FIELD(read_xattr_index, entries_ptr, 56, 8),
	FIELD(read_xattr_index, entries_nr, 64, 8),

	STRUCT(xattr_index_entry, 24),
	FIELD(xattr_index_entry, minor, 0, 8),
	FIELD(xattr_index_entry, ino, 8, 8),
	FIELD(xattr_index_entry, major, 16, 1),
	FIELD(xattr_index_entry, _pad, 17, 7),

	STRUCT(inject_totl_delta, 40),
	FIELD(inject_totl_delta, name, 0, 24),
	FIELD(inject_totl_delta, total, 24, 8),
	FIELD(inject_totl_delta, count, 32, 8),

	STRUCT(statfs_more, 48),
	FIELD(statfs_more, fsid, 0, 8),
	FIELD(statfs_more, rid, 8, 8),
	FIELD(statfs_more, committed_seq, 16, 8),
	FIELD(statfs_more, total_meta_blocks, 24, 8),
	FIELD(statfs_more, total_data_blocks, 32, 8),
	FIELD(statfs_more, reserved_meta_blocks, 40, 8),

	STRUCT(alloc_detail, 16),
	FIELD(alloc_detail, entries_ptr, 0, 8),
	FIELD(alloc_detail, entries_nr, 8, 8),

	STRUCT(alloc_detail_entry, 24),
	FIELD(alloc_detail_entry, id, 0, 8),
	FIELD(alloc_detail_entry, blocks, 8, 8),
	FIELD(alloc_detail_entry, type, 16, 1),
	FIELD(alloc_detail_entry, __pad, 18, 6),

	STRUCT(resize_devices, 16),
	FIELD(resize_devices, new_total_meta_blocks, 0, 8),
	FIELD(resize_devices, new_total_data_blocks, 8, 8),

	STRUCT(get_quota_rules, 32),
	FIELD(get_quota_rules, iterator, 0, 16),
	FIELD(get_quota_rules, rules_ptr, 16, 8),
	FIELD(get_quota_rules, rules_nr, 24, 8),

	STRUCT(quota_rule, 48),
	FIELD(quota_rule, name_val, 0, 24),
	FIELD(quota_rule, limit, 24, 8),
	FIELD(quota_rule, prio, 32, 1),
	FIELD(quota_rule, op, 33, 1),
	FIELD(quota_rule, rule_flags, 34, 1),
	FIELD(quota_rule, name_source, 35, 3),
	FIELD(quota_rule, name_flags, 38, 3),
	FIELD(quota_rule, _pad, 41, 7),

	STRUCT(meta_seq, 16),
	FIELD(meta_seq, meta_seq, 0, 8),
	FIELD(meta_seq, ino, 8, 8),

	STRUCT(raw_read_meta_seq, 64),
	FIELD(raw_read_meta_seq, start, 0, 16),
	FIELD(raw_read_meta_seq, end, 16, 16),
	FIELD(raw_read_meta_seq, last, 32, 16),
	FIELD(raw_read_meta_seq, results_ptr, 48, 8),
	FIELD(raw_read_meta_seq, results_size, 56, 4),
	FIELD(raw_read_meta_seq, _pad, 60, 4),

	STRUCT(raw_read_inode_info, 40),
	FIELD(raw_read_inode_info, inos_ptr, 0, 8),
	FIELD(raw_read_inode_info, inos_count, 8, 4),
	FIELD(raw_read_inode_info, names_count, 12, 4),
	FIELD(raw_read_inode_info, names_ptr, 16, 8),
	FIELD(raw_read_inode_info, results_ptr, 24, 8),
	FIELD(raw_read_inode_info, results_size, 32, 4),
	FIELD(raw_read_inode_info, _pad, 36, 4),

	STRUCT(raw_read_result, 12),
	FIELD(raw_read_result, size, 0, 4),
	FIELD(raw_read_result, _pad, 4, 7),
	FIELD(raw_read_result, type, 11, 1),
};

/* Bit fields have no offset: look at the byte. */
static void test_alloc_detail_bits(void)
{
	T(alloc_detail_entry) ent;
	unsigned char *byte = (unsigned char *)&ent + 17;

	memset(&ent, 0, sizeof(ent));
	ent.meta = 1;
	ok(*byte == 1, "alloc_detail_entry.meta is bit 0 of byte 17");
	memset(&ent, 0, sizeof(ent));
	ent.avail = 1;
	ok(*byte == 2, "alloc_detail_entry.avail is bit 1 of byte 17");
}

int main(void)
{
	size_t i;

	plan(0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].got != rows[i].want)
			diag("is %#lx, has to be %#lx", rows[i].got,
				 rows[i].want);
		ok(rows[i].got == rows[i].want, "%s", rows[i].what);
	}
	ok(_Alignof(T(walk_inodes)) == 8, "structures are aligned to 8");
	test_alloc_detail_bits();
	return done_testing();
}
