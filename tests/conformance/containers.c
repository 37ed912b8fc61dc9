/* SPDX-License-Identifier: GPL-2.0-only */
/* Conformance: lists, hash lists, red-black trees, sorting. */
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "conf.h"

struct item {
	struct list_head entry;
	struct hlist_node hash;
	struct rb_node node;
	u32 v;
};

/* a list as a decimal number, for comparing */
static u32 digits(struct list_head *head)
{
	struct item *it;
	u32 n = 0;

	list_for_each_entry(it, head, entry)
		n = n * 10 + it->v;
	return n;
}

static u32 digits_back(struct list_head *head)
{
	struct item *it;
	u32 n = 0;

	list_for_each_entry_reverse(it, head, entry)
		n = n * 10 + it->v;
	return n;
}

static int lists(void)
{
	struct item it[5];
	struct item extra = { .v = 9 };
	struct item *pos;
	struct item *tmp;
	LIST_HEAD(a);
	LIST_HEAD(b);
	int i;

	CHECK(list_empty(&a) && !list_first_entry_or_null(&a, struct item, entry));
	for (i = 0; i < 5; i++) {
		it[i].v = i + 1;
		list_add_tail(&it[i].entry, &a);
	}
	CHECK(digits(&a) == 12345 && digits_back(&a) == 54321);
	CHECK(list_first_entry(&a, struct item, entry)->v == 1);
	CHECK(list_last_entry(&a, struct item, entry)->v == 5);
	CHECK(list_next_entry(&it[1], entry) == &it[2]);
	CHECK(list_prev_entry(&it[1], entry) == &it[0]);
	CHECK(list_is_first(&it[0].entry, &a) && list_is_last(&it[4].entry, &a));
	list_move(&it[2].entry, &a);
	CHECK(digits(&a) == 31245);
	list_move_tail(&it[2].entry, &a);
	CHECK(digits(&a) == 12453);
	list_replace(&it[0].entry, &extra.entry);
	CHECK(digits(&a) == 92453 && digits_back(&a) == 35429);
	list_add(&it[0].entry, &b);
	CHECK(list_is_singular(&b) && !list_is_singular(&a));
	list_splice_init(&b, &a);
	CHECK(digits(&a) == 192453 && list_empty(&b));
	list_cut_position(&b, &a, &it[1].entry);
	CHECK(digits(&b) == 192 && digits(&a) == 453);
	list_splice_tail_init(&b, &a);
	CHECK(digits(&a) == 453192 && list_empty(&b));
	list_swap(&it[3].entry, &extra.entry);
	CHECK(digits(&a) == 953142);
	list_rotate_left(&a);
	CHECK(digits(&a) == 531429);
	list_for_each_entry_safe(pos, tmp, &a, entry) {
		if (pos->v & 1)
			list_move_tail(&pos->entry, &b);
	}
	CHECK(digits(&a) == 42 && digits(&b) == 5319);
	pos = list_first_entry(&b, struct item, entry);
	i = 0;
	list_for_each_entry_continue(pos, &b, entry)
		i = i * 10 + pos->v;
	CHECK(i == 319 && list_entry_is_head(pos, &b, entry));
	list_del_init(&it[1].entry);
	CHECK(list_empty(&it[1].entry) && digits(&a) == 4);
	list_bulk_move_tail(&a, &it[2].entry, &it[0].entry);
	CHECK(digits(&a) == 431 && digits(&b) == 59);
	list_del(&it[3].entry);
	CHECK(digits(&a) == 31);
	return 0;
}

