/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_fields.c: special fields in map values as Linux 6.18 answers: which map types take which,
 * what the element commands make of their bytes, BPF_F_LOCK, spin locks in programs, and that
 * nobody who respects the lock ever sees half a value.
 */
#include <linux/btf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "vm/run.h"

/* BTF, built as it is needed. */

struct builder {
	uint32_t types[512], words, ids;
	char strings[512];
	uint32_t string_bytes;
};

static uint32_t put_words(struct builder *b, const uint32_t *words, unsigned count)
{
	memcpy(b->types + b->words, words, count * 4);
	b->words += count;
	return b->words;
}

#define PUT(b, ...)                                                                                \
	put_words(b, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)
#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))

static uint32_t put_name(struct builder *b, const char *name)
{
	uint32_t at = b->string_bytes;

	strcpy(b->strings + at, name);
	b->string_bytes += (uint32_t)strlen(name) + 1;
	return at;
}

/* A struct of as many integers of four or eight bytes as fit. */
static uint32_t put_plain_struct(struct builder *b, const char *name, uint32_t size)
{
	uint32_t each = size % 8 ? 4 : 8;

	PUT(b, put_name(b, name), INFO(BTF_KIND_STRUCT, size / each), size);
	for (uint32_t at = 0; at < size; at += each)
		PUT(b, put_name(b, "m"), each == 4 ? 1u : 2u, at * 8);
	return ++b->ids;
}

enum field { NONE, LOCK, RES_LOCK, TIMER, WQ, TASK_WORK, REFCOUNT, NR_FIELDS };

static const struct {
	const char *name;
	uint32_t size;
} fields[NR_FIELDS] = {
	[LOCK] = {"bpf_spin_lock", 4},	  [RES_LOCK] = {"bpf_res_spin_lock", 4},
	[TIMER] = {"bpf_timer", 16},	  [WQ] = {"bpf_wq", 16},
	[TASK_WORK] = {"bpf_task_work", 8}, [REFCOUNT] = {"bpf_refcount", 4},
};

enum shape { PLAIN, NESTED, ARRAY_1, ARRAY_2, TYPEDEF, UNION, ITSELF, WRONG_SIZE };

/* A value of 64 bytes with up to three fields. */
#define VALUE_BYTES 64u
struct layout {
	const char *name;
	enum shape shape;
	struct {
		enum field field;
		uint32_t offset;
	} at[3];
	int hash, percpu; /* what HASH and ARRAY, PERCPU_* say to it */
	bool special;	  /* the map has special fields, if it is created */
};

/* What a member of a shape has as its type. */
static uint32_t put_shape(struct builder *b, enum shape shape, uint32_t id, uint32_t size)
{
	switch (shape) {
	case NESTED:
	case UNION:
		PUT(b, put_name(b, "inner"),
		    INFO(shape == UNION ? BTF_KIND_UNION : BTF_KIND_STRUCT, 1), size,
		    put_name(b, "f"), id, 0);
		return ++b->ids;
	case ARRAY_1:
	case ARRAY_2:
		PUT(b, 0, INFO(BTF_KIND_ARRAY, 0), 0, id, 1, shape == ARRAY_1 ? 1 : 2);
		return ++b->ids;
	case TYPEDEF:
		PUT(b, put_name(b, "alias"), INFO(BTF_KIND_TYPEDEF, 0), id);
		return ++b->ids;
	default:
		return id;
	}
}

static int btf_load(const struct builder *b)
{
	struct btf_header header = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.type_len = b->words * 4,
		.str_off = b->words * 4,
		.str_len = b->string_bytes,
	};
	static uint8_t data[8192];
	union test_attr t = {.a = {.btf = ptr64(data)}};

	memcpy(data, &header, sizeof(header));
	memcpy(data + sizeof(header), b->types, header.type_len);
	memcpy(data + sizeof(header) + header.type_len, b->strings, header.str_len);
	t.a.btf_size = (uint32_t)sizeof(header) + header.type_len + header.str_len;
	return (int)bpf_sys(BPF_BTF_LOAD, &t, sizeof(union bpf_attr));
}

/* The BTF of a layout; *value_id and *size describe the value. */
static int layout_btf(const struct layout *l, uint32_t *value_id, uint32_t *size)
{
	struct builder b = {.string_bytes = 1};
	uint32_t ids[NR_FIELDS] = {0}, members[3], count = 0;

	PUT(&b, put_name(&b, "int"), INFO(BTF_KIND_INT, 0), 4, 0x1000020);
	PUT(&b, put_name(&b, "long"), INFO(BTF_KIND_INT, 0), 8, 0x1000040);
	b.ids = 2;
	for (; count < 3 && l->at[count].field; count++) {
		enum field field = l->at[count].field;
		uint32_t bytes = fields[field].size + (l->shape == WRONG_SIZE ? 8 : 0);

		if (!ids[field])
			ids[field] = put_plain_struct(&b, fields[field].name, bytes);
		members[count] = put_shape(&b, l->shape, ids[field], bytes);
	}
	*value_id = members[0];
	*size = fields[l->at[0].field].size;
	if (l->shape == ITSELF)
		return btf_load(&b);
	PUT(&b, put_name(&b, "value"), INFO(BTF_KIND_STRUCT, count), VALUE_BYTES);
	for (uint32_t i = 0; i < count; i++)
		PUT(&b, put_name(&b, "f"), members[i], l->at[i].offset * 8);
	*value_id = ++b.ids;
	*size = VALUE_BYTES;
	return btf_load(&b);
}

