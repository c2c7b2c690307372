/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_prog_array.c: PROG_ARRAY and bpf_tail_call: what may be an element, whose the array is, how
 * long it keeps its programs, where a tail call goes, and where it goes on when there is none.
 */
#include "../vm/run.h"

#include <linux/btf.h>

#define ENTRIES 4
#define XDP BPF_PROG_TYPE_XDP
#define FILTER BPF_PROG_TYPE_SOCKET_FILTER
#define TC BPF_PROG_TYPE_SCHED_CLS

static int create(void)
{
	int fd = map_create(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, ENTRIES, 0);

	assert_true(fd >= 0);
	return fd;
}

#define LOAD(type, ...)                                                                            \
	({                                                                                         \
		const struct bpf_insn insns_[] = {__VA_ARGS__};                                    \
		prog_load(type, 0, insns_, sizeof(insns_) / sizeof(insns_[0]));                    \
	})

/* Functions called in subprograms need BTF: func_info of the program at 0 and of count others. */
static int load_with_subs(const struct bpf_insn *insns, unsigned insn_cnt, const unsigned *subs,
			  unsigned count)
{
	static const char strings[] = "\0int\0ctx\0f";
	static const uint32_t types[] = {
		1, BTF_KIND_INT << 24, 4, BTF_INT_SIGNED << 24 | 32,
		0, BTF_KIND_PTR << 24, 0,
		0, BTF_KIND_FUNC_PROTO << 24 | 1, 1, 5, 2,
		9, BTF_KIND_FUNC << 24 | BTF_FUNC_STATIC, 3,
	};
	struct bpf_func_info info[4] = {{0, 4}};
	union test_attr t = {.a = {.prog_type = TC,
				   .insns = ptr64(insns),
				   .insn_cnt = insn_cnt,
				   .license = ptr64("GPL"),
				   .prog_btf_fd = (uint32_t)btf_load_parts(types, sizeof(types),
									   strings,
									   sizeof(strings)),
				   .func_info_rec_size = sizeof(info[0]),
				   .func_info = ptr64(info),
				   .func_info_cnt = count + 1}};
	int fd;

	assert_true((int)t.a.prog_btf_fd >= 0);
	for (unsigned i = 0; i < count; i++)
		info[i + 1] = (struct bpf_func_info){subs[i], 4};
	fd = (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
	close((int)t.a.prog_btf_fd);
	return fd;
}

/* subs: where the subprograms begin. */
#define LOAD_SUBS(subs, ...)                                                                       \
	({                                                                                         \
		const struct bpf_insn insns_[] = {__VA_ARGS__};                                    \
		const unsigned subs_[] = {UNPACK subs};                                            \
		load_with_subs(insns_, sizeof(insns_) / sizeof(insns_[0]), subs_,                  \
			       sizeof(subs_) / sizeof(subs_[0]));                                  \
	})
#define UNPACK(...) __VA_ARGS__

static int returns(unsigned type, int value)
{
	int fd = LOAD(type, MOV_K(R0, value), EXIT);

	assert_true(fd >= 0);
	return fd;
}

/* Calls array[index] and returns value if it comes back. */
#define TAIL_CALL(array, index) LD64_RAW(R2, BPF_PSEUDO_MAP_FD, array, 0), MOV_K(R3, index), CALL(12)

static int caller(unsigned type, int array, int index, int value)
{
	int fd = LOAD(type, TAIL_CALL(array, index), MOV_K(R0, value), EXIT);

	assert_true(fd >= 0);
	return fd;
}

static int put(int array, uint32_t index, int fd)
{
	return map_update(array, &index, &fd, BPF_ANY);
}

static uint32_t prog_id(int fd)
{
	struct bpf_prog_info info = {0};
	union test_attr t = {.a = {.info = {.bpf_fd = (uint32_t)fd,
					    .info_len = sizeof(info),
					    .info = ptr64(&info)}}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), 0);
	return info.id;
}

