/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_queue_stack.c: QUEUE and STACK through the system call and from programs, with the same
 * expectations on kernel and userbpf. What holds for both types and both ways in runs four times.
 */
#include <linux/btf.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "../bpf_test.h"
#include "../vm/asm.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define QUEUE BPF_MAP_TYPE_QUEUE
#define STACK BPF_MAP_TYPE_STACK
#define BIG (4u << 20)
#define ERROR_OF(fd) ((fd) < 0 ? (fd) : 0)

static const unsigned types[] = {QUEUE, STACK};

/* No multiple of 8; the words depend on each other. */
struct value {
	uint32_t words[3];
};

static struct value value_of(uint32_t number)
{
	return (struct value){{number, ~number, number * 0x10001}};
}

static bool value_is(const struct value *value, uint32_t number)
{
	const struct value wanted = value_of(number);

	return !memcmp(value, &wanted, sizeof(wanted));
}

/* The system call's way. */

static int user_push(int fd, const struct value *value, uint64_t flags)
{
	return map_elem(BPF_MAP_UPDATE_ELEM, fd, NULL, value, flags);
}

static int user_pop(int fd, struct value *value)
{
	return map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, value, 0);
}

static int user_peek(int fd, struct value *value)
{
	return map_elem(BPF_MAP_LOOKUP_ELEM, fd, NULL, value, 0);
}

/* The programs' way: one call of a helper, whose result and value an array receives. */

struct exchange {
	int64_t result;
	struct value value;
	uint32_t guard; /* behind the value on the stack */
};

#define GUARD 0x600df00d
#define FRAME_AT (-(int)sizeof(struct value) - 4)

static char verifier_log[65536];

static int load(const struct bpf_insn *insns, unsigned count, unsigned type)
{
	const bool sleeps = type == BPF_PROG_TYPE_SYSCALL;
	union test_attr t = {.a = {.prog_type = type,
				   .prog_flags = sleeps ? BPF_F_SLEEPABLE : 0,
				   .insns = ptr64(insns),
				   .insn_cnt = count,
				   .license = ptr64("GPL"),
				   .log_level = 2,
				   .log_size = sizeof(verifier_log),
				   .log_buf = ptr64(verifier_log)}};

	verifier_log[0] = 0;
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

/* The helper with map and value as arguments and flags in R3. */
static int load_call(int fd, int helper, const struct value *value, uint64_t flags, int out,
		     unsigned type)
{
	const struct bpf_insn insns[] = {
		ST_K(W, R10, FRAME_AT, (int)value->words[0]),
		ST_K(W, R10, FRAME_AT + 4, (int)value->words[1]),
		ST_K(W, R10, FRAME_AT + 8, (int)value->words[2]),
		ST_K(W, R10, FRAME_AT + 12, GUARD),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0),
		MOV_X(R2, R10),
		ALU64_K(ADD, R2, FRAME_AT),
		LD64(R3, flags),
		CALL(helper),
		LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, out, 0),
		ST_X(DW, R1, 0, R0),
		LD(W, R0, R10, FRAME_AT),
		ST_X(W, R1, 8, R0),
		LD(W, R0, R10, FRAME_AT + 4),
		ST_X(W, R1, 12, R0),
		LD(W, R0, R10, FRAME_AT + 8),
		ST_X(W, R1, 16, R0),
		LD(W, R0, R10, FRAME_AT + 12),
		ST_X(W, R1, 20, R0),
		MOV_K(R0, 0),
		EXIT,
	};

	return load(insns, COUNT(insns), type);
}

static int prog_call(int fd, int helper, struct value *value, uint64_t flags)
{
	static const uint8_t packet[64];
	int out = map_create(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct exchange), 1, 0);
	int prog = load_call(fd, helper, value, flags, out, BPF_PROG_TYPE_SOCKET_FILTER);
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.data_in = ptr64(packet),
					.data_size_in = sizeof(packet)}};
	struct exchange exchange;
	uint32_t key = 0;

	if (prog < 0)
		fail_msg("helper %d: %s", helper, verifier_log);
	assert_int_equal(bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr)), 0);
	assert_int_equal(map_lookup(out, &key, &exchange), 0);
	assert_int_equal(exchange.guard, GUARD);
	*value = exchange.value;
	close(prog);
	close(out);
	return (int)exchange.result;
}