static int create_typed(uint32_t type, uint32_t size, uint32_t entries, uint32_t flags, int btf,
			uint32_t value_id)
{
	union test_attr t = {.a = {.map_type = type,
				   .key_size = 4,
				   .value_size = size,
				   .max_entries = entries,
				   .map_flags = flags,
				   .btf_fd = (uint32_t)btf,
				   .btf_key_type_id = 1,
				   .btf_value_type_id = value_id}};

	memcpy(t.a.map_name, "fields", 7);
	return (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
}

static int create(const struct layout *l, uint32_t type, uint32_t entries, uint32_t flags)
{
	uint32_t id, size;
	int btf = layout_btf(l, &id, &size), fd;

	if (btf < 0)
		return btf;
	fd = create_typed(type, size, entries, flags, btf, id);
	close(btf);
	return fd;
}

static int freeze(int fd)
{
	union test_attr t = {.a = {.map_fd = (uint32_t)fd}};

	return (int)bpf_sys(BPF_MAP_FREEZE, &t, sizeof(union bpf_attr));
}

static const struct layout locked = {"lock", PLAIN, {{LOCK, 4}}, 0, EOPNOTSUPP, true};
static const struct layout counted = {"refcount", PLAIN, {{REFCOUNT, 20}}, 0, 0, true};

static const struct layout layouts[] = {
	{"lock", PLAIN, {{LOCK, 4}}, 0, EOPNOTSUPP, true},
	{"lock at the end", PLAIN, {{LOCK, 60}}, 0, EOPNOTSUPP, true},
	{"resilient lock", PLAIN, {{RES_LOCK, 0}}, 0, EOPNOTSUPP, true},
	{"timer", PLAIN, {{TIMER, 8}}, 0, EOPNOTSUPP, true},
	{"wq", PLAIN, {{WQ, 8}}, 0, EOPNOTSUPP, true},
	{"task_work", PLAIN, {{TASK_WORK, 8}}, 0, EOPNOTSUPP, true},
	{"refcount", PLAIN, {{REFCOUNT, 20}}, 0, 0, true},
	{"two refcounts", PLAIN, {{REFCOUNT, 20}, {REFCOUNT, 24}}, 0, 0, true},
	{"lock, timer", PLAIN, {{LOCK, 0}, {TIMER, 8}}, 0, EOPNOTSUPP, true},
	{"timer, lock", PLAIN, {{TIMER, 0}, {LOCK, 16}}, 0, EOPNOTSUPP, true},
	{"timer, wq, task_work", PLAIN, {{TIMER, 0}, {WQ, 16}, {TASK_WORK, 32}}, 0, EOPNOTSUPP,
	 true},
	{"two timers", PLAIN, {{TIMER, 0}, {TIMER, 16}}, 0, 0, false},
	{"two wqs", PLAIN, {{WQ, 0}, {WQ, 16}}, 0, 0, false},
	{"two task_works", PLAIN, {{TASK_WORK, 0}, {TASK_WORK, 16}}, 0, 0, false},
	{"two timers, lock", PLAIN, {{TIMER, 0}, {TIMER, 16}, {LOCK, 32}}, 0, 0, false},
	{"misaligned timer", PLAIN, {{TIMER, 4}}, 0, 0, false},
	{"misaligned wq", PLAIN, {{WQ, 4}}, 0, 0, false},
	{"misaligned task_work", PLAIN, {{TASK_WORK, 4}}, 0, 0, false},
	{"misaligned timer, lock", PLAIN, {{TIMER, 4}, {LOCK, 20}}, 0, EOPNOTSUPP, true},
	{"both locks", PLAIN, {{LOCK, 0}, {RES_LOCK, 4}}, EINVAL, EINVAL, false},
	{"two locks", PLAIN, {{LOCK, 0}, {LOCK, 4}}, E2BIG, E2BIG, false},
	{"misaligned lock", PLAIN, {{LOCK, 2}}, EFAULT, EFAULT, false},
	{"nested lock", NESTED, {{LOCK, 8}}, 0, EOPNOTSUPP, true},
	{"nested timer", NESTED, {{TIMER, 8}}, 0, EOPNOTSUPP, true},
	{"nested two timers", NESTED, {{TIMER, 8}, {TIMER, 24}}, 0, EOPNOTSUPP, true},
	{"lock in array of 1", ARRAY_1, {{LOCK, 8}}, 0, EOPNOTSUPP, true},
	{"timer in array of 1", ARRAY_1, {{TIMER, 8}}, 0, EOPNOTSUPP, true},
	{"timer in array of 2", ARRAY_2, {{TIMER, 8}}, 0, 0, false},
	{"typedef of lock", TYPEDEF, {{LOCK, 8}}, 0, 0, false},
	{"typedef of timer", TYPEDEF, {{TIMER, 8}}, 0, 0, false},
	{"lock in union", UNION, {{LOCK, 8}}, 0, 0, false},
	{"timer in union", UNION, {{TIMER, 8}}, 0, 0, false},
	{"lock itself", ITSELF, {{LOCK, 0}}, 0, 0, false},
	{"timer itself", ITSELF, {{TIMER, 0}}, 0, 0, false},
	{"timer of wrong size", WRONG_SIZE, {{TIMER, 8}}, 0, 0, false},
};

/* Prints and counts, so that one run shows all. */
static int differs(const char *what, const char *which, long got, long expected)
{
	if (got == expected)
		return 0;
	print_error("%s, %s: %ld (expected %ld)\n", what, which, got, expected);
	return 1;
}

static bool has_lock(const struct layout *l)
{
	for (unsigned i = 0; i < 3; i++)
		if (l->at[i].field == LOCK || l->at[i].field == RES_LOCK)
			return true;
	return false;
}

static void test_types(void **state)
{
	static const struct {
		uint32_t type;
		bool percpu, locks;
		const char *name;
	} types[] = {
		{BPF_MAP_TYPE_HASH, false, true, "HASH"},
		{BPF_MAP_TYPE_ARRAY, false, true, "ARRAY"},
		{BPF_MAP_TYPE_PERCPU_HASH, true, false, "PERCPU_HASH"},
		{BPF_MAP_TYPE_PERCPU_ARRAY, true, false, "PERCPU_ARRAY"},
		{BPF_MAP_TYPE_LRU_HASH, false, false, "LRU_HASH"},
		{BPF_MAP_TYPE_LRU_PERCPU_HASH, true, false, "LRU_PERCPU_HASH"},
	};
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
		for (size_t j = 0; j < sizeof(types) / sizeof(*types); j++) {
			const struct layout *l = &layouts[i];
			int expected = types[j].percpu ? l->percpu : l->hash;
			int fd = map_create(types[j].type, 4, 8, 2, 0);

			if (fd < 0) /* a type that is not served at all */
				continue;
			close(fd);
			if (!expected && l->special && has_lock(l) && !types[j].locks)
				expected = EOPNOTSUPP;
			fd = create(l, types[j].type, 2, 0);
			bad += differs(l->name, types[j].name, fd < 0 ? fd : 0, -expected);
			if (fd < 0)
				continue;
			bad += differs(l->name, "freeze", freeze(fd),
				       l->special ? -ENOTSUPP : 0);
			close(fd);
			fd = create(l, types[j].type, 2, BPF_F_RDONLY_PROG);
			bad += differs(l->name, "RDONLY_PROG", fd < 0 ? fd : 0,
				       l->special ? -EACCES : 0);
			close(fd);
		}
	assert_int_equal(bad, 0);
}

static void test_access(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(create(&locked, BPF_MAP_TYPE_ARRAY, 1, BPF_F_WRONLY_PROG), -EACCES);
	assert_int_equal(create(&locked, BPF_MAP_TYPE_PERCPU_ARRAY, 1, BPF_F_WRONLY_PROG), -EACCES);
	assert_int_equal(create(&locked, BPF_MAP_TYPE_QUEUE, 1, 0), -EINVAL);
	fd = create(&locked, BPF_MAP_TYPE_ARRAY, 1, BPF_F_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(freeze(fd), -ENOTSUPP);
	close(fd);
	fd = create(&locked, BPF_MAP_TYPE_ARRAY, 1, BPF_F_MMAPABLE);
	assert_true(fd >= 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, ENOTSUPP);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), MAP_FAILED);
	assert_int_equal(errno, ENOTSUPP);
	close(fd);
}

