/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfuncs_string.c: the functions on strings of Linux 6.18. The strings may not be there, and may have no
 * end: they are looked at through a small window, as far as the kernel looks.
 */
#include <errno.h>
#include <string.h>

#include "base/user_mem.h"
#include "vm/kfuncs.h"

#define STRING_MAX 65536u /* XATTR_SIZE_MAX */
#define WINDOW 64u

struct string {
	u64 start;
	u64 from; /* what bytes[0] is, once filled */
	u32 filled;
	u32 looked_at; /* characters since this was taken off the budget */
	u8 bytes[WINDOW];
};

/* The character at an index, or -EFAULT. */
static int char_at(struct string *s, u64 index)
{
	const u64 at = s->start + index;
	const u32 room = WINDOW - (u32)(at % WINDOW); /* to a boundary that no page crosses */

	s->looked_at++;
	if (at - s->from >= s->filled) {
		s->filled = 0;
		if (user_read(s->bytes, at, room))
			return -EFAULT;
		s->from = at;
		s->filled = room;
	}
	return s->bytes[at - s->from];
}

/* 0, or the error of a string that has no first character. */
static int open_string(struct string *s, u64 start)
{
	*s = (struct string){.start = start};
	if (char_at(s, 0) >= 0)
		return 0;
	return kfunc_read_error(start);
}

/*
 * The one string may be looked through for each character of the other: that takes time like
 * instructions do, and comes off the budget.
 */
static bool pay_for(struct vm_run *run, struct string *s)
{
	if (run->insns_left < s->looked_at) {
		run->insns_left = 0;
		vm_faultf(run, "the instruction budget is used up");
		return false;
	}
	run->insns_left -= s->looked_at;
	s->looked_at = 0;
	return true;
}

static int to_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static int compare(u64 first, u64 second, bool any_case)
{
	struct string a, b;
	int err = open_string(&a, first), c1, c2;

	if (!err)
		err = open_string(&b, second);
	for (u32 i = 0; i < STRING_MAX && !err; i++) {
		c1 = char_at(&a, i);
		c2 = char_at(&b, i);
		if (c1 < 0 || c2 < 0)
			return -EFAULT;
		if (any_case) {
			c1 = to_lower(c1);
			c2 = to_lower(c2);
		}
		if (c1 != c2)
			return c1 < c2 ? -1 : 1;
		if (!c1)
			return 0;
	}
	return err ? err : -E2BIG;
}

KFUNC_FN(strcmp)
{
	return KFUNC_INT(compare(r1, r2, false));
}

KFUNC_FN(strcasecmp)
{
	return KFUNC_INT(compare(r1, r2, true));
}

/* Where c is; else where the string ends, if that will do; else -ENOENT. */
static int find(u64 start, u64 count, u8 c, bool or_end)
{
	struct string s;
	int err = open_string(&s, start);
	u32 i;

	if (err)
		return err;
	for (i = 0; i < count && i < STRING_MAX; i++) {
		int at = char_at(&s, i);

		if (at < 0 || at == c || (!at && or_end))
			return at < 0 ? at : (int)i;
		if (!at)
			return -ENOENT;
	}
	return i == STRING_MAX ? -E2BIG : -ENOENT;
}

KFUNC_FN(strchr)
{
	return KFUNC_INT(find(r1, STRING_MAX, (u8)r2, false));
}

KFUNC_FN(strchrnul)
{
	return KFUNC_INT(find(r1, STRING_MAX, (u8)r2, true));
}

KFUNC_FN(strnchr)
{
	return KFUNC_INT(find(r1, r2, (u8)r3, false));
}

KFUNC_FN(strlen)
{
	return KFUNC_INT(find(r1, STRING_MAX, 0, true));
}

KFUNC_FN(strnlen)
{
	int len = find(r1, r2, 0, true);

	return KFUNC_INT(len == -ENOENT ? (int)r2 : len);
}