static int prog_push(int fd, const struct value *value, uint64_t flags)
{
	struct value copy = *value;
	int err = prog_call(fd, BPF_FUNC_map_push_elem, &copy, flags);

	assert_memory_equal(&copy, value, sizeof(copy));
	return err;
}

static int prog_pop(int fd, struct value *value)
{
	return prog_call(fd, BPF_FUNC_map_pop_elem, value, 0);
}

static int prog_peek(int fd, struct value *value)
{
	return prog_call(fd, BPF_FUNC_map_peek_elem, value, 0);
}

struct way {
	int (*push)(int fd, const struct value *value, uint64_t flags);
	int (*pop)(int fd, struct value *value);
	int (*peek)(int fd, struct value *value);
	bool zeroes; /* the buffer when there is no element */
};

static const struct way user = {user_push, user_pop, user_peek, false};
static const struct way program = {prog_push, prog_pop, prog_peek, true};

struct setup {
	unsigned type;
	const struct way *way;
};

static const struct setup queue_user = {QUEUE, &user}, queue_program = {QUEUE, &program},
			  stack_user = {STACK, &user}, stack_program = {STACK, &program};

static int make(unsigned type, unsigned max_entries, unsigned flags)
{
	int fd = map_create(type, 0, sizeof(struct value), max_entries, flags);

	assert_true(fd >= 0);
	return fd;
}

static int push(const struct way *way, int fd, uint32_t number, uint64_t flags)
{
	const struct value value = value_of(number);

	return way->push(fd, &value, flags);
}

static void expect_empty(const struct way *way, int fd)
{
	const struct value zero = {{0}}, before = value_of(77);
	const struct value *after = way->zeroes ? &zero : &before;
	struct value value = before;

	assert_int_equal(way->peek(fd, &value), -ENOENT);
	assert_memory_equal(&value, after, sizeof(value));
	value = before;
	assert_int_equal(way->pop(fd, &value), -ENOENT);
	assert_memory_equal(&value, after, sizeof(value));
}

static void expect_next(const struct way *way, int fd, uint32_t number)
{
	struct value value = value_of(77);

	assert_int_equal(way->peek(fd, &value), 0);
	assert_true(value_is(&value, number));
	value = value_of(77);
	assert_int_equal(way->pop(fd, &value), 0);
	assert_true(value_is(&value, number));
}

/* Random pushes and pops against a list, while the ring wraps around several times. */
static void agrees_with_a_list(void **state)
{
	const struct setup *setup = *state;
	const struct way *way = setup->way;
	const bool fifo = setup->type == QUEUE, slow = way == &program;
	uint32_t list[1024], first, count, seed = 1;

	for (uint32_t n = 1; n <= 9; n++) {
		int fd = make(setup->type, n, 0);

		first = count = 0;
		for (uint32_t number = 1; first + count < (slow ? 30 : 400); number++) {
			seed = seed * 1664525 + 1013904223;
			const uint64_t flags = seed >> 12 & 1 ? BPF_EXIST : BPF_ANY;

			if ((seed >> 16) % 16 < 9 - (number / 32 % 2) * 3) {
				const bool full = count == n;

				assert_int_equal(push(way, fd, number, flags),
						 full && !flags ? -E2BIG : 0);
				if (full && !flags)
					continue;
				first += full;
				count += !full;
				list[first + count - 1] = number;
			} else if (!count) {
				expect_empty(way, fd);
			} else {
				expect_next(way, fd, list[fifo ? first : first + count - 1]);
				first += fifo;
				count--;
			}
		}
		close(fd);
	}
}

