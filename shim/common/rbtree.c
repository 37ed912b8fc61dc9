/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Red-black trees after the textbook (Cormen, Leiserson, Rivest, Stein), with
 * the colour in bit 0 of the parent pointer: every path from the root to a
 * missing child has equally many black nodes, and a red node has no red child.
 */
#include <linux/rbtree.h>
#include <linux/kernel.h>

#define RED 0UL
#define BLACK 1UL

static bool is_black(const struct rb_node *n)
{
	return !n || (n->__rb_parent_color & 1) == BLACK;
}

static void set_color(struct rb_node *n, unsigned long color)
{
	n->__rb_parent_color = (n->__rb_parent_color & ~1UL) | color;
}

static void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->__rb_parent_color = (n->__rb_parent_color & 3) |
			       (unsigned long)parent;
}

/* puts @new where @old hangs below @parent */
static void change_child(struct rb_root *root, struct rb_node *parent,
			 struct rb_node *old, struct rb_node *new)
{
	if (!parent)
		root->rb_node = new;
	else if (parent->rb_left == old)
		parent->rb_left = new;
	else
		parent->rb_right = new;
}

/* @n goes down to the left, its right child takes its place */
static void rotate_left(struct rb_node *n, struct rb_root *root)
{
	struct rb_node *up = n->rb_right;
	struct rb_node *parent = rb_parent(n);

	n->rb_right = up->rb_left;
	if (up->rb_left)
		set_parent(up->rb_left, n);
	up->rb_left = n;
	set_parent(up, parent);
	change_child(root, parent, n, up);
	set_parent(n, up);
}

static void rotate_right(struct rb_node *n, struct rb_root *root)
{
	struct rb_node *up = n->rb_left;
	struct rb_node *parent = rb_parent(n);

	n->rb_left = up->rb_right;
	if (up->rb_right)
		set_parent(up->rb_right, n);
	up->rb_right = n;
	set_parent(up, parent);
	change_child(root, parent, n, up);
	set_parent(n, up);
}

void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent;
	struct rb_node *grand;
	struct rb_node *uncle;
	bool left;

	while ((parent = rb_parent(node)) && !is_black(parent)) {
		grand = rb_parent(parent);
		left = grand->rb_left == parent;
		uncle = left ? grand->rb_right : grand->rb_left;
		if (!is_black(uncle)) {
			set_color(uncle, BLACK);
			set_color(parent, BLACK);
			set_color(grand, RED);
			node = grand;
			continue;
		}
		if (left) {
			if (parent->rb_right == node) {
				rotate_left(parent, root);
				parent = node;
			}
			rotate_right(grand, root);
		} else {
			if (parent->rb_left == node) {
				rotate_right(parent, root);
				parent = node;
			}
			rotate_left(grand, root);
		}
		set_color(parent, BLACK);
		set_color(grand, RED);
		break;
	}
	set_color(root->rb_node, BLACK);
}

/*
 * The paths through @node (perhaps missing), child of @parent, have one black
 * node too few.  Returns the node to go on with, or NULL when it is repaired.
 */
static struct rb_node *erase_fix_left(struct rb_node *parent,
				      struct rb_root *root)
{
	struct rb_node *sibling = parent->rb_right;

	if (!is_black(sibling)) {
		set_color(sibling, BLACK);
		set_color(parent, RED);
		rotate_left(parent, root);
		sibling = parent->rb_right;
	}
	if (is_black(sibling->rb_left) && is_black(sibling->rb_right)) {
		set_color(sibling, RED);
		return parent;
	}
	if (is_black(sibling->rb_right)) {
		set_color(sibling->rb_left, BLACK);
		set_color(sibling, RED);
		rotate_right(sibling, root);
		sibling = parent->rb_right;
	}
	set_color(sibling, is_black(parent) ? BLACK : RED);
	set_color(parent, BLACK);
	set_color(sibling->rb_right, BLACK);
	rotate_left(parent, root);
	return NULL;
}

