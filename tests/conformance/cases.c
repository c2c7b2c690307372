/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * cases.c: the table of cases: every command on a small map of every type, in every state, with
 * every kind of key, pointer and flag. Rows are data and are multiplied; names say which row it is.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include <linux/perf_event.h>

#include "conformance.h"

#define SLOT (MAX_CPUS * 8) /* room for a value of a small map */

void answer(const struct type *type, const char *command, const char *name, const char *format, ...)
{
	va_list args;

	printf("%s %s %s: ", type->name, command, name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* Maps */

int inner_map(void)
{
	static int fd;

	if (!fd)
		fd = map_create(BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
	return fd;
}

int inner_program(void)
{
	static int fd;

	if (!fd)
		fd = program_returning(BPF_PROG_TYPE_SCHED_CLS, 0, 0);
	return fd;
}

static int inner_object(const struct type *type)
{
	if (type->traits & EVENTS)
		return perf_event();
	return type->traits & PROGRAMS ? inner_program() : inner_map();
}

int perf_event(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_BPF_OUTPUT,
				       .sample_type = PERF_SAMPLE_RAW};
	static int fd;

	if (!fd)
		fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
	return fd;
}

unsigned small_key_size(const struct type *type)
{
	return type->traits & KEYLESS ? 0 : type->traits & (PREFIXES | ATTACHED) ? SMALL_KEY_MAX : 4;
}

unsigned small_value_size(const struct type *type)
{
	if (type->traits & TABLE)
		return table()->size;
	if (type->traits & (RECORDS | PAGES))
		return 0;
	if (type->traits & SOCKETS && type->traits & WIDE) /* or no lookup shows them */
		return 8;
	return type->traits & (OBJECTS | EVENTS | NAMES) ? 4 : 8;
}

/* Prefixes: some that contain others, some that are not there, one that is too long. */
void small_key(const struct type *type, uint32_t number, uint8_t key[SMALL_KEY_MAX])
{
	static const uint8_t prefixes[][SMALL_KEY_MAX] = {
		{8, 0, 0, 0, 10},          {16, 0, 0, 0, 10, 1, 7}, {0, 0, 0, 0, 99},
		{32, 0, 0, 0, 10, 1, 2, 3}, {24, 0, 0, 0, 10, 1, 2}, {31, 0, 0, 0, 10, 1, 2, 2},
		{32, 0, 0, 0, 192, 0, 2, 1}, {33, 0, 0, 0, 10, 1, 2, 3}};

	memset(key, 0, SMALL_KEY_MAX);
	if (type->traits & OWNED)
		memcpy(key, &(int){owner(type, number)}, 4);
	else if (type->traits & PREFIXES)
		memcpy(key, prefixes[number < LENGTH(prefixes) ? number : LENGTH(prefixes) - 1],
		       SMALL_KEY_MAX);
	else
		memcpy(key, &number, 4);
}

static unsigned small_entries(const struct type *type)
{
	if (type->traits & RECORDS)
		return 4096;
	if (type->traits & (OWNED | ATTACHED))
		return 0;
	return type->traits & TABLE ? 1 : SMALL_ENTRIES;
}

static unsigned small_flags(const struct type *type)
{
	return type->traits & (PREFIXES | OWNED) ? BPF_F_NO_PREALLOC
	       : type->traits & PAGES		 ? BPF_F_MMAPABLE
						 : 0;
}

union test_attr small_map(const struct type *type)
{
	union test_attr t = {.a = {.map_type = type->id,
				   .key_size = small_key_size(type),
				   .value_size = small_value_size(type),
				   .max_entries = small_entries(type),
				   .map_flags = small_flags(type),
				   .map_extra = type->traits & FILTER ? 15 : 0,
				   .inner_map_fd = (uint32_t)inner_map()}};

	if (type->traits & (OWNED | TABLE))
		t.a.btf_fd = (uint32_t)btf_of_value(8);
	if (type->traits & TABLE)
		t.a.btf_vmlinux_value_type_id = table()->type;
	if (type->traits & OWNED) {
		t.a.btf_key_type_id = BTF_KEY_ID;
		t.a.btf_value_type_id = BTF_VALUE_ID;
	}
	return t;
}

int create_small(const struct type *type, unsigned flags)
{
	union test_attr t = small_map(type);

	names_renew();
	t.a.map_flags |= flags;
	return (int)bpf_sys(BPF_MAP_CREATE, &t, ATTR_SIZE);
}

uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	union test_attr t = {.a = {.info = {.bpf_fd = (uint32_t)fd,
					    .info_len = sizeof(info),
					    .info = ptr64(&info)}}};

	/* A program's info has its id in the same place, and more behind. */
	return bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, ATTR_SIZE) ? 0 : info.id;
}

