/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_STRING_H
#define _LINUX_STRING_H

#include <linux/types.h>
#include <linux/errno.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *s, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int strcasecmp(const char *a, const char *b);
int strncasecmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strchrnul(const char *s, int c);
char *strstr(const char *s, const char *sub);
char *strsep(char **s, const char *ct);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);
char *strpbrk(const char *s, const char *accept);

/* freestanding code has no builtins unless asked for by name */
#define memcpy(d, s, n) __builtin_memcpy(d, s, n)
#define memmove(d, s, n) __builtin_memmove(d, s, n)
#define memset(p, c, n) __builtin_memset(p, c, n)
#define memcmp(a, b, n) __builtin_memcmp(a, b, n)
#define strlen(s) __builtin_strlen(s)
#define strcmp(a, b) __builtin_strcmp(a, b)
#define strncmp(a, b, n) __builtin_strncmp(a, b, n)

/* always terminated; the length, or -E2BIG when it was cut */
ssize_t strscpy(char *dst, const char *src, size_t size);
ssize_t strscpy_pad(char *dst, const char *src, size_t size);
/* first byte of [start, start + bytes) that is not @c, or NULL */
void *memchr_inv(const void *start, int c, size_t bytes);
char *strnchr(const char *s, size_t count, int c);
char *strnstr(const char *s, const char *sub, size_t len);
bool sysfs_streq(const char *a, const char *b);
void memzero_explicit(void *s, size_t count);

void *shim_memdup(const void *src, size_t len, gfp_t gfp, bool nul,
		  const char *file, int line);
char *shim_strdup(const char *s, size_t max, gfp_t gfp, const char *file,
		  int line);
#define kmemdup(src, len, gfp) \
	shim_memdup((src), (len), (gfp), false, __FILE__, __LINE__)
#define kmemdup_nul(src, len, gfp) \
	((char *)shim_memdup((src), (len), (gfp), true, __FILE__, __LINE__))
#define kstrdup(s, gfp) \
	shim_strdup((s), ~(size_t)0, (gfp), __FILE__, __LINE__)
#define kstrndup(s, max, gfp) \
	shim_strdup((s), (max), (gfp), __FILE__, __LINE__)

static inline bool strstarts(const char *str, const char *prefix)
{
	return strncmp(str, prefix, strlen(prefix)) == 0;
}

/* the length of @prefix, or 0 */
static inline size_t str_has_prefix(const char *str, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(str, prefix, len) == 0 ? len : 0;
}

#endif