static void exactly_n_fit(void **state)
{
	const struct setup *setup = *state;
	const struct way *way = setup->way;

	for (uint32_t n = 1; n <= 9; n++) {
		int fd = make(setup->type, n, 0);

		expect_empty(way, fd);
		for (uint32_t round = 0; round < 3; round++) {
			for (uint32_t i = 0; i < n; i++)
				assert_int_equal(push(way, fd, i, BPF_ANY), 0);
			assert_int_equal(push(way, fd, n, BPF_ANY), -E2BIG);
			for (uint32_t i = 0; i < n; i++)
				expect_next(way, fd, setup->type == QUEUE ? i : n - 1 - i);
			expect_empty(way, fd);
		}
		close(fd);
	}
}

static void exist_drops_the_oldest(void **state)
{
	const struct setup *setup = *state;
	int fd = make(setup->type, 4, 0);

	for (uint32_t i = 1; i <= 10; i++)
		assert_int_equal(push(setup->way, fd, i, BPF_EXIST), 0);
	assert_int_equal(push(setup->way, fd, 11, BPF_ANY), -E2BIG);
	for (uint32_t i = 0; i < 4; i++)
		expect_next(setup->way, fd, setup->type == QUEUE ? 7 + i : 10 - i);
	expect_empty(setup->way, fd);
	close(fd);
}

static void refuses_other_flags(void **state)
{
	static const uint64_t flags[] = {1, 3, 4, 5, 6, 8, 16, 1ull << 32, 1ull << 63, ~0ull};
	const struct setup *setup = *state;
	int fd = make(setup->type, 2, 0);

	for (unsigned round = 0; round < 3; round++) { /* empty, half full, full */
		for (size_t i = 0; i < COUNT(flags); i++)
			assert_int_equal(push(setup->way, fd, 9, flags[i]), -EINVAL);
		assert_int_equal(push(setup->way, fd, round, BPF_ANY), round < 2 ? 0 : -E2BIG);
	}
	expect_next(setup->way, fd, setup->type == QUEUE ? 0 : 1);
	expect_next(setup->way, fd, setup->type == QUEUE ? 1 : 0);
	expect_empty(setup->way, fd);
	close(fd);
}

/* Both ways in lead to the same elements. */
static void programs_and_system_calls_meet(void **state)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		const bool fifo = types[i] == QUEUE;
		int fd = make(types[i], 3, 0);

		assert_int_equal(push(&user, fd, 1, BPF_ANY), 0);
		assert_int_equal(push(&program, fd, 2, BPF_ANY), 0);
		assert_int_equal(push(&user, fd, 3, BPF_ANY), 0);
		assert_int_equal(push(&program, fd, 4, BPF_ANY), -E2BIG);
		assert_int_equal(push(&program, fd, 4, BPF_EXIST), 0);
		expect_next(&user, fd, fifo ? 2 : 4);
		expect_next(&program, fd, 3);
		expect_next(&user, fd, fifo ? 4 : 2);
		expect_empty(&program, fd);
		close(fd);
	}
}

static void creation(void **state)
{
	static const struct {
		unsigned key_size, value_size, max_entries, flags;
		int err;
	} cases[] = {
		{0, 4, 1, 0, 0},
		{0, 1, 1, 0, 0},
		{0, 3, 1000, 0, 0},
		{0, BIG, 1, 0, 0},
		{0, BIG + 1, 1, 0, -E2BIG},
		{0, ~0u, 1, 0, -E2BIG},
		{0, BIG, ~0u, 0, -ENOMEM},
		{0, 0, 1, 0, -EINVAL},
		{0, 4, 0, 0, -EINVAL},
		{0, BIG + 1, 0, 0, -EINVAL},
		{1, 4, 1, 0, -EINVAL},
		{4, 4, 1, 0, -EINVAL},
		{0, 4, 1, BPF_F_NUMA_NODE, 0},
		{0, 4, 1, BPF_F_RDONLY, 0},
		{0, 4, 1, BPF_F_WRONLY, 0},
		{0, 4, 1, BPF_F_RDONLY_PROG, 0},
		{0, 4, 1, BPF_F_WRONLY_PROG, 0},
		{0, 4, 1, BPF_F_RDONLY | BPF_F_WRONLY_PROG, 0},
		{0, 4, 1, BPF_F_RDONLY | BPF_F_WRONLY, -EINVAL},
		{0, 4, 1, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG, -EINVAL},
	};
	const unsigned accepted = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY |
				  BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const size_t c = i / 2;
		int fd = map_create(types[i % 2], cases[c].key_size, cases[c].value_size,
				    cases[c].max_entries, cases[c].flags);

		if (ERROR_OF(fd) != cases[c].err)
			fail_msg("type %u, case %zu: %d", types[i % 2], c, fd);
		close(fd);
	}
	for (unsigned bit = 0; bit < 32; bit++)
		for (size_t i = 0; i < COUNT(types); i++) {
			int fd = map_create(types[i], 0, 4, 1, 1u << bit);

			assert_int_equal(ERROR_OF(fd), accepted >> bit & 1 ? 0 : -EINVAL);
			close(fd);
		}
}