int map_reopen(int fd, unsigned flags)
{
	union test_attr t = {.a = {.map_id = map_id(fd), .open_flags = flags}};

	return (int)bpf_sys(BPF_MAP_GET_FD_BY_ID, &t, ATTR_SIZE);
}

/* A value that tells its number; or a descriptor of the object that is one. */
static void make_value(const struct type *type, unsigned number, uint8_t *value)
{
	memset(value, 0, SLOT);
	if (type->traits & (OBJECTS | EVENTS))
		memcpy(value, &(int){inner_object(type)}, 4);
	else if (type->traits & NAMES)
		memcpy(value, &(uint32_t){name_of(type, number)}, 4);
	else if (!(type->traits & TABLE))
		for (unsigned cpu = 0; cpu < cpus; cpu++)
			memset(value + cpu * 8, (int)(16 * number + cpu), 8);
}

/* Every CPU's value as text; the object's id as "inner". */
static const char *value_text(const struct type *type, uint8_t *value)
{
	const uint32_t id = map_id(inner_object(type));

	if (type->traits & OBJECTS)
		return memcmp(value, &id, 4) ? bytes_text(value, 4) : "inner";
	if (type->traits & NAMES)
		name_hide(type, value);
	return bytes_text(value, type->traits & PER_CPU ? cpus * 8 : 8);
}

/* States of a small map, and through which descriptor it is used. */
enum state { EMPTY, SOME, FULL, FROZEN, READ_ONLY, WRITE_ONLY, NR_STATES };
static const char *const state_names[NR_STATES] = {"empty",  "some",   "full",
						   "frozen", "rdonly", "wronly"};

struct subject {
	const struct type *type;
	enum state state;
	int own, fd; /* the map; the descriptor that is used */
	bool is_fresh;
};

static void freeze(int fd)
{
	union test_attr t = {.a = {.map_fd = (uint32_t)fd}};

	bpf_sys(BPF_MAP_FREEZE, &t, ATTR_SIZE);
}

/* Outer maps in one batch: after each call that changes one the kernel waits for programs. */
void fill_small(const struct type *type, int fd, uint32_t count)
{
	const uint32_t keys[SMALL_ENTRIES] = {0, 1, 2, 3};
	const int inner[SMALL_ENTRIES] = {inner_map(), inner_map(), inner_map(), inner_map()};
	uint8_t key[SMALL_KEY_MAX], value[SLOT];

	if (type->traits & OUTER) {
		union test_attr t = {.a = {.batch = {.map_fd = (uint32_t)fd,
						     .count = count,
						     .keys = ptr64(keys),
						     .values = ptr64(inner)}}};

		bpf_sys(BPF_MAP_UPDATE_BATCH, &t, ATTR_SIZE);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		small_key(type, i, key);
		make_value(type, i + 1, value);
		element(BPF_MAP_UPDATE_ELEM, fd, type->traits & KEYLESS ? NULL : key, value,
			BPF_ANY);
	}
}

static void drop(struct subject *s)
{
	close(s->own);
	if (s->fd != s->own)
		close(s->fd);
}

/* The map in its state, made anew if it was changed. */
static void prepare(struct subject *s, const struct type *type, enum state state)
{
	if (s->is_fresh && s->type == type && s->state == state)
		return;
	if (s->type)
		drop(s);
	*s = (struct subject){.type = type, .state = state, .is_fresh = true};
	s->own = create_small(type, 0);
	fill_small(type, s->own, state == EMPTY ? 0 : state == FULL ? SMALL_ENTRIES : 2);
	s->fd = state == READ_ONLY    ? map_reopen(s->own, BPF_F_RDONLY)
		: state == WRITE_ONLY ? map_reopen(s->own, BPF_F_WRONLY)
				      : s->own;
	if (state == FROZEN)
		freeze(s->own);
}