static struct rb_node *erase_fix_right(struct rb_node *parent,
				       struct rb_root *root)
{
	struct rb_node *sibling = parent->rb_left;

	if (!is_black(sibling)) {
		set_color(sibling, BLACK);
		set_color(parent, RED);
		rotate_right(parent, root);
		sibling = parent->rb_left;
	}
	if (is_black(sibling->rb_left) && is_black(sibling->rb_right)) {
		set_color(sibling, RED);
		return parent;
	}
	if (is_black(sibling->rb_left)) {
		set_color(sibling->rb_right, BLACK);
		set_color(sibling, RED);
		rotate_left(sibling, root);
		sibling = parent->rb_left;
	}
	set_color(sibling, is_black(parent) ? BLACK : RED);
	set_color(parent, BLACK);
	set_color(sibling->rb_left, BLACK);
	rotate_right(parent, root);
	return NULL;
}

static void erase_fix(struct rb_node *node, struct rb_node *parent,
		      struct rb_root *root)
{
	while (parent && is_black(node)) {
		if (parent->rb_left == node)
			node = erase_fix_left(parent, root);
		else
			node = erase_fix_right(parent, root);
		if (!node)
			return;
		parent = rb_parent(node);
	}
	if (node)
		set_color(node, BLACK);
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *child;
	struct rb_node *parent;
	struct rb_node *next;
	bool black;

	if (node->rb_left && node->rb_right) {
		/* the next node has no left child: it moves here */
		for (next = node->rb_right; next->rb_left; next = next->rb_left)
			;
		child = next->rb_right;
		parent = rb_parent(next);
		black = is_black(next);
		if (parent == node) {
			parent = next;
		} else {
			parent->rb_left = child;
			if (child)
				set_parent(child, parent);
			next->rb_right = node->rb_right;
			set_parent(next->rb_right, next);
		}
		next->rb_left = node->rb_left;
		set_parent(next->rb_left, next);
		next->__rb_parent_color = node->__rb_parent_color;
		change_child(root, rb_parent(node), node, next);
	} else {
		child = node->rb_left ? node->rb_left : node->rb_right;
		parent = rb_parent(node);
		black = is_black(node);
		if (child)
			set_parent(child, parent);
		change_child(root, parent, node, child);
	}
	if (black)
		erase_fix(child, parent, root);
}

void rb_replace_node(struct rb_node *victim, struct rb_node *new,
		     struct rb_root *root)
{
	*new = *victim;
	if (new->rb_left)
		set_parent(new->rb_left, new);
	if (new->rb_right)
		set_parent(new->rb_right, new);
	change_child(root, rb_parent(victim), victim, new);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->rb_node;

	while (n && n->rb_left)
		n = n->rb_left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->rb_node;

	while (n && n->rb_right)
		n = n->rb_right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *n;

	if (RB_EMPTY_NODE(node))
		return NULL;
	if (node->rb_right) {
		for (n = node->rb_right; n->rb_left; n = n->rb_left)
			;
		return n;
	}
	while ((n = rb_parent(node)) && n->rb_right == node)
		node = n;
	return n;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	struct rb_node *n;

	if (RB_EMPTY_NODE(node))
		return NULL;
	if (node->rb_left) {
		for (n = node->rb_left; n->rb_right; n = n->rb_right)
			;
		return n;
	}
	while ((n = rb_parent(node)) && n->rb_left == node)
		node = n;
	return n;
}

static struct rb_node *deepest_left(struct rb_node *n)
{
	for (;;) {
		if (n->rb_left)
			n = n->rb_left;
		else if (n->rb_right)
			n = n->rb_right;
		else
			return n;
	}
}

struct rb_node *rb_first_postorder(const struct rb_root *root)
{
	return root->rb_node ? deepest_left(root->rb_node) : NULL;
}

struct rb_node *rb_next_postorder(const struct rb_node *node)
{
	struct rb_node *parent;

	if (!node)
		return NULL;
	parent = rb_parent(node);
	if (parent && node == parent->rb_left && parent->rb_right)
		return deepest_left(parent->rb_right);
	return parent;
}