/* All bytes of the value are 0xff, but a lock or timer is zero and a reference count is 1. */
static bool is_masked(const struct layout *l, const uint8_t *value)
{
	uint8_t expected[VALUE_BYTES];

	memset(expected, 0xff, sizeof(expected));
	for (unsigned i = 0; i < 3 && l->at[i].field; i++) {
		memset(expected + l->at[i].offset, 0, fields[l->at[i].field].size);
		expected[l->at[i].offset] = l->at[i].field == REFCOUNT;
	}
	return !memcmp(value, expected, sizeof(expected));
}

static int batch(int cmd, int fd, uint32_t *out, void *keys, void *values, uint32_t *count,
		 uint64_t elem_flags)
{
	union test_attr t = {.a.batch = {.map_fd = (uint32_t)fd,
					 .out_batch = ptr64(out),
					 .keys = ptr64(keys),
					 .values = ptr64(values),
					 .count = *count,
					 .elem_flags = elem_flags}};
	int err = (int)bpf_sys(cmd, &t, sizeof(union bpf_attr));

	*count = t.a.batch.count;
	return err;
}

static void check_bytes(const struct layout *l, uint32_t type, unsigned cpus)
{
	static uint8_t ones[VALUE_BYTES * 256], value[VALUE_BYTES * 256];
	int fd = create(l, type, 1, 0);
	uint32_t key = 0, count = 1, cursor;
	bool hash = type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_PERCPU_HASH;

	assert_true(fd >= 0);
	memset(ones, 0xff, sizeof(ones));
	for (int round = 0; round < 2; round++) {
		assert_int_equal(map_update(fd, &key, ones, BPF_ANY), 0);
		assert_int_equal(map_lookup(fd, &key, value), 0);
		for (unsigned i = 0; i < cpus; i++)
			assert_true(is_masked(l, value + (size_t)i * VALUE_BYTES));
	}
	memset(value, 0, sizeof(value));
	count = 1;
	batch(BPF_MAP_LOOKUP_BATCH, fd, &cursor, &key, value, &count, 0);
	assert_int_equal(count, 1);
	assert_true(is_masked(l, value + (size_t)(cpus - 1) * VALUE_BYTES));
	if (!hash)
		goto out;
	memset(value, 0, sizeof(value));
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &key, value, 0), 0);
	assert_true(is_masked(l, value));
	assert_int_equal(map_update(fd, &key, ones, BPF_ANY), 0);
	memset(value, 0, sizeof(value));
	count = 1;
	assert_int_equal(
		batch(BPF_MAP_LOOKUP_AND_DELETE_BATCH, fd, &cursor, &key, value, &count, 0),
		-ENOENT);
	assert_int_equal(count, 1);
	assert_true(is_masked(l, value));
out:
	close(fd);
}

static void test_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
		const struct layout *l = &layouts[i];

		if (l->shape != PLAIN || !l->special || !strncmp(l->name, "mis", 3))
			continue;
		check_bytes(l, BPF_MAP_TYPE_HASH, 1);
		check_bytes(l, BPF_MAP_TYPE_ARRAY, 1);
	}
	check_bytes(&counted, BPF_MAP_TYPE_PERCPU_HASH, possible_cpus());
	check_bytes(&counted, BPF_MAP_TYPE_PERCPU_ARRAY, possible_cpus());
}

/* BPF_F_LOCK. */

enum presence { ABSENT, PRESENT, BOTH };