/* Element commands */

static const struct key_row {
	const char *name;
	uint32_t key;
	int pointer; /* 0 good, 1 NULL, 2 bad */
} key_rows[] = {{"first", 0, 0},
		{"second", 1, 0},
		{"last", SMALL_ENTRIES - 1, 0},
		{"beyond", SMALL_ENTRIES, 0},
		{"ffffffff", 0xffffffff, 0},
		{"NULL", 0, 1},
		{"bad", 0, 2}};

static const struct command_row {
	const char *name;
	int command;
	bool writes; /* what the pointer points to is input */
	uint64_t flags[8];
	unsigned nr_flags;
} command_rows[] = {
	{"LOOKUP_ELEM", BPF_MAP_LOOKUP_ELEM, false, {0, 1, 4, 8, 1ull << 63}, 5},
	{"UPDATE_ELEM", BPF_MAP_UPDATE_ELEM, true, {0, 1, 2, 3, 4, 8, 1ull << 32}, 7},
	{"DELETE_ELEM", BPF_MAP_DELETE_ELEM, false, {0, 1}, 2},
	{"GET_NEXT_KEY", BPF_MAP_GET_NEXT_KEY, false, {0, 1}, 2},
	{"LOOKUP_AND_DELETE_ELEM", BPF_MAP_LOOKUP_AND_DELETE_ELEM, false, {0, 2, 4, 16}, 4},
};

/* The order of a hash does not show: a key that is there, or none, or the end. */
static const char *key_text(const struct subject *s, const uint8_t *key)
{
	uint32_t number;

	memcpy(&number, key, 4);
	if (s->type->traits & HASHED)
		return number < SMALL_ENTRIES ? "a key" : "no key";
	return bytes_text(key, small_key_size(s->type));
}

static void element_case(struct subject *s, const struct command_row *c, const struct key_row *k,
			 uint64_t flags, int pointer)
{
	const bool is_walk = c->command == BPF_MAP_GET_NEXT_KEY;
	const bool has_value = c->command != BPF_MAP_DELETE_ELEM;
	uint8_t value[SLOT], small[SMALL_KEY_MAX];
	char name[96];
	void *key = k->pointer == 0 ? (void *)small : k->pointer == 1 ? NULL : (void *)no_memory;
	void *at = !has_value     ? NULL
		   : pointer == 0 ? value
		   : pointer == 1 ? NULL
				  : (void *)no_memory;
	int err;

	snprintf(name, sizeof(name), "%s key=%s flags=%llx%s", state_names[s->state], k->name,
		 (unsigned long long)flags,
		 pointer == 1 ? " value=NULL"
		 : pointer    ? " value=bad"
			      : "");
	/* Whether the key is the last of a hash is open, with more than one. */
	if (is_walk && s->type->traits & HASHED && s->state != EMPTY && k->pointer == 0 &&
	    k->key < (s->state == FULL ? SMALL_ENTRIES : 2))
		return;
	small_key(s->type, k->key, small);
	make_value(s->type, s->type->traits & FILTER ? 1 : 9, value);
	if (!c->writes && !(s->type->traits & FILTER))
		memset(value, 0xaa, sizeof(value));
	err = element(c->command, s->fd, key, at, flags);
	s->is_fresh = c->command == BPF_MAP_LOOKUP_ELEM || is_walk ||
		      (err && err != -EFAULT && !(s->type->traits & LRU));
	if (err || !has_value || c->writes)
		answer(s->type, c->name, name, "%s", result_name(err));
	else
		answer(s->type, c->name, name, "0 %s",
		       is_walk ? key_text(s, value) : value_text(s->type, value));
}

static void element_cases(const struct type *type)
{
	struct subject s = {0};

	for (unsigned c = 0; c < LENGTH(command_rows); c++)
		for (unsigned state = 0; state < NR_STATES; state++)
			for (unsigned k = 0; k < LENGTH(key_rows); k++) {
				const struct command_row *row = &command_rows[c];

				for (unsigned f = 0; f < row->nr_flags; f++) {
					prepare(&s, type, state);
					element_case(&s, row, &key_rows[k], row->flags[f], 0);
				}
				for (int pointer = 1; pointer < 3; pointer++) {
					prepare(&s, type, state);
					element_case(&s, row, &key_rows[k], 0, pointer);
				}
			}
	drop(&s);
}

