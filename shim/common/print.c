/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formatting, in the subset of the kernel's conversions that both kernels and
 * libc agree on, and parsing of numbers.  No libc: little stack, no locale,
 * and a conversion that the kernel would not know ends the program instead of
 * printing something.
 */
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/bug.h>
#include "task.h"

struct out {
	char *buf;
	size_t size;
	size_t len;
};

struct spec {
	bool left, plus, space, zero, alt, upper;
	bool has_prec;
	int width;
	int prec;
};

static void put(struct out *o, char c)
{
	if (o->len < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_string(struct out *o, const char *s, const struct spec *sp)
{
	size_t max = sp->has_prec ? (size_t)sp->prec : SIZE_MAX;
	size_t n;
	size_t i;

	if (!s)
		s = "(null)";
	for (n = 0; n < max && s[n]; n++)
		;
	if (!sp->left)
		pad(o, ' ', sp->width - (int)n);
	for (i = 0; i < n; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', sp->width - (int)n);
}

static void put_number(struct out *o, u64 v, bool neg, unsigned int base,
		       const struct spec *sp)
{
	const char *digits = sp->upper ? "0123456789ABCDEF" :
					 "0123456789abcdef";
	char tmp[24];
	char sign = neg ? '-' : sp->plus ? '+' : sp->space ? ' ' : 0;
	bool hex = sp->alt && base == 16 && v;
	int n = 0;
	int zeros;
	int fill;

	while (v) {
		tmp[n++] = digits[v % base];
		v /= base;
	}
	if (n == 0 && !(sp->has_prec && sp->prec == 0))
		tmp[n++] = '0';
	zeros = sp->has_prec ? sp->prec - n : 0;
	if (zeros < 0)
		zeros = 0;
	fill = sp->width - n - zeros - (sign ? 1 : 0) - (hex ? 2 : 0);
	if (sp->zero && !sp->left && !sp->has_prec && fill > 0) {
		zeros = fill;
		fill = 0;
	}
	if (!sp->left)
		pad(o, ' ', fill);
	if (sign)
		put(o, sign);
	if (hex) {
		put(o, '0');
		put(o, sp->upper ? 'X' : 'x');
	}
	pad(o, '0', zeros);
	while (n > 0)
		put(o, tmp[--n]);
	if (sp->left)
		pad(o, ' ', fill);
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f == ' ')
			sp->space = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '#')
			sp->alt = true;
		else
			return f;
	}
}

/* 0 int, 1 long, 2 long long, -1 short, -2 char */
static const char *parse_length(const char *f, int *ret_len)
{
	*ret_len = 0;
	for (;; f++) {
		if (*f == 'l')
			(*ret_len)++;
		else if (*f == 'h')
			(*ret_len)--;
		else if (*f == 'z' || *f == 't')
			*ret_len = 1;
		else
			return f;
	}
}

static u64 narrow(u64 v, int len, bool sign, bool *ret_neg)
{
	s64 s = v;

	if (len == -1)
		s = sign ? (s64)(s16)v : (s64)(u16)v;
	else if (len == -2)
		s = sign ? (s64)(s8)v : (s64)(u8)v;
	else if (len == 0)
		s = sign ? (s64)(s32)v : (s64)(u32)v;
	*ret_neg = sign && s < 0;
	return *ret_neg ? 0 - (u64)s : (u64)s;
}

static void put_integer(struct out *o, char conv, int len, u64 v,
			struct spec *sp)
{
	bool sign = conv == 'd' || conv == 'i';
	unsigned int base = 10;
	bool neg;

	if (conv == 'x' || conv == 'X')
		base = 16;
	if (conv == 'o')
		base = 8;
	sp->upper = conv == 'X';
	v = narrow(v, len, sign, &neg);
	put_number(o, v, neg, base, sp);
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { .buf = buf, .size = size };
	struct spec sp;
	const char *f;
	int len;