static const struct flag_case {
	int cmd;
	uint64_t flags;
	enum presence key;
	int hash, array, lockless; /* lockless: a HASH without lock */
} flag_cases[] = {
	{BPF_MAP_LOOKUP_ELEM, 0, PRESENT, 0, 0, 0},
	{BPF_MAP_LOOKUP_ELEM, BPF_F_LOCK, PRESENT, 0, 0, EINVAL},
	{BPF_MAP_LOOKUP_ELEM, BPF_F_LOCK, ABSENT, ENOENT, ENOENT, EINVAL},
	{BPF_MAP_LOOKUP_ELEM, BPF_F_LOCK | 1, BOTH, EINVAL, EINVAL, EINVAL},
	{BPF_MAP_LOOKUP_ELEM, BPF_F_LOCK | 2, BOTH, EINVAL, EINVAL, EINVAL},
	{BPF_MAP_LOOKUP_ELEM, 8, BOTH, EINVAL, EINVAL, EINVAL},
	{BPF_MAP_UPDATE_ELEM, BPF_F_LOCK, PRESENT, 0, 0, EINVAL},
	{BPF_MAP_UPDATE_ELEM, BPF_F_LOCK, ABSENT, 0, E2BIG, EINVAL},
	{BPF_MAP_UPDATE_ELEM, BPF_F_LOCK | BPF_NOEXIST, PRESENT, EEXIST, EEXIST, EINVAL},
	{BPF_MAP_UPDATE_ELEM, BPF_F_LOCK | BPF_NOEXIST, ABSENT, 0, E2BIG, EINVAL},
	{BPF_MAP_UPDATE_ELEM, BPF_F_LOCK | BPF_EXIST, PRESENT, 0, 0, EINVAL},
	{BPF_MAP_UPDATE_ELEM, BPF_F_LOCK | BPF_EXIST, ABSENT, ENOENT, E2BIG, EINVAL},
	{BPF_MAP_UPDATE_ELEM, BPF_F_LOCK | 3, BOTH, EINVAL, EINVAL, EINVAL},
	{BPF_MAP_UPDATE_ELEM, BPF_F_LOCK | 8, BOTH, EINVAL, EINVAL, EINVAL},
	{BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_F_LOCK, PRESENT, 0, ENOTSUPP, EINVAL},
	{BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_F_LOCK, ABSENT, ENOENT, ENOTSUPP, EINVAL},
	{BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_F_LOCK | 1, BOTH, EINVAL, EINVAL, EINVAL},
};

static int ask_flags(const struct flag_case *c, const struct layout *l, uint32_t type, int expected,
		     const char *name)
{
	uint8_t value[VALUE_BYTES] = {1};
	int bad = 0;

	for (uint32_t key = 0; key < 2; key++) {
		int fd = create(l, type, 1, 0);
		uint32_t present = 0;
		char what[32];

		snprintf(what, sizeof(what), "cmd %d, flags %u", c->cmd, (unsigned)c->flags);
		assert_true(fd >= 0);
		if (type == BPF_MAP_TYPE_ARRAY || key == 0)
			assert_int_equal(map_update(fd, &present, value, BPF_ANY), 0);
		if (c->key == BOTH || c->key == (key ? ABSENT : PRESENT))
			bad += differs(what, name, map_elem(c->cmd, fd, &key, value, c->flags),
				       -expected);
		close(fd);
	}
	return bad;
}

static void test_flags(void **state)
{
	static const struct layout timer = {"timer", PLAIN, {{TIMER, 8}}, 0, 0, true};
	uint8_t value[VALUE_BYTES] = {0};
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(flag_cases) / sizeof(*flag_cases); i++) {
		const struct flag_case *c = &flag_cases[i];

		bad += ask_flags(c, &locked, BPF_MAP_TYPE_HASH, c->hash, "HASH");
		bad += ask_flags(c, &locked, BPF_MAP_TYPE_ARRAY, c->array, "ARRAY");
		bad += ask_flags(c, &timer, BPF_MAP_TYPE_HASH, c->lockless, "timer");
	}
	assert_int_equal(bad, 0);
	/* A resilient lock is none for this. */
	bad = create(&layouts[2], BPF_MAP_TYPE_HASH, 1, 0);
	assert_true(bad >= 0);
	assert_int_equal(map_update(bad, &(int){0}, value, BPF_F_LOCK), -EINVAL);
	close(bad);
}

static void test_batch_flags(void **state)
{
	static const int cmds[] = {BPF_MAP_UPDATE_BATCH, BPF_MAP_LOOKUP_BATCH,
				   BPF_MAP_LOOKUP_AND_DELETE_BATCH, BPF_MAP_DELETE_BATCH};
	static const struct layout timer = {"timer", PLAIN, {{TIMER, 8}}, 0, 0, true};
	uint32_t key = 0, cursor, count = 1;
	uint8_t value[VALUE_BYTES], array = 0;
	int fd = create(&locked, BPF_MAP_TYPE_HASH, 2, 0);
	int none = create(&timer, BPF_MAP_TYPE_HASH, 2, 0);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		if (cmds[i] == BPF_MAP_DELETE_BATCH)
			map_update(fd, &key, value, BPF_ANY);
		memset(value, 0xff, sizeof(value));
		count = 1;
		assert_int_equal(batch(cmds[i], fd, &cursor, &key, value, &count, BPF_F_LOCK),
				 i == 1 || i == 2 ? -ENOENT : 0);
		assert_int_equal(count, 1);
		if (i == 1 || i == 2)
			assert_true(is_masked(&locked, value));
		assert_int_equal(batch(cmds[i], fd, &cursor, &key, value, &count, 5), -EINVAL);
		assert_int_equal(batch(cmds[i], none, &cursor, &key, value, &count, BPF_F_LOCK),
				 -EINVAL);
	}
	close(none);
	close(fd);
	fd = create(&locked, BPF_MAP_TYPE_ARRAY, 1, 0);
	for (; array < 2; array++) {
		memset(value, 0xff, sizeof(value));
		count = 1;
		assert_int_equal(
			batch(cmds[array], fd, &cursor, &key, value, &count, BPF_F_LOCK), 0);
		assert_int_equal(count, 1);
	}
	assert_true(is_masked(&locked, value));
	close(fd);
}

/* The values of an inner map must have the fields of the template's. */
static void test_inner(void **state)
{
	int with = create(&locked, BPF_MAP_TYPE_ARRAY, 1, 0), again, outer;
	int without = map_create(BPF_MAP_TYPE_ARRAY, 4, VALUE_BYTES, 1, 0);
	union test_attr t = {.a = {.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
				   .key_size = 4,
				   .value_size = 4,
				   .max_entries = 1,
				   .inner_map_fd = (uint32_t)with}};
	int key = 0;

	(void)state;
	again = create(&locked, BPF_MAP_TYPE_ARRAY, 1, 0);
	outer = (int)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
	assert_true(outer >= 0);
	assert_int_equal(map_update(outer, &key, &with, 0), 0);
	assert_int_equal(map_update(outer, &key, &again, 0), 0);
	assert_int_equal(map_update(outer, &key, &without, 0), -EINVAL);
	close(outer);
	close(again);
	close(without);
	close(with);
}