static void creation_with_other_fields(void **state)
{
	union test_attr plain = {.a = {.value_size = 4, .max_entries = 1}}, t;

	for (size_t i = 0; i < COUNT(types); i++) {
		plain.a.map_type = types[i];
		t = plain;
		t.a.map_extra = 1;
		assert_int_equal(bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr)), -EINVAL);
		t = plain;
		t.a.map_ifindex = 1;
		assert_int_equal(bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr)), -EINVAL);
		t = plain;
		t.a.map_flags = BPF_F_NUMA_NODE;
		t.a.numa_node = 4711;
		assert_int_equal(bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr)), -EINVAL);
		t = plain;
		t.a.inner_map_fd = 4711; /* ignored */
		int fd = (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));

		assert_true(fd >= 0);
		close(fd);
	}
}

/* [1] a 4-byte integer, [2] an empty struct, [3] an 8-byte integer */
static int load_btf(void)
{
	static const struct {
		struct btf_header header;
		uint32_t types[11];
		char strings[4];
	} btf = {
		.header = {.magic = BTF_MAGIC,
			   .version = 1,
			   .hdr_len = sizeof(struct btf_header),
			   .type_len = sizeof(btf.types),
			   .str_off = sizeof(btf.types),
			   .str_len = sizeof(btf.strings)},
		.types = {1, BTF_KIND_INT << 24, 4, 32, 0, BTF_KIND_STRUCT << 24, 0,
			  1, BTF_KIND_INT << 24, 8, 64},
		.strings = "\0i",
	};
	union test_attr t = {.a = {.btf = ptr64(&btf), .btf_size = sizeof(btf)}};

	return (int)bpf_sys(BPF_BTF_LOAD, &t, sizeof(union bpf_attr));
}

/* There is no type of a key that is not there, except one without any bytes. */
static void btf_is_refused(void **state)
{
	static const struct {
		unsigned key, value;
		int err;
	} cases[] = {
		{0, 0, 0}, {0, 1, -EINVAL}, {1, 1, -EINVAL}, {1, 0, -EINVAL}, {2, 0, -EINVAL},
		{2, 3, -EINVAL}, {9, 1, -EINVAL}, {2, 1, 0},
	};
	int btf = load_btf();

	assert_true(btf >= 0);
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		union test_attr t = {.a = {.map_type = types[i % 2],
					   .value_size = 4,
					   .max_entries = 1,
					   .btf_fd = (uint32_t)btf,
					   .btf_key_type_id = cases[i / 2].key,
					   .btf_value_type_id = cases[i / 2].value}};
		int fd = (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));

		if (ERROR_OF(fd) != cases[i / 2].err)
			fail_msg("case %zu: %d", i / 2, fd);
		close(fd);
	}
	close(btf);
}

