/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * printk.c: the printing helpers. The format language is the kernel's subset: flags and width,
 * d i u x X with l and ll, c, s, p and its letters; no precision, no floating point. A format is
 * checked as a whole before anything is written.
 */
#include "vm/printk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/lock.h"
#include "base/syscall.h"
#include "base/user_mem.h"
#include "object/realm.h"
#include "shm/vcpu.h"
#include "vm/helpers.h"

#define TEXT_MAX 1024 /* of one line, and of all strings behind pointers */
#define WIDTH_MAX 8388607 /* the kernel's; negative widths pad nothing */
#define WIDTH_NONE (-1)
#define POINTER_DIGITS 16

enum spec_kind {
	SPEC_NUMBER,
	SPEC_CHAR,
	SPEC_STRING,
	SPEC_POINTER,
	SPEC_HEX_POINTER,
	SPEC_SYMBOL,
	SPEC_IP,
};

struct spec {
	enum spec_kind kind;
	bool left, zeros, plus, space; /* flags */
	s32 width;
	char letter; /* d, i, u, x, X; of SPEC_IP the i or I */
	bool is_64;
	bool v6;     /* SPEC_IP */
};

struct out {
	char *text;
	size_t size, len; /* a NUL has room behind size */
};

static void put(struct out *out, const char *text, size_t len)
{
	if (out->len < out->size)
		memcpy(out->text + out->len, text, MIN(len, out->size - out->len));
	out->len += len;
}