/* Programs. */

/* R6 = value of key 0 of the map in fd, or the program ends with 99. */
#define LOOKUP(fd)                                                                                 \
	ST_K(W, R10, -4, 0), LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0), MOV_X(R2, R10),               \
		ALU64_K(ADD, R2, -4), CALL(BPF_FUNC_map_lookup_elem), J_K(JNE, R0, 0, 2),          \
		MOV_K(R0, 99), EXIT, MOV_X(R6, R0)
#define LOCK_AT(off) MOV_X(R1, R6), ALU64_K(ADD, R1, off), CALL(BPF_FUNC_spin_lock)
#define UNLOCK_AT(off) MOV_X(R1, R6), ALU64_K(ADD, R1, off), CALL(BPF_FUNC_spin_unlock)
#define RETURN(value) MOV_K(R0, value), EXIT

static char verifier_log[65536];

static int load(uint32_t type, const struct bpf_insn *insns)
{
	union test_attr t = {.a = {.prog_type = type,
				   .insns = ptr64(insns),
				   .insn_cnt = insn_count(insns),
				   .license = ptr64("GPL"),
				   .log_buf = ptr64(verifier_log),
				   .log_size = sizeof(verifier_log),
				   .log_level = 1}};

	verifier_log[0] = '\0';
	return (int)bpf_sys(BPF_PROG_LOAD, &t, sizeof(union bpf_attr));
}

static int run(int prog, uint32_t *retval)
{
	uint8_t packet[64] = {0};
	union test_attr t = {.a.test = {.prog_fd = (uint32_t)prog,
					.data_in = ptr64(packet),
					.data_size_in = sizeof(packet)}};
	int err = (int)bpf_sys(BPF_PROG_TEST_RUN, &t, sizeof(union bpf_attr));

	*retval = t.a.test.retval;
	return err;
}

static uint32_t load_and_run(const struct bpf_insn *insns)
{
	int prog = load(BPF_PROG_TYPE_SCHED_CLS, insns), err;
	uint32_t retval = 0;

	if (prog < 0)
		print_error("%s\n", verifier_log);
	assert_true(prog >= 0);
	err = run(prog, &retval);
	close(prog);
	assert_int_equal(err, 0);
	return retval;
}

static void check_program(uint32_t type)
{
	int fd = create(&locked, type, 1, 0);
	uint8_t value[VALUE_BYTES] = {0};
	const struct bpf_insn add[] = {LOOKUP(fd), LOCK_AT(4), LD(DW, R7, R6, 8),
				       ALU64_K(ADD, R7, 5), ST_X(DW, R6, 8, R7), UNLOCK_AT(4),
				       MOV_X(R0, R7), EXIT, {0}};

	assert_true(fd >= 0);
	value[8] = 1;
	assert_int_equal(map_update(fd, &(int){0}, value, BPF_ANY), 0);
	assert_int_equal(load_and_run(add), 6);
	assert_int_equal(load_and_run(add), 11);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_ELEM, fd, &(int){0}, value, BPF_F_LOCK), 0);
	assert_int_equal(value[8], 11);
	assert_int_equal(value[4] | value[5] | value[6] | value[7], 0);
	close(fd);
}

static void test_program(void **state)
{
	(void)state;
	check_program(BPF_MAP_TYPE_HASH);
	check_program(BPF_MAP_TYPE_ARRAY);
}

/* What a pointer taken before an update sees after it: by map type and flags. */
static void test_old_pointer(void **state)
{
	static const struct {
		uint32_t type;
		int flags;
		uint32_t seen;
	} cases[] = {
		{BPF_MAP_TYPE_HASH, BPF_ANY, 1},     {BPF_MAP_TYPE_HASH, BPF_F_LOCK, 2},
		{BPF_MAP_TYPE_HASH, BPF_F_LOCK | BPF_EXIST, 2},
		{BPF_MAP_TYPE_ARRAY, BPF_ANY, 2},    {BPF_MAP_TYPE_ARRAY, BPF_F_LOCK, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int fd = create(&locked, cases[i].type, 1, 0);
		uint8_t value[VALUE_BYTES] = {0};
		const struct bpf_insn insns[] = {
			LOOKUP(fd), MOV_K(R1, 0),
			ST_X(DW, R10, -72, R1), ST_K(DW, R10, -64, 2), ST_X(DW, R10, -56, R1),
			ST_X(DW, R10, -48, R1), ST_X(DW, R10, -40, R1), ST_X(DW, R10, -32, R1),
			ST_X(DW, R10, -24, R1), ST_X(DW, R10, -16, R1),
			LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0), MOV_X(R2, R10),
			ALU64_K(ADD, R2, -4), MOV_X(R3, R10), ALU64_K(ADD, R3, -72),
			MOV_K(R4, cases[i].flags),
			CALL(BPF_FUNC_map_update_elem), J_K(JEQ, R0, 0, 2), MOV_K(R0, 77), EXIT,
			LD(DW, R0, R6, 8), EXIT, {0}};

		value[8] = 1;
		assert_int_equal(map_update(fd, &(int){0}, value, BPF_ANY), 0);
		assert_int_equal(load_and_run(insns), cases[i].seen);
		assert_int_equal(map_lookup(fd, &(int){0}, value), 0);
		assert_int_equal(value[8], 2);
		close(fd);
	}
}