static void info(void **state)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		int fd = make(types[i], 5, BPF_F_RDONLY_PROG | BPF_F_WRONLY);
		struct bpf_map_info info = {0};
		union test_attr t = {.a.info = {.bpf_fd = (uint32_t)fd,
						.info_len = sizeof(info),
						.info = ptr64(&info)}};

		assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(t.a.info)), 0);
		assert_int_equal(info.type, types[i]);
		assert_int_equal(info.key_size, 0);
		assert_int_equal(info.value_size, sizeof(struct value));
		assert_int_equal(info.max_entries, 5);
		assert_int_equal(info.map_flags, BPF_F_RDONLY_PROG);
		close(fd);
	}
}

static void keys_are_refused(void **state)
{
	static const int commands[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
				       BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_AND_DELETE_ELEM};

	for (size_t i = 0; i < COUNT(types); i++) {
		struct value value = value_of(1);
		int fd = make(types[i], 2, 0);

		assert_int_equal(push(&user, fd, 1, BPF_ANY), 0);
		for (size_t c = 0; c < COUNT(commands); c++) {
			const void *out = commands[c] == BPF_MAP_DELETE_ELEM ? NULL : &value;

			assert_int_equal(map_elem(commands[c], fd, &value, out, 0), -EINVAL);
			/* A key that cannot be read is one, too. */
			assert_int_equal(map_elem(commands[c], fd, (void *)8, out, 0), -EINVAL);
		}
		expect_next(&user, fd, 1);
		expect_empty(&user, fd);
		close(fd);
	}
}

static void commands_they_do_not_have(void **state)
{
	static const int batches[] = {BPF_MAP_LOOKUP_BATCH, BPF_MAP_LOOKUP_AND_DELETE_BATCH,
				      BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH};

	for (size_t i = 0; i < COUNT(types); i++) {
		int fd = make(types[i], 2, 0);
		uint32_t next = 7;

		assert_int_equal(push(&user, fd, 1, BPF_ANY), 0);
		assert_int_equal(map_delete(fd, NULL), -EINVAL);
		assert_int_equal(map_next_key(fd, NULL, &next), -EINVAL);
		assert_int_equal(map_next_key(fd, NULL, NULL), -EINVAL);
		assert_int_equal(next, 7);
		for (size_t b = 0; b < 2 * COUNT(batches); b++) {
			union test_attr t = {.a.batch = {.map_fd = (uint32_t)fd, .count = b & 1}};

			assert_int_equal(bpf_sys(batches[b / 2], &t, sizeof(union bpf_attr)),
					 -ENOTSUPP);
			assert_int_equal(t.a.batch.count, b & 1);
		}
		assert_ptr_equal(mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
		assert_int_equal(errno, ENOTSUPP);
		expect_next(&user, fd, 1);
		close(fd);
	}
}

static void flags_of_lookups(void **state)
{
	static const uint64_t flags[] = {1, 2, 4, 5, 8, 1ull << 32};

	for (size_t i = 0; i < COUNT(types); i++) {
		int fd = make(types[i], 2, 0);
		struct value value;

		assert_int_equal(push(&user, fd, 1, BPF_ANY), 0);
		for (size_t f = 0; f < COUNT(flags); f++) {
			assert_int_equal(map_elem(BPF_MAP_LOOKUP_ELEM, fd, NULL, &value, flags[f]),
					 -EINVAL);
			assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, &value,
						  flags[f]),
					 -EINVAL);
		}
		expect_next(&user, fd, 1);
		close(fd);
	}
}

static void pointers_that_lead_nowhere(void **state)
{
	static const uintptr_t bad[] = {0, 8, UINTPTR_MAX - 4095};

	for (size_t i = 0; i < COUNT(types); i++)
		for (size_t b = 0; b < COUNT(bad); b++) {
			void *nowhere = (void *)bad[b];
			int fd = make(types[i], 2, 0);

			/* Not looked at while there is nothing to say. */
			assert_int_equal(user_peek(fd, nowhere), -ENOENT);
			assert_int_equal(user_pop(fd, nowhere), -ENOENT);
			assert_int_equal(user_push(fd, nowhere, BPF_ANY), -EFAULT);
			assert_int_equal(user_push(fd, nowhere, BPF_NOEXIST), -EFAULT);
			expect_empty(&user, fd);
			assert_int_equal(push(&user, fd, 1, BPF_ANY), 0);
			assert_int_equal(push(&user, fd, 2, BPF_ANY), 0);
			assert_int_equal(user_push(fd, nowhere, BPF_EXIST), -EFAULT);
			assert_int_equal(user_peek(fd, nowhere), -EFAULT);
			/* The element is taken before its value is copied. */
			assert_int_equal(user_pop(fd, nowhere), -EFAULT);
			expect_next(&user, fd, types[i] == QUEUE ? 2 : 1);
			expect_empty(&user, fd);
			close(fd);
		}
}

