/* SPDX-License-Identifier: GPL-2.0-only */
/* Bitmaps, sorting and square roots. */
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/sort.h>

unsigned long find_next_bit(const unsigned long *addr, unsigned long size,
			    unsigned long offset)
{
	unsigned long i = BIT_WORD(offset);
	unsigned long w;

	if (offset >= size)
		return size;
	w = addr[i] & BITMAP_FIRST_WORD_MASK(offset);
	while (!w) {
		if (++i * BITS_PER_LONG >= size)
			return size;
		w = addr[i];
	}
	return min(i * BITS_PER_LONG + __ffs(w), size);
}

unsigned long find_next_zero_bit(const unsigned long *addr, unsigned long size,
				 unsigned long offset)
{
	unsigned long i = BIT_WORD(offset);
	unsigned long w;

	if (offset >= size)
		return size;
	w = ~addr[i] & BITMAP_FIRST_WORD_MASK(offset);
	while (!w) {
		if (++i * BITS_PER_LONG >= size)
			return size;
		w = ~addr[i];
	}
	return min(i * BITS_PER_LONG + __ffs(w), size);
}

unsigned long find_next_and_bit(const unsigned long *addr1,
				const unsigned long *addr2, unsigned long size,
				unsigned long offset)
{
	for (; offset < size; offset++) {
		offset = find_next_bit(addr1, size, offset);
		if (offset < size && test_bit(offset, addr2))
			return offset;
	}
	return size;
}

unsigned long find_last_bit(const unsigned long *addr, unsigned long size)
{
	unsigned long bit = size;

	while (bit--) {
		if (test_bit(bit, addr))
			return bit;
	}
	return size;
}

void bitmap_set(unsigned long *map, unsigned int start, unsigned int len)
{
	unsigned int end = start + len;

	for (; start < end && (start % BITS_PER_LONG || end - start < 64);
	     start++)
		__set_bit(start, map);
	for (; end - start >= 64; start += 64)
		map[BIT_WORD(start)] = ~0UL;
	for (; start < end; start++)
		__set_bit(start, map);
}

void bitmap_clear(unsigned long *map, unsigned int start, unsigned int len)
{
	unsigned int end = start + len;

	for (; start < end && (start % BITS_PER_LONG || end - start < 64);
	     start++)
		__clear_bit(start, map);
	for (; end - start >= 64; start += 64)
		map[BIT_WORD(start)] = 0;
	for (; start < end; start++)
		__clear_bit(start, map);
}

/* word @i of a map of @nbits, without what is beyond its end */
static unsigned long word(const unsigned long *map, unsigned int i,
			  unsigned int nbits)
{
	if ((i + 1) * BITS_PER_LONG > nbits)
		return map[i] & BITMAP_LAST_WORD_MASK(nbits);
	return map[i];
}

unsigned int bitmap_weight(const unsigned long *map, unsigned int nbits)
{
	unsigned int sum = 0;
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nbits); i++)
		sum += hweight_long(word(map, i, nbits));
	return sum;
}

bool bitmap_and(unsigned long *dst, const unsigned long *a,
		const unsigned long *b, unsigned int nbits)
{
	unsigned long any = 0;
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nbits); i++)
		any |= dst[i] = word(a, i, nbits) & b[i];
	return any != 0;
}

void bitmap_or(unsigned long *dst, const unsigned long *a,
	       const unsigned long *b, unsigned int nbits)
{
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nbits); i++)
		dst[i] = a[i] | b[i];
}

void bitmap_xor(unsigned long *dst, const unsigned long *a,
		const unsigned long *b, unsigned int nbits)
{
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nbits); i++)
		dst[i] = a[i] ^ b[i];
}

bool bitmap_andnot(unsigned long *dst, const unsigned long *a,
		   const unsigned long *b, unsigned int nbits)
{
	unsigned long any = 0;
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nbits); i++)
		any |= dst[i] = word(a, i, nbits) & ~b[i];
	return any != 0;
}

bool bitmap_equal(const unsigned long *a, const unsigned long *b,
		  unsigned int nbits)
{
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nbits); i++) {
		if (word(a, i, nbits) != word(b, i, nbits))
			return false;
	}
	return true;
}

