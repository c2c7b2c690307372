/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * kfunc.bpf.c: programs that call kernel functions by name. Each returns what the function said, or
 * a number made of several answers; test_kfunc.c has what it must be.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define ANSWERS(name)                                                                              \
	SEC("tc") int name(struct __sk_buff *skb)

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
extern void bpf_local_irq_save(unsigned long *flags) __ksym;
extern void bpf_local_irq_restore(unsigned long *flags) __ksym;
extern int bpf_strcmp(const char *s1, const char *s2) __ksym;
extern int bpf_strcasecmp(const char *s1, const char *s2) __ksym;
extern int bpf_strchr(const char *s, char c) __ksym;
extern int bpf_strchrnul(const char *s, char c) __ksym;
extern int bpf_strnchr(const char *s, unsigned long count, char c) __ksym;
extern int bpf_strrchr(const char *s, int c) __ksym;
extern int bpf_strlen(const char *s) __ksym;
extern int bpf_strnlen(const char *s, unsigned long count) __ksym;
extern int bpf_strspn(const char *s, const char *accept) __ksym;
extern int bpf_strcspn(const char *s, const char *reject) __ksym;
extern int bpf_strstr(const char *s1, const char *s2) __ksym;
extern int bpf_strnstr(const char *s1, const char *s2, unsigned long len) __ksym;

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

struct bpf_iter_bits {
	__u64 opaque[2];
} __attribute__((aligned(8)));
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *words, __u32 count) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;
extern int bpf_copy_from_user_str(void *to, __u32 size, const void *from, __u64 flags) __ksym;
extern void bpf_throw(__u64 cookie) __ksym;
extern int bpf_no_such_function(void) __weak __ksym;

const char text[] = "One two three two";
const char ending[] = "two";
char long_text[70000];
/* Written before each test by test_kfunc.c; constants would be worked out at load. */
int from, to;
__u64 where;

ANSWERS(sections)
{
	unsigned long outer, inner;

	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	bpf_preempt_enable();
	bpf_local_irq_save(&outer);
	bpf_local_irq_save(&inner);
	bpf_local_irq_restore(&inner);
	bpf_local_irq_restore(&outer);
	return 1;
}

ANSWERS(strcmp_less)
{
	return bpf_strcmp(text, ending);
}

ANSWERS(strcmp_more)
{
	return bpf_strcmp(ending, text);
}

ANSWERS(strcmp_equal)
{
	return bpf_strcmp(ending, text + 14);
}

ANSWERS(strcasecmp_equal)
{
	return bpf_strcasecmp("tWO", ending);
}

ANSWERS(strcasecmp_more)
{
	return bpf_strcasecmp("Z", "a");
}

ANSWERS(strchr_found)
{
	return bpf_strchr(text, 't');
}

ANSWERS(strchr_end)
{
	return bpf_strchr(text, 0);
}

ANSWERS(strchr_absent)
{
	return bpf_strchr(text, 'x');
}

ANSWERS(strchr_endless)
{
	return bpf_strchr(long_text, 'x');
}

ANSWERS(strchrnul_absent)
{
	return bpf_strchrnul(text, 'x');
}

ANSWERS(strnchr_short)
{
	return bpf_strnchr(text, 4, 't');
}

ANSWERS(strnchr_found)
{
	return bpf_strnchr(text, 5, 't');
}

ANSWERS(strrchr_found)
{
	return bpf_strrchr(text, 't');
}

ANSWERS(strlen_text)
{
	return bpf_strlen(text);
}

ANSWERS(strlen_endless)
{
	return bpf_strlen(long_text);
}

ANSWERS(strnlen_short)
{
	return bpf_strnlen(text, 4);
}

ANSWERS(strnlen_long)
{
	return bpf_strnlen(text, 100);
}

ANSWERS(strnlen_endless)
{
	return bpf_strnlen(long_text, 65536);
}

ANSWERS(strlen_nowhere)
{
	return bpf_strlen((const char *)where);
}

ANSWERS(strspn_some)
{
	return bpf_strspn(text, " tOnew");
}

ANSWERS(strspn_none)
{
	return bpf_strspn(text, "");
}

ANSWERS(strcspn_some)
{
	return bpf_strcspn(text, "wh");
}

ANSWERS(strcspn_all)
{
	return bpf_strcspn(text, "xyz");
}