static long fd_by_id(int cmd, uint32_t id)
{
	union test_attr t = {.a = {.prog_id = id}};

	return bpf_sys(cmd, &t, sizeof(union bpf_attr));
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	union test_attr t = {.a = {.info = {.bpf_fd = (uint32_t)fd,
					    .info_len = sizeof(info),
					    .info = ptr64(&info)}}};

	assert_int_equal(bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, sizeof(union bpf_attr)), 0);
	return info.id;
}

/* Programs and maps go soon, not at once. */
static bool goes(int cmd, uint32_t id)
{
	long fd = 0;

	for (int i = 0; i < 200; i++) {
		fd = fd_by_id(cmd, id);
		if (fd == -ENOENT)
			return true;
		close((int)fd);
		usleep(10000);
	}
	return false;
}

static void test_creation(void **state)
{
	static const struct {
		unsigned key, value, entries, flags;
		int error;
	} cases[] = {
		{4, 4, 1, 0, 0},	    {4, 4, 1, BPF_F_RDONLY, 0},
		{4, 4, 1, BPF_F_WRONLY, 0}, {4, 4, 0, 0, -EINVAL},
		{8, 4, 1, 0, -EINVAL},	    {4, 8, 1, 0, -EINVAL},
		{0, 4, 1, 0, -EINVAL},	    {4, 0, 1, 0, -EINVAL},
		{4, 4, 1, BPF_F_NO_PREALLOC, -EINVAL},
		{4, 4, 1, BPF_F_RDONLY_PROG, -EINVAL},
		{4, 4, 1, BPF_F_WRONLY_PROG, -EINVAL},
		{4, 4, 1, BPF_F_MMAPABLE, -EINVAL},
		{4, 4, 1, BPF_F_INNER_MAP, -EINVAL},
		{4, 4, 1, BPF_F_ZERO_SEED, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = map_create(BPF_MAP_TYPE_PROG_ARRAY, cases[i].key, cases[i].value,
				    cases[i].entries, cases[i].flags);

		if (fd >= 0)
			close(fd);
		assert_int_equal(fd >= 0 ? 0 : fd, cases[i].error);
	}
}

static void test_elements(void **state)
{
	const uint32_t first = 0, last = ENTRIES - 1, beyond = ENTRIES;
	int array = create(), prog = returns(XDP, 7), other = create(), closed = dup(array);
	uint32_t value = 0, next;

	(void)state;
	close(closed);
	assert_int_equal(map_lookup(array, &first, &value), -ENOENT);
	assert_int_equal(put(array, first, closed), -EBADF);
	assert_int_equal(put(array, first, other), -EINVAL);
	assert_int_equal(put(array, beyond, prog), -E2BIG);
	assert_int_equal(map_update(array, &first, &prog, BPF_NOEXIST), -EINVAL);
	assert_int_equal(map_update(array, &first, &prog, BPF_EXIST), -EINVAL);
	assert_int_equal(put(array, first, prog), 0);
	assert_int_equal(put(array, first, prog), 0);
	assert_int_equal(map_lookup(array, &first, &value), 0);
	assert_int_equal(value, prog_id(prog));
	assert_int_equal(map_lookup(array, &beyond, &value), -ENOENT);
	assert_int_equal(map_next_key(array, NULL, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(map_next_key(array, &first, &next), 0);
	assert_int_equal(next, 1);
	assert_int_equal(map_next_key(array, &last, &next), -ENOENT);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, array, &first, &value, 0),
			 -ENOTSUPP);
	assert_int_equal(map_delete(array, &beyond), -E2BIG);
	assert_int_equal(map_delete(array, &last), -ENOENT);
	assert_int_equal(map_delete(array, &first), 0);
	assert_int_equal(map_delete(array, &first), -ENOENT);
	close(array);
	close(prog);
	close(other);
}

static void test_batch(void **state)
{
	int array = create(), prog = returns(XDP, 7), values[ENTRIES];
	uint32_t keys[ENTRIES] = {0, 1, 2, 3}, cursor;
	union test_attr t = {.a = {.batch = {.map_fd = (uint32_t)array,
					     .keys = ptr64(keys),
					     .values = ptr64(values),
					     .count = ENTRIES,
					     .out_batch = ptr64(&cursor)}}};

	(void)state;
	for (int i = 0; i < ENTRIES; i++)
		values[i] = prog;
	assert_int_equal(bpf_sys(BPF_MAP_UPDATE_BATCH, &t, sizeof(union bpf_attr)), -ENOTSUPP);
	assert_int_equal(bpf_sys(BPF_MAP_LOOKUP_BATCH, &t, sizeof(union bpf_attr)), -ENOTSUPP);
	assert_int_equal(bpf_sys(BPF_MAP_DELETE_BATCH, &t, sizeof(union bpf_attr)), -ENOTSUPP);
	assert_int_equal(bpf_sys(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &t, sizeof(union bpf_attr)),
			 -ENOTSUPP);
	close(array);
	close(prog);
}

/* The first program that is put in, or that names the array, decides. */
static void test_owner(void **state)
{
	int array = create(), xdp = returns(XDP, 1), filter = returns(FILTER, 1), user;

	(void)state;
	assert_int_equal(put(array, 0, xdp), 0);
	assert_int_equal(put(array, 1, filter), -EINVAL);
	assert_int_equal(map_delete(array, &(uint32_t){0}), 0);
	close(xdp);
	assert_int_equal(put(array, 1, filter), -EINVAL);
	assert_int_equal(LOAD(FILTER, TAIL_CALL(array, 0), MOV_K(R0, 0), EXIT), -EINVAL);
	close(array);

	array = create();
	user = LOAD(FILTER, LD64_RAW(R2, BPF_PSEUDO_MAP_FD, array, 0), MOV_K(R0, 0), EXIT);
	assert_true(user >= 0);
	close(user);
	xdp = returns(XDP, 1);
	assert_int_equal(put(array, 0, xdp), -EINVAL);
	assert_int_equal(put(array, 0, filter), 0);
	/* What is refused for another reason decides nothing. */
	close(array);
	array = create();
	assert_int_equal(put(array, ENTRIES, filter), -E2BIG);
	assert_int_equal(put(array, 0, xdp), 0);
	close(array);
	close(xdp);
	close(filter);
}

static void test_owner_attach_type(void **state)
{
	const struct bpf_insn insns[] = {MOV_K(R0, 1), EXIT};
	int array = create();
	int ingress = prog_load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, insns, 2);
	int egress = prog_load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, insns, 2);
	int frags = prog_load_flags(XDP, 0, insns, 2, "GPL", BPF_F_XDP_HAS_FRAGS);
	int xdp = returns(XDP, 1), second = create();

	(void)state;
	assert_int_equal(put(array, 0, ingress), 0);
	assert_int_equal(put(array, 0, egress), -EINVAL);
	assert_int_equal(put(second, 0, xdp), 0);
	assert_int_equal(put(second, 0, frags), -EINVAL);
	close(array);
	close(second);
	close(ingress);
	close(egress);
	close(frags);
	close(xdp);
}