/* A section of variables, as libbpf makes maps of them: {lock, u32 at 4, u64 at 8}. */
static int create_section(void)
{
	struct builder b = {.string_bytes = 1};
	union test_attr t = {.a = {.map_type = BPF_MAP_TYPE_ARRAY,
				   .key_size = 4,
				   .value_size = 16,
				   .max_entries = 1}};
	uint32_t lock;
	int fd;

	PUT(&b, put_name(&b, "int"), INFO(BTF_KIND_INT, 0), 4, 0x1000020);
	PUT(&b, put_name(&b, "long"), INFO(BTF_KIND_INT, 0), 8, 0x1000040);
	b.ids = 2;
	lock = put_plain_struct(&b, "bpf_spin_lock", 4);
	PUT(&b, put_name(&b, "a"), INFO(BTF_KIND_VAR, 0), lock, 1);
	PUT(&b, put_name(&b, "b"), INFO(BTF_KIND_VAR, 0), 1, 1);
	PUT(&b, put_name(&b, "c"), INFO(BTF_KIND_VAR, 0), 2, 1);
	PUT(&b, put_name(&b, ".data.a"), INFO(BTF_KIND_DATASEC, 3), 16, lock + 1, 0, 4, lock + 2, 4,
	    4, lock + 3, 8, 8);
	fd = btf_load(&b);
	assert_true(fd >= 0);
	t.a.btf_fd = (uint32_t)fd;
	t.a.btf_value_type_id = lock + 4;
	lock = (uint32_t)bpf_sys(BPF_MAP_CREATE, &t, sizeof(union bpf_attr));
	close(fd);
	return (int)lock;
}

static void test_section(void **state)
{
	int fd = create_section();
	uint64_t value[2] = {~0ull, ~0ull};
	const struct bpf_insn insns[] = {LD64_RAW(R6, BPF_PSEUDO_MAP_VALUE, fd, 0), LOCK_AT(0),
					 ST_K(DW, R6, 8, 5), LD(W, R7, R6, 4), UNLOCK_AT(0),
					 MOV_X(R0, R7), EXIT, {0}};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(freeze(fd), -ENOTSUPP);
	assert_int_equal(map_elem(BPF_MAP_UPDATE_ELEM, fd, &(int){0}, value, BPF_F_LOCK), 0);
	assert_int_equal(load_and_run(insns), 0xffffffff);
	assert_int_equal(map_elem(BPF_MAP_LOOKUP_ELEM, fd, &(int){0}, value, BPF_F_LOCK), 0);
	assert_int_equal(value[0], 0xffffffff00000000ull);
	assert_int_equal(value[1], 5);
	close(fd);
}

/* Refused when it is loaded, with this line in the log. */
static int refused(const char *name, uint32_t type, const struct bpf_insn *insns, int error,
		   const char *line)
{
	int prog = load(type, insns), bad;

	if (prog >= 0)
		close(prog);
	bad = differs(name, "load", prog < 0 ? prog : 0, -error);
	if (!bad && line && !strstr(verifier_log, line)) {
		print_error("%s: \"%s\" is missing in\n%s\n", name, line, verifier_log);
		bad = 1;
	}
	return bad;
}

static void test_program_types(void **state)
{
	static const struct layout res = {"res", PLAIN, {{RES_LOCK, 0}}, 0, 0, true};
	static const struct layout timer = {"timer", PLAIN, {{TIMER, 0}}, 0, 0, true};
	static const struct layout wq = {"wq", PLAIN, {{WQ, 0}}, 0, 0, true};
	static const struct layout work = {"task_work", PLAIN, {{TASK_WORK, 0}}, 0, 0, true};
	static const struct {
		const struct layout *layout;
		uint32_t type;
		const char *line; /* NULL: accepted */
	} cases[] = {
		{&locked, BPF_PROG_TYPE_SOCKET_FILTER,
		 "socket filter progs cannot use bpf_spin_lock yet"},
		{&locked, BPF_PROG_TYPE_KPROBE, "tracing progs cannot use bpf_spin_lock yet"},
		{&locked, BPF_PROG_TYPE_TRACEPOINT, "tracing progs cannot use bpf_spin_lock yet"},
		{&locked, BPF_PROG_TYPE_PERF_EVENT, "tracing progs cannot use bpf_spin_lock yet"},
		{&locked, BPF_PROG_TYPE_RAW_TRACEPOINT,
		 "tracing progs cannot use bpf_spin_lock yet"},
		{&locked, BPF_PROG_TYPE_XDP, NULL},
		{&res, BPF_PROG_TYPE_SOCKET_FILTER,
		 "socket filter progs cannot use bpf_spin_lock yet"},
		{&res, BPF_PROG_TYPE_KPROBE, "tracing progs cannot use bpf_spin_lock yet"},
		{&res, BPF_PROG_TYPE_SCHED_CLS, NULL},
		{&timer, BPF_PROG_TYPE_SOCKET_FILTER, NULL},
		{&timer, BPF_PROG_TYPE_KPROBE, "tracing progs cannot use bpf_timer yet"},
		{&timer, BPF_PROG_TYPE_RAW_TRACEPOINT, "tracing progs cannot use bpf_timer yet"},
		{&wq, BPF_PROG_TYPE_SOCKET_FILTER, NULL},
		{&wq, BPF_PROG_TYPE_KPROBE, "tracing progs cannot use bpf_wq yet"},
		{&work, BPF_PROG_TYPE_KPROBE, NULL},
		{&counted, BPF_PROG_TYPE_KPROBE, NULL},
	};
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int fd = create(cases[i].layout, BPF_MAP_TYPE_HASH, 1, 0);
		const struct bpf_insn insns[] = {LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0), RETURN(0),
						 {0}};

		bad += refused(cases[i].layout->name, cases[i].type, insns,
			       cases[i].line ? EINVAL : 0, cases[i].line);
		close(fd);
	}
	assert_int_equal(bad, 0);
}