/* Batch commands */

static const struct {
	const char *name;
	int command;
} batch_commands[] = {{"LOOKUP_BATCH", BPF_MAP_LOOKUP_BATCH},
		      {"LOOKUP_AND_DELETE_BATCH", BPF_MAP_LOOKUP_AND_DELETE_BATCH},
		      {"UPDATE_BATCH", BPF_MAP_UPDATE_BATCH},
		      {"DELETE_BATCH", BPF_MAP_DELETE_BATCH}};

/* Where a count cuts a hash in two is open, so the counts are none, or enough for all. */
static const struct batch_row {
	const char *name;
	uint32_t count;
	uint64_t elem_flags, flags;
	enum { KEYS_GOOD, KEYS_NULL } keys;
	enum { VALUES_GOOD, VALUES_NULL } values;
	enum { OUT_GOOD, OUT_NULL } out;
	enum { IN_NULL, IN_BEYOND, IN_BAD } in;
} batch_rows[] = {
	{"count=0", .count = 0},
	{"count=0 pointers=NULL", .count = 0, .keys = 1, .values = 1, .out = 1},
	{"count=4", .count = 4},
	{"count=8", .count = 8},
	{"count=ffffffff", .count = 0xffffffff, .elem_flags = 1},
	{"elem_flags=1", .count = 8, .elem_flags = 1},
	{"elem_flags=2", .count = 8, .elem_flags = 2},
	{"elem_flags=4", .count = 8, .elem_flags = 4},
	{"elem_flags=8", .count = 8, .elem_flags = 8},
	{"elem_flags=high", .count = 8, .elem_flags = 1ull << 32},
	{"flags=1", .count = 8, .flags = 1},
	{"flags=4", .count = 8, .flags = 4},
	{"flags=high", .count = 8, .flags = 1ull << 63},
	{"keys=NULL", .count = 8, .keys = KEYS_NULL},
	{"values=NULL", .count = 8, .values = VALUES_NULL},
	{"out=NULL", .count = 8, .out = OUT_NULL},
	{"in=beyond", .count = 8, .in = IN_BEYOND},
	{"in=bad", .count = 8, .in = IN_BAD},
};

static int number_order(const void *a, const void *b)
{
	return memcmp(a, b, 4);
}

/* Where the order is open. */
static void sort_keys(const struct type *type, uint8_t *keys, uint32_t count)
{
	if (!(type->traits & PREFIXES))
		qsort(keys, count, 4, number_order);
}

static void batch_case(struct subject *s, unsigned command, const struct batch_row *row)
{
	uint8_t keys[16 * SMALL_KEY_MAX], beyond[SMALL_KEY_MAX], cursor[SMALL_KEY_MAX];
	static uint8_t values[16 * SLOT];
	const unsigned key_size = s->type->traits & KEYLESS ? 4 : small_key_size(s->type);
	const bool reads = command < 2, per_cpu = s->type->traits & PER_CPU;
	const unsigned size = per_cpu ? cpus * 8 : small_value_size(s->type);
	union test_attr t = {.a = {.batch = {.count = row->count,
					     .map_fd = (uint32_t)s->fd,
					     .elem_flags = row->elem_flags,
					     .flags = row->flags}}};
	char name[96];
	int err;

	for (unsigned i = 0; i < 8; i++) {
		uint8_t value[SLOT];

		small_key(s->type, i, keys + i * key_size);
		make_value(s->type, i + 3, value);
		memcpy(values + i * size, value, size);
	}
	small_key(s->type, 0xffffffff, beyond);
	t.a.batch.keys = ptr64(row->keys ? NULL : keys);
	t.a.batch.values = ptr64(row->values ? NULL : values);
	t.a.batch.out_batch = ptr64(row->out ? NULL : cursor);
	t.a.batch.in_batch = ptr64(row->in == IN_BEYOND ? (void *)beyond
				   : row->in            ? no_memory
							: NULL);
	err = (int)bpf_sys(batch_commands[command].command, &t, ATTR_SIZE);
	s->is_fresh = false;
	snprintf(name, sizeof(name), "%s %s", state_names[s->state], row->name);
	if (reads && t.a.batch.count <= 8 && (!err || err == -ENOENT))
		sort_keys(s->type, keys, t.a.batch.count);
	answer(s->type, batch_commands[command].name, name, "%s %u %s", result_name(err),
	       t.a.batch.count,
	       reads && t.a.batch.count <= 8 && (!err || err == -ENOENT)
		       ? bytes_text(keys, key_size * t.a.batch.count)
		       : "");
}