bool bitmap_intersects(const unsigned long *a, const unsigned long *b,
		       unsigned int nbits)
{
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nbits); i++) {
		if (word(a, i, nbits) & b[i])
			return true;
	}
	return false;
}

bool bitmap_subset(const unsigned long *a, const unsigned long *b,
		   unsigned int nbits)
{
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nbits); i++) {
		if (word(a, i, nbits) & ~b[i])
			return false;
	}
	return true;
}

bool bitmap_empty(const unsigned long *map, unsigned int nbits)
{
	return find_first_bit(map, nbits) == nbits;
}

bool bitmap_full(const unsigned long *map, unsigned int nbits)
{
	return find_first_zero_bit(map, nbits) == nbits;
}

unsigned long bitmap_find_next_zero_area(unsigned long *map,
					 unsigned long size,
					 unsigned long start, unsigned int nr,
					 unsigned long align_mask)
{
	unsigned long at;
	unsigned long end;
	unsigned long used;

	for (;;) {
		at = find_next_zero_bit(map, size, start);
		at = (at + align_mask) & ~align_mask;
		end = at + nr;
		if (end > size)
			return end;
		used = find_next_bit(map, end, at);
		if (used >= end)
			return at;
		start = used + 1;
	}
}

/* what both forms of sort() look like from inside */
struct sorter {
	char *base;
	size_t size;
	cmp_r_func_t cmp_r;
	cmp_func_t cmp;
	swap_r_func_t swap_r;
	swap_func_t swap_fn;
	const void *priv;
};

static int sort_cmp(const struct sorter *s, size_t a, size_t b)
{
	const void *pa = s->base + a * s->size;
	const void *pb = s->base + b * s->size;

	return s->cmp_r ? s->cmp_r(pa, pb, s->priv) : s->cmp(pa, pb);
}

static void sort_swap(const struct sorter *s, size_t a, size_t b)
{
	char *pa = s->base + a * s->size;
	char *pb = s->base + b * s->size;
	char tmp[64];
	size_t left = s->size;
	size_t n;

	if (s->swap_r) {
		s->swap_r(pa, pb, s->size, s->priv);
		return;
	}
	if (s->swap_fn) {
		s->swap_fn(pa, pb, s->size);
		return;
	}
	for (; left; left -= n, pa += n, pb += n) {
		n = min(left, sizeof(tmp));
		memcpy(tmp, pa, n);
		memcpy(pa, pb, n);
		memcpy(pb, tmp, n);
	}
}

/* restores the heap of @num elements below element @i */
static void sift_down(const struct sorter *s, size_t i, size_t num)
{
	size_t child;

	while ((child = 2 * i + 1) < num) {
		if (child + 1 < num && sort_cmp(s, child, child + 1) < 0)
			child++;
		if (sort_cmp(s, i, child) >= 0)
			break;
		sort_swap(s, i, child);
		i = child;
	}
}

static void heap_sort(const struct sorter *s, size_t num)
{
	size_t i;

	for (i = num / 2; i-- > 0; )
		sift_down(s, i, num);
	for (i = num; i-- > 1; ) {
		sort_swap(s, 0, i);
		sift_down(s, 0, i);
	}
}

void sort_r(void *base, size_t num, size_t size, cmp_r_func_t cmp_func,
	    swap_r_func_t swap_func, const void *priv)
{
	struct sorter s = {
		.base = base, .size = size, .cmp_r = cmp_func,
		.swap_r = swap_func, .priv = priv,
	};

	heap_sort(&s, num);
}

void sort(void *base, size_t num, size_t size, cmp_func_t cmp_func,
	  swap_func_t swap_func)
{
	struct sorter s = {
		.base = base, .size = size, .cmp = cmp_func,
		.swap_fn = swap_func,
	};

	heap_sort(&s, num);
}

unsigned long int_sqrt(unsigned long x)
{
	unsigned long root = 0;
	unsigned long try;
	int bit;

	for (bit = 31; bit >= 0; bit--) {
		try = root | (1UL << bit);
		if (try * try <= x)
			root = try;
	}
	return root;
}