ANSWERS(strstr_found)
{
	return bpf_strstr(text, ending);
}

ANSWERS(strstr_absent)
{
	return bpf_strstr(text, "twoo");
}

ANSWERS(strstr_empty)
{
	return bpf_strstr(text, "");
}

ANSWERS(strnstr_found)
{
	return bpf_strnstr(text, ending, 7);
}

ANSWERS(strnstr_short)
{
	return bpf_strnstr(text, ending, 6);
}

ANSWERS(iterate)
{
	struct bpf_iter_num it;
	int *number, sum = 0, count = 0;

	bpf_iter_num_new(&it, from, to);
	while ((number = bpf_iter_num_next(&it))) {
		sum += *number;
		count++;
	}
	bpf_iter_num_destroy(&it);
	return sum * 100 + count;
}

ANSWERS(iterate_error)
{
	struct bpf_iter_num it;
	int err = bpf_iter_num_new(&it, from, to);

	if (bpf_iter_num_next(&it))
		err = 1;
	bpf_iter_num_destroy(&it);
	return err;
}

ANSWERS(iterate_twice)
{
	struct bpf_iter_num outer, inner;
	int *i, *j, sum = 0;

	bpf_iter_num_new(&outer, 0, 1000);
	while ((i = bpf_iter_num_next(&outer))) {
		bpf_iter_num_new(&inner, 0, 100);
		while ((j = bpf_iter_num_next(&inner)))
			sum += *i ^ *j;
		bpf_iter_num_destroy(&inner);
	}
	bpf_iter_num_destroy(&outer);
	return sum;
}

__u64 words[600];
__u32 nr_words;

/* The sum of the bits' places, and their number behind it. */
ANSWERS(bits)
{
	struct bpf_iter_bits it;
	int *bit, err, sum = 0, count = 0;

	err = bpf_iter_bits_new(&it, words, nr_words);
	while ((bit = bpf_iter_bits_next(&it))) {
		sum += *bit;
		count++;
		words[*bit & 7] = 0; /* which the iterator has a copy of */
	}
	bpf_iter_bits_destroy(&it);
	return err ?: sum * 1000 + count;
}

ANSWERS(bits_nowhere)
{
	struct bpf_iter_bits it;
	int err = bpf_iter_bits_new(&it, (const __u64 *)where, nr_words);

	if (bpf_iter_bits_next(&it))
		err = 1;
	bpf_iter_bits_destroy(&it);
	return err;
}

ANSWERS(throws)
{
	if (from)
		bpf_throw(from);
	return 7;
}

static __noinline int thrower(void)
{
	if (to)
		bpf_throw(to);
	return to + 1;
}

ANSWERS(throws_below)
{
	return thrower() + 1;
}

static int throw_third(__u32 round, void *unused)
{
	if (round == 3)
		bpf_throw(round + 40);
	return 0;
}

/* Is refused. */
SEC("?tc") int throws_in_loop(struct __sk_buff *skb)
{
	bpf_loop(10, throw_third, NULL, 0);
	return 1;
}

static int throw_below(__u32 round, void *unused)
{
	return thrower() & 1;
}

SEC("?tc") int throws_below_loop(struct __sk_buff *skb)
{
	bpf_loop(10, throw_below, NULL, 0);
	return 1;
}

#define CATCH(function) __attribute__((btf_decl_tag("exception_callback:" #function)))

__noinline int caught(__u64 cookie)
{
	return cookie + 100;
}

/* libbpf before 1.4 loads the program without the callback. */
SEC("?tc") CATCH(caught) int catches(struct __sk_buff *skb)
{
	if (to)
		bpf_throw(to);
	return 1;
}

SEC("?tc") CATCH(nobody) int catches_by_nobody(struct __sk_buff *skb)
{
	if (to)
		bpf_throw(to);
	return 1;
}

ANSWERS(asks)
{
	int answer = 0;

	if (&bpf_rcu_read_lock)
		answer += 1;
	if (&bpf_no_such_function)
		answer += bpf_no_such_function();
	return answer;
}

char copied[16];
__u32 copy_size;
__u64 copy_flags;

SEC("syscall") int copy_string(void *ctx)
{
	__u32 size = copy_size;

	if (size > sizeof(copied))
		return 100;
	return bpf_copy_from_user_str(copied, size, (const void *)where, copy_flags);
}

char LICENSE[] SEC("license") = "GPL";