static int hash_lists(void)
{
	struct item it[4];
	struct item *pos;
	struct hlist_node *tmp;
	HLIST_HEAD(a);
	HLIST_HEAD(b);
	u32 n = 0;
	int i;

	CHECK(hlist_empty(&a));
	for (i = 0; i < 4; i++) {
		it[i].v = i + 1;
		INIT_HLIST_NODE(&it[i].hash);
		CHECK(hlist_unhashed(&it[i].hash));
	}
	hlist_add_head(&it[0].hash, &a);
	CHECK(hlist_is_singular_node(&it[0].hash, &a));
	hlist_add_head(&it[1].hash, &a);
	hlist_add_before(&it[2].hash, &it[0].hash);
	hlist_add_behind(&it[3].hash, &it[0].hash);
	hlist_for_each_entry(pos, &a, hash)
		n = n * 10 + pos->v;
	CHECK(n == 2314);
	hlist_del_init(&it[2].hash);
	CHECK(hlist_unhashed(&it[2].hash));
	hlist_del_init(&it[2].hash);
	hlist_move_list(&a, &b);
	CHECK(hlist_empty(&a) && !hlist_empty(&b));
	n = 0;
	hlist_for_each_entry_safe(pos, tmp, &b, hash) {
		n = n * 10 + pos->v;
		hlist_del(&pos->hash);
	}
	CHECK(n == 214 && hlist_empty(&b));
	return 0;
}

static bool item_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct item, node)->v <
	       rb_entry(b, struct item, node)->v;
}

static int item_cmp(struct rb_node *a, const struct rb_node *b)
{
	u32 x = rb_entry(a, struct item, node)->v;
	u32 y = rb_entry(b, struct item, node)->v;

	return x < y ? -1 : x > y;
}

static int key_cmp(const void *key, const struct rb_node *b)
{
	u32 x = *(const u32 *)key;
	u32 y = rb_entry(b, struct item, node)->v;

	return x < y ? -1 : x > y;
}

/* The height of a tree of n nodes is at most 2 log2(n + 1). */
static int tree_ok(struct rb_root *root, u32 nr)
{
	struct rb_node *n;
	struct rb_node *up;
	u32 count = 0;
	u32 last = 0;
	u32 depth;

	for (n = rb_first(root); n; n = rb_next(n)) {
		CHECK(!count || rb_entry(n, struct item, node)->v >= last);
		last = rb_entry(n, struct item, node)->v;
		count++;
		for (depth = 1, up = n; rb_parent(up); up = rb_parent(up))
			depth++;
		CHECK(up == root->rb_node);
		CHECK(depth <= 2 * ilog2(roundup_pow_of_two(nr + 1)));
		CHECK(!n->rb_left || rb_parent(n->rb_left) == n);
		CHECK(!n->rb_right || rb_parent(n->rb_right) == n);
	}
	CHECK(count == nr);
	for (n = rb_last(root); n; n = rb_prev(n))
		count--;
	CHECK(count == 0);
	return 0;
}

static u32 random_state;

static u32 random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

#define NR_ITEMS 300

static int run_tree(struct item *items, struct rb_root *root)
{
	struct item *pos;
	struct item *tmp;
	u32 nr = 0;
	u32 step;
	u32 i;

	for (step = 0; step < 4000; step++) {
		i = random() % NR_ITEMS;
		if (RB_EMPTY_NODE(&items[i].node)) {
			items[i].v = random() % 200;
			rb_add(&items[i].node, root, item_less);
			nr++;
		} else {
			rb_erase(&items[i].node, root);
			RB_CLEAR_NODE(&items[i].node);
			nr--;
		}
		if (step % 37 == 0 && tree_ok(root, nr))
			return -1;
	}
	CHECK(!tree_ok(root, nr));
	i = 0;
	rbtree_postorder_for_each_entry_safe(pos, tmp, root, node) {
		/* children come before their parent */
		CHECK(!pos->node.rb_left ||
		      RB_EMPTY_NODE(pos->node.rb_left));
		RB_CLEAR_NODE(&pos->node);
		i++;
	}
	CHECK(i == nr);
	return 0;
}

static int trees(void)
{
	struct item *items = kcalloc(NR_ITEMS, sizeof(*items), GFP_NOFS);
	struct rb_root root = RB_ROOT;
	int ret = -1;
	u32 i;

	CHECK(items);
	CHECK(RB_EMPTY_ROOT(&root) && !rb_first(&root) && !rb_last(&root));
	for (i = 0; i < NR_ITEMS; i++)
		RB_CLEAR_NODE(&items[i].node);
	random_state = 7;
	ret = run_tree(items, &root);
	kfree(items);
	return ret;
}

