/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's string functions that libc does not have. */
#include <linux/string.h>
#include <linux/kernel.h>
#include <linux/slab.h>

ssize_t strscpy(char *dst, const char *src, size_t size)
{
	size_t i;

	if (size == 0 || size > INT_MAX)
		return -E2BIG;
	for (i = 0; i < size - 1; i++) {
		dst[i] = src[i];
		if (!src[i])
			return i;
	}
	dst[i] = '\0';
	return src[i] ? -E2BIG : (ssize_t)i;
}

ssize_t strscpy_pad(char *dst, const char *src, size_t size)
{
	ssize_t n = strscpy(dst, src, size);

	if (n >= 0)
		memset(dst + n, 0, size - n);
	return n;
}

void *memchr_inv(const void *start, int c, size_t bytes)
{
	const u8 *p = start;
	const u8 *end = p + bytes;
	u64 pattern = 0x0101010101010101ULL * (u8)c;
	u64 word;

	for (; end - p >= 8; p += 8) {
		memcpy(&word, p, 8);
		if (word != pattern)
			break;
	}
	for (; p < end; p++) {
		if (*p != (u8)c)
			return (void *)p;
	}
	return NULL;
}

char *strnchr(const char *s, size_t count, int c)
{
	for (; count--; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			break;
	}
	return NULL;
}

char *strnstr(const char *s, const char *sub, size_t len)
{
	size_t n = strlen(sub);

	if (!n)
		return (char *)s;
	for (; len >= n; len--, s++) {
		if (!memcmp(s, sub, n))
			return (char *)s;
	}
	return NULL;
}

/* equal but for one newline at the end */
bool sysfs_streq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return true;
	if (!*a && *b == '\n' && !b[1])
		return true;
	return *a == '\n' && !a[1] && !*b;
}

void memzero_explicit(void *s, size_t count)
{
	memset(s, 0, count);
	__asm__ __volatile__("" : : "r"(s) : "memory");
}

void *shim_memdup(const void *src, size_t len, gfp_t gfp, bool nul,
		  const char *file, int line)
{
	char *p = shim_alloc(len + nul, gfp, false, file, line);

	if (p) {
		memcpy(p, src, len);
		if (nul)
			p[len] = '\0';
	}
	return p;
}

char *shim_strdup(const char *s, size_t max, gfp_t gfp, const char *file,
		  int line)
{
	if (!s)
		return NULL;
	return shim_memdup(s, strnlen(s, max), gfp, true, file, line);
}