static void test_tail_call(void **state)
{
	int array = create(), target = returns(TC, 42), prog;

	(void)state;
	prog = caller(TC, array, 1, 5);
	assert_int_equal(run_once(prog), 5);
	assert_int_equal(put(array, 1, target), 0);
	assert_int_equal(run_once(prog), 42);
	assert_int_equal(map_delete(array, &(uint32_t){1}), 0);
	assert_int_equal(run_once(prog), 5);
	close(prog);
	assert_int_equal(put(array, 1, target), 0);
	prog = caller(TC, array, ENTRIES, 6);
	assert_int_equal(run_once(prog), 6);
	close(prog);
	prog = caller(TC, array, -1, 7);
	assert_int_equal(run_once(prog), 7);
	close(prog);
	/* The index has 32 bits. */
	prog = LOAD(TC, LD64_RAW(R2, BPF_PSEUDO_MAP_FD, array, 0), LD64(R3, 0x500000001ull), CALL(12),
		    MOV_K(R0, 8), EXIT);
	assert_int_equal(run_once(prog), 42);
	close(prog);
	close(array);
	close(target);
}

/* The context arrives, the callee-saved registers and the frame do not count. */
static void test_context(void **state)
{
	int array = create();
	int target = LOAD(TC, LD(W, R0, R1, 0), ST_K(DW, R10, -8, 1), LD(DW, R2, R10, -8),
			  ALU64_X(ADD, R0, R2), EXIT);
	int prog = LOAD(TC, MOV_X(R6, R1), ST_K(DW, R10, -512, 3), MOV_K(R7, 9), TAIL_CALL(array, 0),
			MOV_K(R0, 0), EXIT);

	(void)state;
	assert_true(target >= 0 && prog >= 0);
	assert_int_equal(put(array, 0, target), 0);
	assert_int_equal(run_once(prog), PACKET_LEN + 1);
	close(array);
	close(target);
	close(prog);
}