static int find_last(u64 start, u8 c)
{
	struct string s;
	int err = open_string(&s, start), last = -ENOENT;

	for (u32 i = 0; i < STRING_MAX && !err; i++) {
		int at = char_at(&s, i);

		if (at < 0)
			return at;
		if (at == c)
			last = (int)i;
		if (!at)
			return last;
	}
	return err ? err : -E2BIG;
}

KFUNC_FN(strrchr)
{
	return KFUNC_INT(find_last(r1, (u8)r2));
}

/* 1: c is one of the set's characters, 0: it is not, or an error. */
static int is_in_set(struct string *set, int c)
{
	for (u32 i = 0; i < STRING_MAX; i++) {
		int member = char_at(set, i);

		if (member < 0)
			return member;
		if (!member || member == c)
			return member != 0;
	}
	return -E2BIG;
}

/* How many characters at the start are in the set, or are not. */
static int span(struct vm_run *run, u64 start, u64 set_start, int wanted)
{
	struct string s, set;
	int err = open_string(&s, start);

	if (!err)
		err = open_string(&set, set_start);
	for (u32 i = 0; i < STRING_MAX && !err; i++) {
		int c = char_at(&s, i), in_set = c > 0 ? is_in_set(&set, c) : 0;

		if (c < 0 || in_set < 0)
			return c < 0 ? c : in_set;
		if (!c || in_set != wanted || !pay_for(run, &set))
			return (int)i;
	}
	return err ? err : -E2BIG;
}

KFUNC_FN(strspn)
{
	return KFUNC_INT(span(run, r1, r2, 1));
}

KFUNC_FN(strcspn)
{
	return KFUNC_INT(span(run, r1, r2, 0));
}

/*
 * Does the pattern begin at an index, in the first len characters? 1, 0, -ENOENT when that is
 * where the string ends, or another error.
 */
static int matches_at(struct string *s, struct string *pattern, u32 index, u64 len)
{
	for (u32 i = 0; i < STRING_MAX; i++) {
		int wanted = char_at(pattern, i), c;

		if (wanted <= 0)
			return wanted < 0 ? wanted : 1;
		if ((u64)index + i == len)
			return -ENOENT;
		c = char_at(s, index + i);
		if (c <= 0)
			return c < 0 ? c : -ENOENT;
		if (c != wanted)
			return 0;
	}
	return -E2BIG;
}

static int find_string(struct vm_run *run, u64 start, u64 pattern_start, u64 len)
{
	struct string s, pattern;
	int err = open_string(&s, start);

	if (!err)
		err = open_string(&pattern, pattern_start);
	for (u32 i = 0; i < STRING_MAX && !err; i++) {
		int found = matches_at(&s, &pattern, i, len);

		if (found || !pay_for(run, &pattern))
			return found < 0 ? found : (int)i;
	}
	return err ? err : -E2BIG;
}

KFUNC_FN(strstr)
{
	return KFUNC_INT(find_string(run, r1, r2, STRING_MAX));
}

KFUNC_FN(strnstr)
{
	return KFUNC_INT(find_string(run, r1, r2, r3));
}

#define PAD_ZEROS 1u /* BPF_F_PAD_ZEROS, Linux 6.11 */

/* Without the end; a longer one is cut. -EFAULT. */
static int copy_string(char *to, u32 size, u64 from)
{
	struct string s = {.start = from};
	u32 len;

	for (len = 0; len < size - 1; len++) {
		int c = char_at(&s, len);

		if (c < 0)
			return c;
		if (!c)
			break;
		to[len] = (char)c;
	}
	return (int)len;
}

KFUNC_FN(copy_from_user_str)
{
	const u32 size = (u32)r2;
	char *to = U64_PTR(r1);
	int len;

	if (r4 & ~(u64)PAD_ZEROS)
		return KFUNC_INT(-EINVAL);
	if (!size)
		return 0;
	len = copy_string(to, size, r3);
	if (len >= 0)
		memset(to + len, 0, r4 ? size - (size_t)len : 1);
	else if (r4)
		memset(to, 0, size);
	return KFUNC_INT(len < 0 ? len : len + 1);
}