	for (f = fmt; *f; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		memset(&sp, 0, sizeof(sp));
		f = parse_flags(f + 1, &sp);
		if (*f == '*') {
			sp.width = va_arg(args, int);
			if (sp.width < 0) {
				sp.left = true;
				sp.width = -sp.width;
			}
			f++;
		} else {
			while (*f >= '0' && *f <= '9')
				sp.width = sp.width * 10 + *f++ - '0';
		}
		if (*f == '.') {
			sp.has_prec = true;
			f++;
			if (*f == '*') {
				sp.prec = max(va_arg(args, int), 0);
				f++;
			}
			while (*f >= '0' && *f <= '9')
				sp.prec = sp.prec * 10 + *f++ - '0';
		}
		f = parse_length(f, &len);
		switch (*f) {
		case '%':
			put(&o, '%');
			break;
		case 'c':
			pad(&o, ' ', sp.left ? 0 : sp.width - 1);
			put(&o, va_arg(args, int));
			pad(&o, ' ', sp.left ? sp.width - 1 : 0);
			break;
		case 's':
			put_string(&o, va_arg(args, const char *), &sp);
			break;
		case 'p':
			BUG_ON(f[1] >= 'A' && f[1] <= 'z');
			sp.zero = true;
			sp.width = 16;
			put_number(&o, va_arg(args, unsigned long), false, 16,
				   &sp);
			break;
		case 'd':
		case 'i':
		case 'u':
		case 'x':
		case 'X':
		case 'o':
			put_integer(&o, *f, len,
				    len > 0 ? va_arg(args, u64) :
					      va_arg(args, unsigned int), &sp);
			break;
		default:
			shim_bug(__FILE__, __LINE__, fmt);
		}
	}
	if (size)
		buf[min(o.len, size - 1)] = '\0';
	return o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

int vscnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	int n = vsnprintf(buf, size, fmt, args);

	if (n < size)
		return n;
	return size ? size - 1 : 0;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vscnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}

char *kvasprintf(gfp_t gfp, const char *fmt, va_list args)
{
	va_list again;
	char *buf;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	buf = kmalloc(n + 1, gfp);
	if (buf)
		vsnprintf(buf, n + 1, fmt, args);
	return buf;
}

char *kasprintf(gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *buf;

	va_start(args, fmt);
	buf = kvasprintf(gfp, fmt, args);
	va_end(args);
	return buf;
}

static void print_fd(int fd, const char *fmt, va_list args)
{
	char small[256];
	va_list again;
	char *big;
	int n;

	va_copy(again, args);
	n = vsnprintf(small, sizeof(small), fmt, again);
	va_end(again);
	if (n < sizeof(small)) {
		shim_os_write(fd, small, n);
		return;
	}
	big = shim_os_malloc(n + 1);
	if (!big)
		return;
	vsnprintf(big, n + 1, fmt, args);
	shim_os_write(fd, big, n);
	shim_os_free(big);
}

void shim_printf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_fd(1, fmt, args);
	va_end(args);
}

void shim_eprintf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_fd(2, fmt, args);
	va_end(args);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

static int parse_unsigned(const char *s, unsigned int base, u64 *ret)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	bool any = false;
	u64 v = 0;

	if (base == 0)
		base = hex ? 16 : s[0] == '0' ? 8 : 10;
	if (base == 16 && hex && digit(s[2]) < 16)
		s += 2;
	for (; digit(*s) < base; s++, any = true) {
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, digit(*s), &v))
			return -ERANGE;
	}
	if (*s == '\n')
		s++;
	if (!any || *s)
		return -EINVAL;
	*ret = v;
	return 0;
}

int kstrtoull(const char *s, unsigned int base, unsigned long long *res)
{
	return parse_unsigned(*s == '+' ? s + 1 : s, base, res);
}

int kstrtoll(const char *s, unsigned int base, long long *res)
{
	bool neg = *s == '-';
	u64 v;
	int ret;

	ret = neg ? parse_unsigned(s + 1, base, &v) : kstrtoull(s, base, &v);
	if (ret)
		return ret;
	if (v > (u64)LLONG_MAX + neg)
		return -ERANGE;
	*res = neg ? (long long)(0 - v) : (long long)v;
	return 0;
}

int kstrtouint(const char *s, unsigned int base, unsigned int *res)
{
	unsigned long long v;
	int ret = kstrtoull(s, base, &v);

	if (ret)
		return ret;
	if (v > UINT_MAX)
		return -ERANGE;
	*res = v;
	return 0;
}

int kstrtoint(const char *s, unsigned int base, int *res)
{
	long long v;
	int ret = kstrtoll(s, base, &v);

	if (ret)
		return ret;
	if (v != (int)v)
		return -ERANGE;
	*res = v;
	return 0;
}