/* counter[0]++, without a loss of R6. */
#define COUNT(counter)                                                                             \
	MOV_X(R6, R1), ST_K(W, R10, -4, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -4),                  \
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, counter, 0), CALL(1), J_K(JEQ, R0, 0, 2),          \
		MOV_K(R1, 1), ATOMIC(DW, ADD, R0, 0, R1), MOV_X(R1, R6)

static uint64_t counted(int counter)
{
	uint64_t value = 0, zero = 0;
	const uint32_t key = 0;

	assert_int_equal(map_lookup(counter, &key, &value), 0);
	assert_int_equal(map_update(counter, &key, &zero, 0), 0);
	return value;
}

static void test_limit(void **state)
{
	int array = create(), counter = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), self, other;

	(void)state;
	self = LOAD(TC, COUNT(counter), TAIL_CALL(array, 0), MOV_K(R0, 3), EXIT);
	assert_true(self >= 0);
	assert_int_equal(put(array, 0, self), 0);
	assert_int_equal(run_once(self), 3);
	assert_int_equal(counted(counter), 34);
	/* Each run has its own count. */
	assert_int_equal(run_once(self), 3);
	assert_int_equal(counted(counter), 34);
	/* Calls that find nothing do not count. */
	other = LOAD(TC, COUNT(counter), TAIL_CALL(array, 1), MOV_X(R1, R6), TAIL_CALL(array, 9),
		     MOV_X(R1, R6), TAIL_CALL(array, 0), MOV_K(R0, 4), EXIT);
	assert_true(other >= 0);
	assert_int_equal(put(array, 0, other), 0);
	assert_int_equal(run_once(other), 4);
	assert_int_equal(counted(counter), 34);
	close(array);
	close(counter);
	close(self);
	close(other);
}

/* From a subprogram: the target returns to who called that. */
static void test_subprogram(void **state)
{
	int array = create(), target = returns(TC, 40), clobbers, prog;

	(void)state;
	prog = LOAD_SUBS((4), MOV_K(R6, 2), CALL_LOCAL(2), ALU64_X(ADD, R0, R6), EXIT,
			 TAIL_CALL(array, 0), MOV_K(R0, 5), EXIT);
	assert_true(prog >= 0);
	assert_int_equal(run_once(prog), 7);
	assert_int_equal(put(array, 0, target), 0);
	assert_int_equal(run_once(prog), 42);
	/* What the target does to R6 to R9 is nothing to the caller; its own subprograms work. */
	clobbers = LOAD(TC, MOV_K(R6, 1), MOV_K(R7, 1), MOV_K(R8, 1), MOV_K(R9, 10), CALL_LOCAL(2),
			ALU64_X(ADD, R0, R9), EXIT, MOV_K(R6, 77), MOV_K(R0, 20), EXIT);
	assert_true(clobbers >= 0);
	assert_int_equal(put(array, 0, clobbers), 0);
	assert_int_equal(run_once(prog), 32);
	close(prog);
	/* The same through a subprogram of a subprogram, twice. */
	prog = LOAD_SUBS((7, 11), MOV_X(R6, R1), CALL_LOCAL(5), MOV_X(R7, R0), MOV_X(R1, R6),
			 CALL_LOCAL(2), ALU64_X(ADD, R0, R7), EXIT, MOV_K(R7, 100), CALL_LOCAL(2),
			 ALU64_X(ADD, R0, R7), EXIT, TAIL_CALL(array, 0), MOV_K(R0, 5), EXIT);
	assert_true(prog >= 0);
	assert_int_equal(run_once(prog), 260);
	close(array);
	close(target);
	close(clobbers);
	close(prog);
}