static void frozen(void **state)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		struct value value = value_of(2);
		int fd = make(types[i], 3, 0);

		assert_int_equal(push(&user, fd, 1, BPF_ANY), 0);
		assert_int_equal(map_elem(BPF_MAP_FREEZE, fd, NULL, NULL, 0), 0);
		assert_int_equal(map_elem(BPF_MAP_FREEZE, fd, NULL, NULL, 0), -EPERM);
		assert_int_equal(user_push(fd, &value, BPF_ANY), -EPERM);
		assert_int_equal(map_elem(BPF_MAP_UPDATE_ELEM, fd, &value, &value, 8), -EPERM);
		assert_int_equal(user_pop(fd, &value), -EPERM);
		assert_int_equal(map_delete(fd, NULL), -EPERM);
		assert_int_equal(user_peek(fd, &value), 0);
		assert_true(value_is(&value, 1));
		/* Programs go on. */
		assert_int_equal(push(&program, fd, 5, BPF_ANY), 0);
		expect_next(&program, fd, types[i] == QUEUE ? 1 : 5);
		close(fd);
	}
}

static void access_modes(void **state)
{
	for (size_t i = 0; i < COUNT(types); i++) {
		int reader = make(types[i], 3, BPF_F_RDONLY), writer = make(types[i], 3, BPF_F_WRONLY);
		struct value value = value_of(1);

		assert_int_equal(user_push(reader, &value, BPF_ANY), -EPERM);
		assert_int_equal(user_pop(reader, &value), -EPERM);
		assert_int_equal(map_delete(reader, NULL), -EPERM);
		assert_int_equal(user_peek(reader, &value), -ENOENT);
		assert_int_equal(map_next_key(reader, NULL, &value), -EINVAL);
		assert_int_equal(user_push(writer, &value, BPF_ANY), 0);
		assert_int_equal(user_pop(writer, &value), -EPERM);
		assert_int_equal(user_peek(writer, &value), -EPERM);
		assert_int_equal(map_next_key(writer, NULL, &value), -EPERM);
		assert_int_equal(map_delete(writer, NULL), -EINVAL);
		expect_next(&program, writer, 1);
		close(reader);
		close(writer);
	}
}

static void large_values(void **state)
{
	uint8_t *value = malloc(BIG), *other = malloc(BIG);

	for (size_t i = 0; i < COUNT(types); i++) {
		int fd = map_create(types[i], 0, BIG, 2, 0);

		assert_true(fd >= 0);
		for (unsigned n = 0; n < 3; n++) {
			memset(value, (int)n + 1, BIG);
			value[BIG - 1] = 0xff;
			assert_int_equal(map_update(fd, NULL, value, BPF_EXIST), 0);
		}
		memset(value, types[i] == QUEUE ? 2 : 3, BIG);
		value[BIG - 1] = 0xff;
		assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, other, 0), 0);
		assert_memory_equal(value, other, BIG);
		close(fd);
	}
	free(value);
	free(other);
}