/* Structural: refused before anything runs. */
static void test_program_refused(void **state)
{
	int fd = create(&locked, BPF_MAP_TYPE_ARRAY, 1, 0), bad = 0;
	int none = create(&counted, BPF_MAP_TYPE_ARRAY, 1, 0);
	int untyped = map_create(BPF_MAP_TYPE_ARRAY, 4, VALUE_BYTES, 1, 0);
	const struct bpf_insn no_lock[] = {LOOKUP(none), LOCK_AT(4), UNLOCK_AT(4), RETURN(0), {0}};
	const struct bpf_insn no_btf[] = {LOOKUP(untyped), LOCK_AT(4), UNLOCK_AT(4), RETURN(0),
					  {0}};
	const struct bpf_insn call[] = {LOOKUP(fd), LOCK_AT(4), CALL(BPF_FUNC_ktime_get_ns),
					UNLOCK_AT(4), RETURN(0), {0}};
	const struct bpf_insn twice[] = {LOOKUP(fd), LOCK_AT(4), LOCK_AT(4), UNLOCK_AT(4),
					 RETURN(0), {0}};
	const struct bpf_insn left[] = {LOOKUP(fd), LOCK_AT(4), RETURN(0), {0}};

	(void)state;
	bad += refused("no lock", BPF_PROG_TYPE_SCHED_CLS, no_lock, EINVAL,
		       "map 'fields' has no valid bpf_spin_lock");
	bad += refused("no BTF", BPF_PROG_TYPE_SCHED_CLS, no_btf, EINVAL,
		       "map '' has to have BTF in order to use bpf_spin_lock");
	bad += refused("call inside", BPF_PROG_TYPE_SCHED_CLS, call, EINVAL,
		       "function calls are not allowed while holding a lock");
	bad += refused("lock inside", BPF_PROG_TYPE_SCHED_CLS, twice, EINVAL,
		       "function calls are not allowed while holding a lock");
	bad += refused("exit inside", BPF_PROG_TYPE_SCHED_CLS, left, EINVAL,
		       "BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed "
		       "region");
	assert_int_equal(bad, 0);
	close(fd);
	close(none);
	close(untyped);
}

/* Refused when it is loaded, or at the latest when it runs. The lock is free afterwards. */
static int never_works(const char *name, int map, const struct bpf_insn *insns)
{
	int prog = load(BPF_PROG_TYPE_SCHED_CLS, insns), err = prog;
	uint8_t value[VALUE_BYTES];
	uint32_t retval;

	if (prog >= 0) {
		err = run(prog, &retval);
		close(prog);
	}
	if (!map_elem(BPF_MAP_LOOKUP_ELEM, map, &(int){0}, value, BPF_F_LOCK) && err < 0)
		return 0;
	print_error("%s works\n", name);
	return 1;
}

static void test_program_faults(void **state)
{
	int fd = create(&locked, BPF_MAP_TYPE_ARRAY, 1, 0), bad = 0;
	int other = create(&locked, BPF_MAP_TYPE_ARRAY, 1, 0);
	/* A condition between lock and mistake, that no check of straight paths sees through. */
	const struct bpf_insn left[] = {LOOKUP(fd), LOCK_AT(4), LD(W, R7, R6, 8),
					J_K(JNE, R7, 1, 0), RETURN(0), {0}};
	const struct bpf_insn call[] = {LOOKUP(fd), LOCK_AT(4), LD(W, R7, R6, 8),
					J_K(JNE, R7, 1, 0), CALL(BPF_FUNC_ktime_get_ns),
					UNLOCK_AT(4), RETURN(0), {0}};
	const struct bpf_insn crash[] = {LOOKUP(fd), LOCK_AT(4), LD(W, R7, R6, 8), MOV_K(R7, 0),
					 ST_K(W, R7, 0, 1), UNLOCK_AT(4), RETURN(0), {0}};
	const struct bpf_insn unlock[] = {LOOKUP(fd), UNLOCK_AT(4), RETURN(0), {0}};
	const struct bpf_insn offset[] = {LOOKUP(fd), LOCK_AT(8), UNLOCK_AT(8), RETURN(0), {0}};
	const struct bpf_insn read[] = {LOOKUP(fd), LD(W, R0, R6, 4), EXIT, {0}};
	const struct bpf_insn wide[] = {LOOKUP(fd), LD(DW, R0, R6, 0), EXIT, {0}};
	const struct bpf_insn byte[] = {LOOKUP(fd), LD(B, R0, R6, 7), EXIT, {0}};
	const struct bpf_insn store[] = {LOOKUP(fd), ST_K(W, R6, 4, 1), RETURN(0), {0}};
	const struct bpf_insn pass[] = {LOOKUP(fd), ST_K(W, R10, -4, 0),
					LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0), MOV_X(R2, R10),
					ALU64_K(ADD, R2, -4), MOV_X(R3, R6), MOV_K(R4, 0),
					CALL(BPF_FUNC_map_update_elem), RETURN(0), {0}};
	const struct bpf_insn wrong[] = {LOOKUP(other), MOV_X(R8, R6), LOOKUP(fd), LOCK_AT(4),
					 MOV_X(R1, R8), ALU64_K(ADD, R1, 4),
					 CALL(BPF_FUNC_spin_unlock), RETURN(0), {0}};

	(void)state;
	bad += never_works("exit while locked", fd, left);
	bad += never_works("call while locked", fd, call);
	bad += never_works("fault while locked", fd, crash);
	bad += never_works("unlock without lock", fd, unlock);
	bad += never_works("lock at another offset", fd, offset);
	bad += never_works("load of a lock", fd, read);
	bad += never_works("wide load over a lock", fd, wide);
	bad += never_works("load of a lock's byte", fd, byte);
	bad += never_works("store to a lock", fd, store);
	bad += never_works("value with lock as argument", fd, pass);
	bad += never_works("unlock of another", fd, wrong);
	assert_int_equal(bad, 0);
	close(fd);
	close(other);
}

/* The parts of a value beside its lock are ordinary memory, also as arguments. */
static void test_program_parts(void **state)
{
	int fd = create(&locked, BPF_MAP_TYPE_ARRAY, 1, 0);
	const struct bpf_insn insns[] = {
		LOOKUP(fd), ST_K(W, R6, 0, 0), ST_K(W, R6, 8, 3), ST_K(DW, R6, 56, 4),
		LD64_RAW(R1, BPF_PSEUDO_MAP_FD, fd, 0), MOV_X(R2, R6), /* the key is in the value */
		CALL(BPF_FUNC_map_lookup_elem), J_K(JNE, R0, 0, 1), EXIT, LD(DW, R1, R0, 56),
		LD(W, R0, R0, 8), ALU64_X(ADD, R0, R1), EXIT, {0}};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(load_and_run(insns), 7);
	close(fd);
}