static void batch_cases(const struct type *type)
{
	struct subject s = {0};

	for (unsigned c = 0; c < LENGTH(batch_commands); c++)
		for (unsigned state = 0; state < NR_STATES; state++)
			for (unsigned r = 0; r < LENGTH(batch_rows); r++) {
				prepare(&s, type, state);
				batch_case(&s, c, &batch_rows[r]);
			}
	drop(&s);
}

/* FREEZE, OBJ_GET_INFO_BY_FD, access modes */

static void freeze_cases(const struct type *type)
{
	struct subject s = {0};

	for (unsigned state = 0; state < NR_STATES; state++) {
		union test_attr t = {0};
		char name[32];

		prepare(&s, type, state);
		s.is_fresh = false;
		t.a.map_fd = (uint32_t)s.fd;
		snprintf(name, sizeof(name), "%s", state_names[state]);
		answer(type, "FREEZE", name, "%s",
		       result_name(bpf_sys(BPF_MAP_FREEZE, &t, ATTR_SIZE)));
		snprintf(name, sizeof(name), "%s again", state_names[state]);
		answer(type, "FREEZE", name, "%s",
		       result_name(bpf_sys(BPF_MAP_FREEZE, &t, ATTR_SIZE)));
	}
	drop(&s);
}

static void info_cases(const struct type *type)
{
	static const unsigned lengths[] = {0,  4,   7,   24,  40,  64,   80,
					   96, 100, 104, 105, 120, 4096, 4097};
	int fd = create_small(type, 0);

	for (unsigned i = 0; i < LENGTH(lengths); i++) {
		union {
			struct bpf_map_info info;
			uint8_t bytes[8192];
		} u = {0};
		union test_attr t = {.a = {.info = {.bpf_fd = (uint32_t)fd,
						    .info_len = lengths[i],
						    .info = ptr64(&u)}}};
		long err = bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, ATTR_SIZE);
		char name[32];

		u.info.id = lengths[i] >= 8 && u.info.id;
		u.info.btf_id = lengths[i] >= 68 && u.info.btf_id;
		snprintf(name, sizeof(name), "length=%u", lengths[i]);
		answer(type, "OBJ_GET_INFO_BY_FD", name, "%s %u %s", result_name(err),
		       t.a.info.info_len, bytes_text(&u, 4096));
	}
	close(fd);
}

static void open_cases(const struct type *type)
{
	static const unsigned flags[] = {0,
					 1,
					 2,
					 4,
					 BPF_F_RDONLY,
					 BPF_F_WRONLY,
					 BPF_F_RDONLY | BPF_F_WRONLY,
					 BPF_F_RDONLY_PROG,
					 1u << 31};
	static const char *const modes[] = {"rdonly", "wronly", "rdwr", "?"};
	int fd = create_small(type, 0);

	for (unsigned i = 0; i < LENGTH(flags); i++) {
		int other = map_reopen(fd, flags[i]);
		char name[32];

		snprintf(name, sizeof(name), "open_flags=%x", flags[i]);
		answer(type, "MAP_GET_FD_BY_ID", name, "%s",
		       other < 0 ? result_name(other) : modes[fcntl(other, F_GETFL) & O_ACCMODE]);
		if (other >= 0)
			close(other);
	}
	close(fd);
}

/* mmap */

static const struct mmap_row {
	const char *name;
	int prot, flags;
	unsigned pages;
	long offset;
} mmap_rows[] = {
	{"read", PROT_READ, MAP_SHARED, 1, 0},
	{"write", PROT_READ | PROT_WRITE, MAP_SHARED, 1, 0},
	{"write only", PROT_WRITE, MAP_SHARED, 1, 0},
	{"none", PROT_NONE, MAP_SHARED, 1, 0},
	{"exec", PROT_READ | PROT_EXEC, MAP_SHARED, 1, 0},
	{"private", PROT_READ, MAP_PRIVATE, 1, 0},
	{"two pages", PROT_READ, MAP_SHARED, 2, 0},
	{"offset", PROT_READ, MAP_SHARED, 1, 4096},
};