/* However wide, it costs no more than what has room. */
static void put_filling(struct out *out, char c, size_t len)
{
	if (out->len < out->size)
		memset(out->text + out->len, c, MIN(len, out->size - out->len));
	out->len += len;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_punct(char c)
{
	return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
	       (c >= '{' && c <= '~');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * p is behind "%...p". Returns what follows the specifier, NULL for one the kernel refuses. What it
 * writes before it looks at flags and width has none: addresses, strings by pks and pus, and pB.
 */
static const char *parse_pointer(const char *p, struct spec *spec)
{
	spec->kind = SPEC_POINTER;
	if (!*p || is_space(*p) || is_punct(*p) || *p == 'K')
		return p + (*p == 'K');
	spec->kind = SPEC_HEX_POINTER;
	if (*p == 'x')
		return p + 1;
	spec->kind = SPEC_SYMBOL;
	if (*p == 's' || *p == 'S')
		return p + 1;
	spec->width = WIDTH_NONE;
	if (*p == 'B')
		return p + 1;
	spec->kind = SPEC_STRING;
	if ((*p == 'k' || *p == 'u') && p[1] == 's')
		return p + 2;
	spec->kind = SPEC_IP;
	spec->letter = *p;
	spec->v6 = p[1] == '6';
	return (*p == 'i' || *p == 'I') && (p[1] == '4' || p[1] == '6') ? p + 2 : NULL;
}

static const char *parse_flags(const char *p, struct spec *spec)
{
	for (;; p++) {
		if (*p == '-')
			spec->left = true;
		else if (*p == '0')
			spec->zeros = true;
		else if (*p == '+')
			spec->plus = true;
		else if (*p == ' ')
			spec->space = true;
		else
			return p;
	}
}

/* As in the kernel, it wraps before it is limited. */
static const char *parse_width(const char *p, struct spec *spec)
{
	u32 width = 0;

	if (!is_digit(*p))
		return p;
	for (; is_digit(*p); p++)
		width = width * 10 + (u32)(*p - '0');
	spec->width = MAX(MIN((s32)width, WIDTH_MAX), -WIDTH_MAX);
	return p;
}

/* p is behind the '%'. */
static const char *parse_spec(const char *p, struct spec *spec)
{
	*spec = (struct spec){.kind = SPEC_NUMBER, .width = WIDTH_NONE};
	p = parse_width(parse_flags(p, spec), spec);
	if (*p == 'p')
		return parse_pointer(p + 1, spec);
	if (*p == 's' || *p == 'c') {
		spec->kind = *p == 's' ? SPEC_STRING : SPEC_CHAR;
		return p + 1;
	}
	if (*p == 'l') {
		spec->is_64 = true;
		p += p[1] == 'l' ? 2 : 1;
	}
	spec->letter = *p;
	return *p && strchr("diuxX", *p) ? p + 1 : NULL;
}

static void put_padded(struct out *out, const struct spec *spec, const char *text, size_t len)
{
	const size_t padding = (size_t)MAX(spec->width - (s32)len, 0);

	if (!spec->left)
		put_filling(out, ' ', padding);
	put(out, text, len);
	if (spec->left)
		put_filling(out, ' ', padding);
}

/* text is a sign, if any, and digits. */
static void put_digits(struct out *out, const struct spec *spec, const char *text, size_t len)
{
	const size_t sign = !is_digit(*text) && strchr("+- ", *text) ? 1 : 0;

	if (spec->left || !spec->zeros) {
		put_padded(out, spec, text, len);
		return;
	}
	put(out, text, sign);
	put_filling(out, '0', (size_t)MAX(spec->width - (s32)len, 0));
	put(out, text + sign, len - sign);
}

static void put_number(struct out *out, const struct spec *spec, u64 value)
{
	const char *positive = spec->plus ? "+" : spec->space ? " " : "";
	char text[24];
	int len;

	if (!spec->is_64 && (spec->letter == 'd' || spec->letter == 'i'))
		value = (u64)(s64)(s32)value;
	else if (!spec->is_64)
		value = (u32)value;
	if (spec->letter == 'x')
		len = snprintf(text, sizeof(text), "%llx", (unsigned long long)value);
	else if (spec->letter == 'X')
		len = snprintf(text, sizeof(text), "%llX", (unsigned long long)value);
	else if (spec->letter == 'u')
		len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	else
		len = snprintf(text, sizeof(text), "%s%lld", (s64)value < 0 ? "" : positive,
			       (long long)value);
	put_digits(out, spec, text, (size_t)len);
}

static void put_string(struct out *out, const struct spec *spec, u64 address)
{
	char text[TEXT_MAX];

	if (user_read_string(text, address, sizeof(text)) == -EFAULT)
		text[0] = '\0';
	put_padded(out, spec, text, strnlen(text, sizeof(text)));
}

static void put_ip(struct out *out, const struct spec *spec, u64 address)
{
	const char *const part4 = spec->letter == 'i' ? "%s%03u" : "%s%u";
	const char *between = "";
	u8 ip[16];
	char text[8];
	u32 step = spec->v6 ? 2 : 1;

	if (user_read(ip, address, spec->v6 ? 16 : 4))
		memset(ip, 0, sizeof(ip));
	for (u32 i = 0; i < (spec->v6 ? 16u : 4u); i += step) {
		int len = spec->v6 ? snprintf(text, sizeof(text), "%s%02x%02x", between, ip[i],
					      ip[i + 1])
				   : snprintf(text, sizeof(text), part4, between, ip[i]);

		put(out, text, (size_t)len);
		if (!spec->v6)
			between = ".";
		else if (spec->letter == 'I')
			between = ":";
	}
}

/* Plain pointers are not shown, but told apart; NULL and errors are. */
static u64 disguise(u64 pointer)
{
	if (!pointer || pointer >= (u64)-4095)
		return pointer;
	return (u32)((pointer ^ pointer >> 29) * 0x9e3779b97f4a7c15u >> 31);
}

/* All digits, unless there is a width. */
static void put_pointer(struct out *out, const struct spec *spec, u64 pointer)
{
	struct spec hex = *spec;

	hex.letter = 'x';
	hex.is_64 = true;
	if (hex.width == WIDTH_NONE) {
		hex.width = POINTER_DIGITS;
		hex.zeros = true;
	}
	put_number(out, &hex, pointer);
}

static void put_symbol(struct out *out, const struct spec *spec, u64 address)
{
	char text[24];
	const int len = snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);

	put_padded(out, spec, text, (size_t)len);
}

static void put_spec(struct out *out, const struct spec *spec, u64 value)
{
	const char c = (char)value;

	switch (spec->kind) {
	case SPEC_NUMBER:
		put_number(out, spec, value);
		break;
	case SPEC_CHAR:
		put_padded(out, spec, &c, 1);
		break;
	case SPEC_STRING:
		put_string(out, spec, value);
		break;
	case SPEC_IP:
		put_ip(out, spec, value);
		break;
	case SPEC_POINTER:
		put_pointer(out, spec, disguise(value));
		break;
	case SPEC_HEX_POINTER:
		put_pointer(out, spec, value);
		break;
	case SPEC_SYMBOL:
		put_symbol(out, spec, value);
		break;
	}
}

/* Walks the format; out NULL only checks it. */
static int walk(struct out *out, const char *p, const u64 *args, u32 nr_args)
{
	struct spec spec;
	u32 used = 0;

	while (*p) {
		const char *text = p;

		if (*p == 0x7f || (*p >= 0 && *p < ' ' && !is_space(*p)))
			return -EINVAL;
		p++;
		if (*text == '%' && *p == '%')
			p++;
		if (*text != '%' || p > text + 1) {
			if (out)
				put(out, text, 1);
			continue;
		}
		if (used >= nr_args)
			return -EINVAL;
		p = parse_spec(p, &spec);
		if (!p)
			return -EINVAL;
		if (out)
			put_spec(out, &spec, args[used]);
		used++;
	}
	return 0;
}

int printk_format(char *text, size_t size, const char *fmt, size_t fmt_size, const u64 *args,
		  u32 nr_args)
{
	struct out out = {.text = text, .size = size ? size - 1 : 0};

	if (!memchr(fmt, 0, fmt_size) || walk(NULL, fmt, args, nr_args))
		return -EINVAL;
	if (walk(&out, fmt, args, nr_args))
		return -EINVAL;
	if (size)
		text[MIN(out.len, out.size)] = '\0';
	return (int)out.len;
}

size_t printk_trace_line(char *out, size_t size, const char *comm, u32 tid, u32 cpu, u64 now_ns,
			 const char *text)
{
	int len = snprintf(out, size, "%16s-%-7u [%03u] b..11 %5llu.%06llu: bpf_trace_printk: %s\n",
			   comm, tid, cpu, (unsigned long long)(now_ns / 1000000000u),
			   (unsigned long long)(now_ns / 1000u % 1000000u), text);

	return MIN((size_t)MAX(len, 0), size - 1);
}

/* Formats one line of the trace. Returns its length or an errno, as the helpers do. */
static u64 trace_print(struct vm_run *run, const char *fmt, u32 fmt_size, const u64 *args,
		       u32 nr_args)
{
	char text[TEXT_MAX], line[TEXT_MAX + 128], comm[16] = "";
	struct timespec now = {0};
	u64 done;
	int len;

	if (vm_replays(run, &done))
		return done;
	len = printk_format(text, sizeof(text), fmt, fmt_size, args, nr_args);
	if (len < 0)
		return vm_varying(run, (u64)(s64)len);
	SYSCALL(SYS_prctl, 16 /* PR_GET_NAME */, comm);
	clock_gettime(CLOCK_MONOTONIC, &now);
	realm_trace(line, printk_trace_line(line, sizeof(line), comm, thread_id(), vcpu_current(),
					    (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec,
					    text));
	return vm_varying(run, (u64)len);
}

HELPER_FN(trace_printk)
{
	const u64 args[] = {r3, r4, r5};

	return trace_print(run, U64_PTR(r1), (u32)r2, args, ARRAY_SIZE(args));
}

/* The arguments of the two that take an array. */
static bool copy_varargs(u64 *args, u64 from, u32 size)
{
	if (size % sizeof(u64) || size > PRINTK_ARGS_MAX * sizeof(u64) || (size && !from))
		return false;
	if (size)
		memcpy(args, U64_PTR(from), size);
	return true;
}

HELPER_FN(trace_vprintk)
{
	u64 args[PRINTK_ARGS_MAX];

	if (!copy_varargs(args, r3, (u32)r4))
		return HELPER_ERROR(EINVAL);
	return trace_print(run, U64_PTR(r1), (u32)r2, args, (u32)r4 / sizeof(u64));
}

/* Length of the program's constant string at address, NUL included; 0 when it does not end. */
static size_t constant_string(struct vm_run *run, u64 address)
{
	for (size_t len = 0; vm_memory_ok(run, address + len, 1, false); len++)
		if (!*(const char *)U64_PTR(address + len))
			return len + 1;
	return 0;
}

HELPER_FN(snprintf)
{
	u64 args[PRINTK_ARGS_MAX];
	u32 size = (u32)r2;
	size_t fmt_size;
	int len;

	if (size && !vm_memory_ok(run, r1, size, true))
		return vm_faultf(run, "snprintf: %u bytes at %#llx are not writable", size,
				 (unsigned long long)r1);
	fmt_size = constant_string(run, r3);
	if (!fmt_size)
		return vm_faultf(run, "snprintf: no string at %#llx", (unsigned long long)r3);
	if (!copy_varargs(args, r4, (u32)r5))
		return HELPER_ERROR(EINVAL);
	len = printk_format(U64_PTR(r1), size, U64_PTR(r3), fmt_size, args, (u32)r5 / sizeof(u64));
	return len < 0 ? (u64)(s64)len : (u64)len + 1;
}