/* The limit is one for the run, whichever frame calls. */
static void test_subprogram_limit(void **state)
{
	int array = create(), counter = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), self;

	(void)state;
	self = LOAD_SUBS((16), COUNT(counter), CALL_LOCAL(4), MOV_X(R1, R6), CALL_LOCAL(2),
			 MOV_K(R0, 3), EXIT, TAIL_CALL(array, 0), MOV_K(R0, 3), EXIT);
	assert_true(self >= 0);
	assert_int_equal(put(array, 0, self), 0);
	assert_int_equal(run_once(self), 3);
	assert_int_equal(counted(counter), 34);
	close(array);
	close(counter);
	close(self);
}

/* Loaded as long as it is an element. */
static void test_keeps_programs(void **state)
{
	int array = create(), prog = returns(XDP, 1);
	uint32_t id = prog_id(prog);
	long again;

	(void)state;
	assert_int_equal(put(array, 2, prog), 0);
	close(prog);
	again = fd_by_id(BPF_PROG_GET_FD_BY_ID, id);
	assert_true(again >= 0);
	close((int)again);
	prog = returns(XDP, 2);
	assert_int_equal(put(array, 2, prog), 0);
	assert_true(goes(BPF_PROG_GET_FD_BY_ID, id));
	id = prog_id(prog);
	close(prog);
	close(array);
	assert_true(goes(BPF_PROG_GET_FD_BY_ID, id));
}

/* With the last descriptor the array is emptied, whoever else uses it. */
static void test_emptied(void **state)
{
	int array = create(), target = returns(TC, 42), prog = caller(TC, array, 0, 5);
	uint32_t id = map_id(array), key = 0, value;
	int again;

	(void)state;
	assert_int_equal(put(array, 0, target), 0);
	again = dup(array);
	close(array);
	assert_int_equal(run_once(prog), 42);
	close(again);
	usleep(50000); /* soon */
	assert_int_equal(run_once(prog), 5);
	again = (int)fd_by_id(BPF_MAP_GET_FD_BY_ID, id);
	assert_true(again >= 0);
	assert_int_equal(map_lookup(again, &key, &value), -ENOENT);
	close(again);
	close(prog);
	close(target);
}

/* A program in an array that it uses itself. */
static void test_circle(void **state)
{
	int array = create(), prog = caller(TC, array, 0, 5);
	uint32_t map = map_id(array), id = prog_id(prog);

	(void)state;
	assert_int_equal(put(array, 0, prog), 0);
	close(array);
	close(prog);
	assert_true(goes(BPF_PROG_GET_FD_BY_ID, id));
	assert_true(goes(BPF_MAP_GET_FD_BY_ID, map));
}