static void mmap_cases(const struct type *type)
{
	static const struct {
		const char *name;
		unsigned flags;
		bool frozen;
	} maps[] = {{"plain", 0, false},
		    {"mmapable", BPF_F_MMAPABLE, false},
		    {"mmapable frozen", BPF_F_MMAPABLE, true},
		    {"mmapable rdonly_prog", BPF_F_MMAPABLE | BPF_F_RDONLY_PROG, false},
		    {"mmapable wronly_prog", BPF_F_MMAPABLE | BPF_F_WRONLY_PROG, false},
		    {"mmapable rdonly", BPF_F_MMAPABLE | BPF_F_RDONLY, false},
		    {"mmapable wronly", BPF_F_MMAPABLE | BPF_F_WRONLY, false}};

	for (unsigned m = 0; m < LENGTH(maps); m++)
		for (unsigned r = 0; r < LENGTH(mmap_rows); r++) {
			const struct mmap_row *row = &mmap_rows[r];
			int fd = create_small(type, maps[m].flags);
			char name[64];
			void *at;

			if (fd < 0)
				continue; /* type without the flag: a case of MAP_CREATE */
			if (maps[m].frozen)
				freeze(fd);
			at = mmap(NULL, row->pages * 4096, row->prot, row->flags, fd, row->offset);
			snprintf(name, sizeof(name), "%s, %s", maps[m].name, row->name);
			answer(type, "mmap", name, "%s",
			       result_name(at == MAP_FAILED ? -errno : 0));
			if (at != MAP_FAILED) {
				union test_attr t = {.a = {.map_fd = (uint32_t)fd}};

				answer(type, "FREEZE", name, "%s",
				       result_name(bpf_sys(BPF_MAP_FREEZE, &t, ATTR_SIZE)));
				munmap(at, row->pages * 4096);
			}
			close(fd);
		}
}

/* What is left in an LRU map, and what a full QUEUE or STACK gives back. */

static void order_cases(const struct type *type)
{
	static const unsigned sizes[] = {1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 64};
	static const unsigned flags[] = {0, BPF_F_NO_COMMON_LRU};

	for (unsigned f = 0; type->traits & LRU && f < LENGTH(flags); f++)
		for (unsigned i = 0; i < LENGTH(sizes); i++) {
			uint8_t value[SLOT] = {0}, present[64 * 3];
			const unsigned n = sizes[i];
			int fd = map_create(type->id, 4, 8, n, flags[f]);
			char name[48];

			for (uint32_t key = 0; key < 2 * n + 1; key++)
				map_update(fd, &key, value, BPF_NOEXIST);
			for (uint32_t key = 0; key < 2 * n + 1; key++)
				present[key] = map_lookup(fd, &key, value) == 0;
			snprintf(name, sizeof(name), "evicted entries=%u flags=%x", n, flags[f]);
			answer(type, "UPDATE_ELEM", name, "%s", bytes_text(present, 2 * n + 1));
			close(fd);
		}
	for (unsigned pushes = 0; type->traits & KEYLESS && pushes < 8; pushes++) {
		uint8_t value[SLOT], got[8] = {0};
		int fd = create_small(type, 0);
		unsigned taken = 0;
		char name[32];

		for (unsigned i = 0; i < pushes; i++) {
			make_value(type, i + 1, value);
			map_update(fd, NULL, value, BPF_EXIST);
		}
		for (; !map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, value, 0) && taken < 8;
		     taken++)
			got[taken] = value[0];
		snprintf(name, sizeof(name), "after %u pushes", pushes);
		answer(type, "LOOKUP_AND_DELETE_ELEM", name, "%s", bytes_text(got, taken));
		close(fd);
	}
}

int cases_main(const struct type *type)
{
	create_cases(type);
	element_cases(type);
	batch_cases(type);
	freeze_cases(type);
	info_cases(type);
	open_cases(type);
	mmap_cases(type);
	order_cases(type);
	program_cases(type);
	return 0;
}