/* What PROG_LOAD says about calls of helpers. */
static void helpers_and_maps(void **state)
{
	static const struct {
		int helper;
		unsigned type, flags, prog_type;
		int err;
		const char *log;
	} cases[] = {
		{BPF_FUNC_map_push_elem, QUEUE, 0, BPF_PROG_TYPE_SYSCALL, 0, ""},
		{BPF_FUNC_map_pop_elem, STACK, 0, BPF_PROG_TYPE_SYSCALL, 0, ""},
		{BPF_FUNC_map_peek_elem, STACK, 0, BPF_PROG_TYPE_XDP, 0, ""},
		{BPF_FUNC_map_push_elem, QUEUE, BPF_F_RDONLY_PROG, 0, -EACCES,
		 "write into map forbidden"},
		{BPF_FUNC_map_pop_elem, STACK, BPF_F_RDONLY_PROG, 0, -EACCES,
		 "write into map forbidden"},
		{BPF_FUNC_map_peek_elem, QUEUE, BPF_F_RDONLY_PROG, 0, 0, ""},
		{BPF_FUNC_map_push_elem, QUEUE, BPF_F_WRONLY_PROG, 0, 0, ""},
		{BPF_FUNC_map_pop_elem, QUEUE, BPF_F_WRONLY_PROG, 0, 0, ""},
		{BPF_FUNC_map_peek_elem, STACK, BPF_F_WRONLY_PROG, 0, 0, ""},
		{BPF_FUNC_map_lookup_elem, QUEUE, 0, 0, -EACCES, "invalid zero-sized read"},
		{BPF_FUNC_map_delete_elem, STACK, 0, 0, -EACCES, "invalid zero-sized read"},
		{BPF_FUNC_map_push_elem, BPF_MAP_TYPE_HASH, 0, 0, -EINVAL,
		 "cannot pass map_type 1 into func bpf_map_push_elem#87"},
		{BPF_FUNC_map_pop_elem, BPF_MAP_TYPE_ARRAY, 0, 0, -EINVAL,
		 "cannot pass map_type 2 into func bpf_map_pop_elem#88"},
		{BPF_FUNC_map_peek_elem, BPF_MAP_TYPE_PERCPU_HASH, 0, 0, -EINVAL,
		 "cannot pass map_type 5 into func bpf_map_peek_elem#89"},
	};
	const struct value value = value_of(1);

	for (size_t i = 0; i < COUNT(cases); i++) {
		const bool keyless = cases[i].type == QUEUE || cases[i].type == STACK;
		const unsigned prog_type = cases[i].prog_type;
		int fd = map_create(cases[i].type, keyless ? 0 : 4, 12, 1, cases[i].flags);
		int out = map_create(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct exchange), 1, 0);
		int prog = load_call(fd, cases[i].helper, &value, 0, out,
				     prog_type ? prog_type : BPF_PROG_TYPE_SOCKET_FILTER);

		assert_true(fd >= 0);
		if (ERROR_OF(prog) != cases[i].err || !strstr(verifier_log, cases[i].log))
			fail_msg("case %zu: %d, %s", i, prog, verifier_log);
		close(prog);
		close(out);
		close(fd);
	}
}

#define FOUR(test)                                                                                 \
	{#test " [queue, user]", test, NULL, NULL, (void *)&queue_user},                           \
	{#test " [stack, user]", test, NULL, NULL, (void *)&stack_user},                           \
	{#test " [queue, program]", test, NULL, NULL, (void *)&queue_program},                     \
	{#test " [stack, program]", test, NULL, NULL, (void *)&stack_program}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOUR(exactly_n_fit),
		FOUR(agrees_with_a_list),
		FOUR(exist_drops_the_oldest),
		FOUR(refuses_other_flags),
		cmocka_unit_test(programs_and_system_calls_meet),
		cmocka_unit_test(creation),
		cmocka_unit_test(creation_with_other_fields),
		cmocka_unit_test(btf_is_refused),
		cmocka_unit_test(info),
		cmocka_unit_test(keys_are_refused),
		cmocka_unit_test(commands_they_do_not_have),
		cmocka_unit_test(flags_of_lookups),
		cmocka_unit_test(pointers_that_lead_nowhere),
		cmocka_unit_test(frozen),
		cmocka_unit_test(access_modes),
		cmocka_unit_test(large_values),
		cmocka_unit_test(helpers_and_maps),
	};

	require_bpf();
	return run_tests(tests);
}