/* Result, with the reason in the log. */
static int refused(const struct bpf_insn *insns, unsigned count, const char *reason)
{
	static char log[65536];
	union test_attr t = {.a = {.prog_type = TC,
				   .insns = ptr64(insns),
				   .insn_cnt = count,
				   .license = ptr64("GPL"),
				   .log_level = 1,
				   .log_size = sizeof(log),
				   .log_buf = ptr64(log)}};
	int fd;

	log[0] = 0;
	fd = (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
	if (fd >= 0)
		close(fd);
	if (!strstr(log, reason))
		print_message("# no \"%s\" in:\n# %s\n", reason, log);
	assert_non_null(strstr(log, reason));
	return fd;
}

#define REFUSED(reason, ...)                                                                       \
	({                                                                                         \
		const struct bpf_insn insns_[] = {__VA_ARGS__};                                    \
		refused(insns_, sizeof(insns_) / sizeof(insns_[0]), reason);                       \
	})

static void test_refusals(void **state)
{
	int array = create(), plain = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);

	(void)state;
	assert_int_equal(REFUSED("expected prog array map for tail call",
				 TAIL_CALL(plain, 0), MOV_K(R0, 0), EXIT),
			 -EINVAL);
	assert_int_equal(REFUSED("cannot pass map_type 3 into func bpf_map_lookup_elem#1",
				 ST_K(W, R10, -4, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -4),
				 LD64_RAW(R1, BPF_PSEUDO_MAP_FD, array, 0), CALL(1), MOV_K(R0, 0),
				 EXIT),
			 -EINVAL);
	assert_int_equal(REFUSED("R1 type=scalar expected=ctx", MOV_K(R1, 0), TAIL_CALL(array, 0),
				 MOV_K(R0, 0), EXIT),
			 -EACCES);
	assert_int_equal(REFUSED("R2 type=scalar expected=map_ptr", MOV_K(R2, 0), MOV_K(R3, 0),
				 CALL(12), MOV_K(R0, 0), EXIT),
			 -EACCES);
	assert_int_equal(REFUSED("R0 !read_ok", TAIL_CALL(array, 0), EXIT), -EACCES);
	assert_int_equal(REFUSED("tail_call is not allowed in subprogs without BTF",
				 CALL_LOCAL(2), MOV_K(R0, 0), EXIT, TAIL_CALL(array, 0),
				 MOV_K(R0, 0), EXIT),
			 -EINVAL);
	/* The callers of one that may tail-call have less stack. */
	assert_int_equal(LOAD_SUBS((4), ST_K(DW, R10, -256, 0), CALL_LOCAL(2), MOV_K(R0, 0), EXIT,
				   TAIL_CALL(array, 0), MOV_K(R0, 0), EXIT),
			 -EACCES);
	/* A callback of bpf_loop() that has the context from its caller's stack. */
	assert_int_equal(LOAD_SUBS((9), ST_X(DW, R10, -8, R1), MOV_X(R3, R10), ALU64_K(ADD, R3, -8),
				   MOV_K(R1, 2), LD64_RAW(R2, BPF_PSEUDO_FUNC, 4, 0), MOV_K(R4, 0),
				   CALL(BPF_FUNC_loop), EXIT, LD(DW, R1, R2, 0),
				   TAIL_CALL(array, 0), MOV_K(R0, 0), EXIT),
			 -EFAULT);
	close(array);
	close(plain);
}

/* Programs have maps of their own, whoever calls them. */
static void test_own_maps(void **state)
{
	int array = create(), values[2], to, from;
	uint64_t value = 0;
	uint32_t key = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		values[i] = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);
	to = LOAD(TC, LD64_RAW(R1, BPF_PSEUDO_MAP_VALUE, values[1], 0), MOV_K(R2, 5),
		  ATOMIC(DW, ADD, R1, 0, R2), LD(DW, R0, R1, 0), EXIT);
	from = LOAD(TC, LD64_RAW(R4, BPF_PSEUDO_MAP_VALUE, values[0], 0), MOV_K(R5, 3),
		    ATOMIC(DW, ADD, R4, 0, R5), TAIL_CALL(array, 2), MOV_K(R0, 9), EXIT);
	assert_int_equal(put(array, 2, to), 0);
	assert_int_equal(run_once(from), 5);
	assert_int_equal(run_once(from), 10);
	assert_int_equal(map_lookup(values[0], &key, &value), 0);
	assert_int_equal(value, 6);
	for (int i = 0; i < 2; i++)
		close(values[i]);
	close(array);
	close(to);
	close(from);
}

/* fdinfo tells whose it is. */
static void test_fdinfo(void **state)
{
	int array = create(), prog = returns(TC, 1);
	char path[64], line[128];
	unsigned found = 0;
	FILE *f;

	(void)state;
	assert_int_equal(put(array, 0, prog), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", array);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		found += !strcmp(line, "owner_prog_type:\t3\n") ||
			 !strncmp(line, "owner_jited:\t", 13);
	fclose(f);
	assert_int_equal(found, 2);
	close(array);
	close(prog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_creation),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_owner_attach_type),
		cmocka_unit_test(test_tail_call),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_subprogram),
		cmocka_unit_test(test_subprogram_limit),
		cmocka_unit_test(test_keeps_programs),
		cmocka_unit_test(test_emptied),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_own_maps),
		cmocka_unit_test(test_fdinfo),
	};

	require_bpf();
	return run_tests(tests);
}