/* Nobody sees half a value. */

#define ROUND_MS 300

struct team {
	int map, prog;
	bool stop;
	int torn;
	unsigned long done;
};

static bool is_torn(const uint8_t *value)
{
	for (unsigned i = 8; i < VALUE_BYTES; i++)
		if (value[i] != value[8])
			return true;
	return value[0] != value[8];
}

static void *write_values(void *arg)
{
	struct team *team = arg;
	uint8_t value[VALUE_BYTES];
	unsigned char n = 0;

	while (!__atomic_load_n(&team->stop, __ATOMIC_RELAXED)) {
		memset(value, n++, sizeof(value));
		if (map_update(team->map, &(int){0}, value, BPF_F_LOCK))
			__atomic_fetch_add(&team->torn, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&team->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *run_programs(void *arg)
{
	struct team *team = arg;
	uint32_t retval;

	while (!__atomic_load_n(&team->stop, __ATOMIC_RELAXED)) {
		if (run(team->prog, &retval) || retval)
			__atomic_fetch_add(&team->torn, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&team->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *read_values(void *arg)
{
	struct team *team = arg;
	uint8_t value[VALUE_BYTES];
	uint32_t cursor, key, count;

	while (!__atomic_load_n(&team->stop, __ATOMIC_RELAXED)) {
		if (map_elem(BPF_MAP_LOOKUP_ELEM, team->map, &(int){0}, value, BPF_F_LOCK) ||
		    is_torn(value))
			__atomic_fetch_add(&team->torn, 1, __ATOMIC_RELAXED);
		count = 1;
		batch(BPF_MAP_LOOKUP_BATCH, team->map, &cursor, &key, value, &count, BPF_F_LOCK);
		if (count != 1 || is_torn(value))
			__atomic_fetch_add(&team->torn, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Adds 0x0101... to each word under the lock; 1 if the words were not all the same. */
static int load_adder(int map)
{
	const struct bpf_insn insns[] = {
		LOOKUP(map), LD64(R9, 0x0101010101010101ull), MOV_K(R8, 0), LOCK_AT(4),
		LD(DW, R7, R6, 8), LD(DW, R2, R6, 16), J_X(JEQ, R2, R7, 1), MOV_K(R8, 1),
		LD(DW, R2, R6, 56), J_X(JEQ, R2, R7, 1), MOV_K(R8, 1),
		ALU64_X(AND, R7, R9), ALU64_X(XOR, R7, R9),
		ST_X(W, R6, 0, R7), ST_X(DW, R6, 8, R7), ST_X(DW, R6, 16, R7), ST_X(DW, R6, 24, R7),
		ST_X(DW, R6, 32, R7), ST_X(DW, R6, 40, R7), ST_X(DW, R6, 48, R7),
		ST_X(DW, R6, 56, R7), UNLOCK_AT(4), MOV_X(R0, R8), EXIT, {0}};

	return load(BPF_PROG_TYPE_SCHED_CLS, insns);
}

static void check_tearing(uint32_t type)
{
	static void *(*const parts[])(void *) = {write_values, write_values, run_programs,
						 read_values, read_values};
	struct team team = {.map = create(&locked, type, 1, 0)};
	uint8_t value[VALUE_BYTES] = {0};
	pthread_t threads[5];

	assert_true(team.map >= 0);
	assert_int_equal(map_update(team.map, &(int){0}, value, BPF_ANY), 0);
	team.prog = load_adder(team.map);
	if (team.prog < 0)
		print_error("%s\n", verifier_log);
	assert_true(team.prog >= 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, parts[i], &team), 0);
	usleep(ROUND_MS * 1000);
	__atomic_store_n(&team.stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(team.torn, 0);
	assert_true(team.done > 100);
	close(team.prog);
	close(team.map);
}

static void test_tearing(void **state)
{
	(void)state;
	check_tearing(BPF_MAP_TYPE_HASH);
	check_tearing(BPF_MAP_TYPE_ARRAY);
}

/* Writers are killed at any instant; those who come after them get the lock. */
static void check_killed(uint32_t type, void *(*work)(void *))
{
	struct team team = {.map = create(&locked, type, 1, 0)};
	uint8_t value[VALUE_BYTES] = {0};

	assert_true(team.map >= 0);
	assert_int_equal(map_update(team.map, &(int){0}, value, BPF_ANY), 0);
	team.prog = load_adder(team.map);
	for (unsigned round = 0; round < 40; round++) {
		pid_t child = fork();

		if (!child) {
			work(&team);
			_exit(0);
		}
		usleep(1000 + round * 37);
		kill(child, SIGKILL);
		assert_int_equal(map_update(team.map, &(int){0}, value, BPF_F_LOCK), 0);
		assert_int_equal(map_elem(BPF_MAP_LOOKUP_ELEM, team.map, &(int){0}, value,
					  BPF_F_LOCK), 0);
		waitpid(child, NULL, 0);
	}
	close(team.prog);
	close(team.map);
}

static void test_killed(void **state)
{
	(void)state;
	check_killed(BPF_MAP_TYPE_HASH, write_values);
	check_killed(BPF_MAP_TYPE_ARRAY, write_values);
	check_killed(BPF_MAP_TYPE_HASH, run_programs);
	check_killed(BPF_MAP_TYPE_HASH, read_values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_batch_flags),
		cmocka_unit_test(test_inner),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_old_pointer),
		cmocka_unit_test(test_section),
		cmocka_unit_test(test_program_types),
		cmocka_unit_test(test_program_refused),
		cmocka_unit_test(test_program_faults),
		cmocka_unit_test(test_program_parts),
		cmocka_unit_test(test_tearing),
		cmocka_unit_test(test_killed),
	};

	require_bpf();
	return run_tests(tests);
}