static int tree_find(void)
{
	struct rb_root root = RB_ROOT;
	struct item it[8];
	struct item twin = { .v = 10 };
	u32 key;
	int i;

	for (i = 0; i < 8; i++) {
		it[i].v = i * 5;
		CHECK(!rb_find_add(&it[i].node, &root, item_cmp));
	}
	CHECK(rb_find_add(&twin.node, &root, item_cmp) == &it[2].node);
	key = 15;
	CHECK(rb_find(&key, &root, key_cmp) == &it[3].node);
	key = 16;
	CHECK(!rb_find(&key, &root, key_cmp));
	twin.v = 15;
	rb_add(&twin.node, &root, item_less);
	key = 15;
	CHECK(rb_find_first(&key, &root, key_cmp) == &it[3].node);
	CHECK(rb_next(&it[3].node) == &twin.node);
	rb_erase(&twin.node, &root);
	twin.v = 20;
	rb_replace_node(&it[4].node, &twin.node, &root);
	key = 20;
	CHECK(rb_find(&key, &root, key_cmp) == &twin.node);
	CHECK(rb_prev(&twin.node) == &it[3].node);
	CHECK(rb_next(&twin.node) == &it[5].node);
	return tree_ok(&root, 8);
}

static int cached_trees(void)
{
	struct rb_root_cached root = RB_ROOT_CACHED;
	struct item it[6];
	struct item twin = { .v = 2 };
	static const u32 order[6] = { 5, 3, 8, 2, 9, 4 };
	int i;

	CHECK(!rb_first_cached(&root));
	for (i = 0; i < 6; i++) {
		it[i].v = order[i];
		rb_add_cached(&it[i].node, &root, item_less);
		CHECK(rb_first_cached(&root) == rb_first(&root.rb_root));
	}
	CHECK(rb_first_cached(&root) == &it[3].node);
	rb_replace_node_cached(&it[3].node, &twin.node, &root);
	CHECK(rb_first_cached(&root) == &twin.node);
	CHECK(rb_erase_cached(&twin.node, &root) == &it[1].node);
	CHECK(!rb_erase_cached(&it[4].node, &root));
	CHECK(rb_first_cached(&root) == &it[1].node);
	return tree_ok(&root.rb_root, 4);
}

static int cmp_u32(const void *a, const void *b)
{
	u32 x = *(const u32 *)a;
	u32 y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static int cmp_first_byte(const void *a, const void *b)
{
	return *(const u8 *)a - *(const u8 *)b;
}

static int cmp_r(const void *a, const void *b, const void *priv)
{
	return *(const int *)priv * cmp_u32(a, b);
}

static int swaps;

static void swap_odd(void *a, void *b, int size)
{
	u8 *x = a;
	u8 *y = b;
	int i;

	for (i = 0; i < size; i++)
		swap(x[i], y[i]);
	swaps++;
}

static int sorting(void)
{
	u32 v[61];
	u8 odd[33][3];
	int down = -1;
	int n;
	int i;

	for (n = 0; n <= 61; n += 6) {
		random_state = n;
		for (i = 0; i < n; i++)
			v[i] = random() % 50;
		sort(v, n, sizeof(v[0]), cmp_u32, NULL);
		for (i = 1; i < n; i++)
			CHECK(v[i - 1] <= v[i]);
		sort_r(v, n, sizeof(v[0]), cmp_r, NULL, &down);
		for (i = 1; i < n; i++)
			CHECK(v[i - 1] >= v[i]);
	}
	for (i = 0; i < 33; i++)
		memset(odd[i], (i * 20) % 33, 3);
	sort(odd, 33, 3, cmp_first_byte, swap_odd);
	CHECK(swaps > 0);
	for (i = 0; i < 33; i++)
		CHECK(odd[i][0] == i && odd[i][1] == i && odd[i][2] == i);
	return 0;
}

const struct conf_case conf_containers[] = {
	{ "lists", lists },
	{ "hash lists", hash_lists },
	{ "trees", trees },
	{ "finding in trees", tree_find },
	{ "cached trees", cached_trees },
	{ "sorting", sorting },
	{ NULL, NULL },
};
