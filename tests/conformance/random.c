/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * random.c: seeded sequences of operations on one small map, through the system call and from a
 * program. What is done depends on the seed alone, never on an answer, so a sequence with some
 * operations left out (--only) is a sequence again.
 *
 * What the kernel leaves open does not show in an answer:
 * - the order of a hash. Walks are sorted. GET_NEXT_KEY answers "follows" if it gives what a walk
 *   gives next, or ENOENT at its end.
 * - how many elements one hash batch returns: whole buckets, as they happen to be filled. A batch
 *   goes on with its cursor to the end, with a larger buffer after ENOSPC, and all elements are
 * shown sorted. For the same reason a batch that fails while it deletes is followed by an emptying.
 * - which elements a walk that a callback stops has met: only their number is shown.
 * - ids and descriptors: an inner map is shown by its number.
 * - the padding of a per-CPU value in a hash: where a program wrote a new element, the kernel
 * leaves what the memory's former element had there. The table of cases has the padding. Else
 * everything is exact, LRU eviction included, as all happens on one CPU.
 */
#include <fcntl.h>
#include <linux/if_ether.h>
#include <sys/mman.h>

#include "random.h"

#define MAX_OPS 256u
#define MAX_POOL (2 * MAX_ENTRIES + 2)
#define BATCH_ROOM (4 * MAX_POOL)
#define NR_FILTERED 8u /* values that are ever given to a filter */
#define GUARD 16u

static const char *const where_names[NR_WHERE] = {
	"", " fd=rdonly", " fd=wronly", " fd=closed", " fd=-1", " fd=pipe", " fd=prog", " fd=btf"};
enum pointer { GOOD, NOWHERE, BAD, CUT };
static const char *const pointer_names[] = {"", "=NULL", "=bad", "=cut"};

struct op {
	unsigned kind;
	enum where where;
	enum pointer key_pointer, value_pointer, out_pointer;
	unsigned key, step, count, argument;
	uint64_t flags, batch_flags, value;
};

static uint8_t *keys, *values, *value_buffer;

__attribute__((format(printf, 2, 3))) static void say(struct sequence *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	s->length +=
		(size_t)vsnprintf(s->text + s->length, sizeof(s->text) - s->length, format, args);
	va_end(args);
}

static unsigned value_bytes(const struct sequence *s)
{
	return s->t.type->traits & PER_CPU ? cpus * round8(s->t.value_size) : s->t.value_size;
}

/* Keys and values from numbers */

/* Prefixes contain others: they differ from one of four in a single bit, if at all. */
static void make_prefix(const struct sequence *s, unsigned number, uint8_t *key)
{
	const uint64_t noise = mix64(number + 77);
	const unsigned bytes = s->t.key_size - 4, bits = 8 * bytes,
		       at = (unsigned)(noise >> 32) % bits;
	const uint32_t len = noise % 16 ? (unsigned)(noise >> 8) % (bits + 1) : bits + 1;

	memcpy(key, &len, 4);
	for (unsigned i = 0; i < bytes; i++)
		key[4 + i] = (uint8_t)mix64(noise % 4 * 64 + i);
	if (noise % 8 < 4)
		key[4 + at / 8] ^= (uint8_t)(0x80 >> at % 8);
}

static void make_key(const struct sequence *s, unsigned number, uint8_t *key)
{
	if (is(s, PREFIXES)) {
		make_prefix(s, number, key);
		return;
	}
	if (is(s, OWNED)) {
		memcpy(key, &(int){owner(s->t.type, number)}, 4);
		return;
	}
	for (unsigned i = 0; i < s->t.key_size; i++)
		key[i] = i < 4 ? (uint8_t)(number >> 8 * i) : (uint8_t)(mix64(number) >> i % 8 * 8);
}

static bool has_programs(const struct sequence *s)
{
	return is(s, PROGRAMS) || (is(s, REDIRECTS) && s->t.value_size == 8);
}

static const int *inner_choice(const struct sequence *s, unsigned number)
{
	static const int negative = -1;

	number %= 12;
	if (number <= NR_INNER)
		return &s->inner[number];
	return number == 5   ? &negative
	       : number == 6 ? &s->fds[OWN]
	       : number == 7 ? &s->fds[PIPE]
			     : &s->inner[number % NR_INNER];
}

/* Behind what is named lies a program, or the higher half of a descriptor. */
static void make_name(const struct sequence *s, uint64_t seed, uint8_t *value)
{
	const unsigned second = (unsigned)(seed >> 32) % 16;
	uint32_t words[2] = {name_of(s->t.type, seed % NR_NAMES)};

	if (has_programs(s))
		words[1] = second < 8 ? (uint32_t)*inner_choice(s, second) : 0;
	else
		words[1] = second == 15;
	memcpy(value, words, s->t.value_size);
}

/* Zeros, or one byte of the map's words in front, or of the table. */
static void make_table(const struct sequence *s, uint64_t seed, uint8_t *value)
{
	const unsigned at = (unsigned)(seed >> 32) % s->t.value_size;

	memset(value, 0, s->t.value_size);
	value[seed % 8 < 2 ? at % 16 : at] = seed % 8 < 4;
}

static void make_value(const struct sequence *s, uint64_t seed, uint8_t *value)
{
	if (is(s, OBJECTS)) {
		memcpy(value, inner_choice(s, (unsigned)(seed % 4096)), 4);
		return;
	}
	if (is(s, TABLE)) {
		make_table(s, seed, value);
		return;
	}
	if (is(s, NAMES)) {
		make_name(s, seed, value);
		return;
	}
	if (is(s, EVENTS)) {
		memcpy(value, seed % 4 ? &(int){perf_event()} : &s->fds[PIPE], 4);
		return;
	}
	if (is(s, FILTER))
		seed %= NR_FILTERED;
	for (unsigned i = 0; i < value_bytes(s); i++)
		value[i] = (uint8_t)(mix64(seed + i / 8) >> i % 8 * 8);
}

/* Ids of objects become their numbers, the padding behind a CPU's value zero. */
static void make_canonical(const struct sequence *s, uint8_t *value)
{
	const unsigned size = s->t.value_size, stride = round8(size);
	uint32_t id;

	for (unsigned cpu = 0; is(s, PER_CPU) && is(s, HASHED) && cpu < cpus; cpu++)
		memset(value + cpu * stride + size, 0, stride - size);
	if (is(s, SOCKETS) && size == 8)
		name_hide(s->t.type, value);
	if (!is(s, OUTER) && !has_programs(s))
		return;
	value += is(s, NAMES) ? 4 : 0;
	memcpy(&id, value, 4);
	for (uint32_t i = 0; id && i <= NR_INNER; i++)
		if (id == s->inner_ids[i])
			memcpy(value, &(uint32_t){is(s, NAMES) ? i + 1 : i}, 4);
}

/* Where the kernel is told to find what lies in a buffer. */
static void *pointer_to(enum pointer how, void *buffer, size_t size)
{
	switch (how) {
	case NOWHERE:
		return NULL;
	case BAD:
		return no_memory;
	case CUT: /* the last byte is missing */
		if (!size)
			return no_memory;
		return memcpy(no_memory - (size - 1), buffer, size - 1) ? no_memory - (size - 1)
									: NULL;
	default:
		return buffer;
	}
}

/* Walks */

static int compare_size; /* of what compare() compares */

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, (size_t)compare_size);
}

static void sort(uint8_t *elements, unsigned count, unsigned size)
{
	compare_size = (int)size;
	qsort(elements, count, size, compare);
}

static unsigned owned_keys(const struct sequence *s, int fd, uint8_t *into)
{
	unsigned count = 0;

	for (unsigned number = 0; number < s->pool; number++) {
		make_key(s, number, into + 4 * count);
		count += map_lookup(fd, into + 4 * count, value_buffer) == 0;
	}
	return count;
}

/* The keys in the map's order. */
static unsigned walk_keys(const struct sequence *s, int fd, uint8_t *into)
{
	const unsigned size = s->t.key_size;
	unsigned count = 0;

	if (is(s, OWNED)) /* there is no walk */
		return owned_keys(s, fd, into);
	if (map_next_key(fd, NULL, into))
		return 0;
	while (++count < BATCH_ROOM - 1 &&
	       !map_next_key(fd, into + (count - 1) * size, into + count * size))
		;
	return count;
}

static void say_elements(struct sequence *s, uint8_t *pairs, unsigned count, unsigned size)
{
	sort(pairs, count, size);
	say(s, " %u elements #%016llx", count,
	    (unsigned long long)digest(DIGEST_START, pairs, (size_t)count * size));
}

/* What is in the map of a descriptor, but for QUEUE and STACK. */
static void say_content(struct sequence *s, int fd)
{
	const unsigned key_size = s->t.key_size, size = key_size + value_bytes(s);
	const unsigned count = walk_keys(s, fd, keys);

	memset(values, 0, (size_t)count * size);
	for (unsigned i = 0; i < count; i++) {
		uint8_t *pair = values + (size_t)i * size;

		memcpy(pair, keys + i * key_size, key_size);
		if (map_lookup(fd, pair, pair + key_size))
			memset(pair + key_size, 0xee, size - key_size);
		else
			make_canonical(s, pair + key_size);
	}
	say_elements(s, values, count, size);
}

static void empty(const struct sequence *s)
{
	const unsigned count = walk_keys(s, s->fds[OWN], keys);

	for (unsigned i = 0; i < count; i++)
		map_delete(s->fds[OWN], keys + i * s->t.key_size);
}

static void pop_all(struct sequence *s, int fd, unsigned size)
{
	uint64_t hash = DIGEST_START;
	unsigned count = 0;

	memset(values, 0, size);
	while (count < MAX_POOL && !map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, values, 0)) {
		hash = digest(hash, values, size);
		count++;
	}
	say(s, " %u elements #%016llx", count, (unsigned long long)hash);
}

/* The element commands */

static void *key_of(struct sequence *s, const struct op *op)
{
	enum pointer how = op->key_pointer;

	if (is(s, KEYLESS)) { /* NULL is right, and anything else wrong */
		say(s, "%s", how == BAD ? " key=bad" : "");
		return how == BAD ? keys : NULL;
	}
	say(s, " k%u%s", op->key, pointer_names[how]);
	make_key(s, op->key, keys);
	return pointer_to(how, keys, s->t.key_size);
}

static int element_command(struct sequence *s, int command, const struct op *op, void *key,
			   void *value, uint64_t flags)
{
	if (flags)
		say(s, " flags=%llx", (unsigned long long)flags);
	say(s, "%s: ", where_names[op->where]);
	return element(command, s->fds[op->where], key, value, flags);
}

/* LOOKUP and LOOKUP_AND_DELETE. Nothing behind the value is written. */
static void read_element(struct sequence *s, int command, const struct op *op)
{
	const unsigned size = value_bytes(s);
	void *key = key_of(s, op), *value;
	int err;

	say(s, " value%s", pointer_names[op->value_pointer]);
	memset(value_buffer, 0xaa, size + GUARD);
	if (is(s, FILTER))
		make_value(s, op->value, value_buffer);
	value = pointer_to(op->value_pointer, value_buffer, size);
	err = element_command(s, command, op, key, value, op->flags);
	say(s, "%s", result_name(err));
	if (!err)
		make_canonical(s, value_buffer);
	if (op->value_pointer == GOOD)
		say(s, " %s", bytes_text(value_buffer, size + GUARD));
}

static void do_lookup(struct sequence *s, const struct op *op)
{
	read_element(s, BPF_MAP_LOOKUP_ELEM, op);
}

static void do_take(struct sequence *s, const struct op *op)
{
	read_element(s, BPF_MAP_LOOKUP_AND_DELETE_ELEM, op);
}

static void do_update(struct sequence *s, const struct op *op)
{
	const unsigned size = value_bytes(s);
	void *key = key_of(s, op), *value;

	make_value(s, op->value, value_buffer);
	say(s, " v%llu%s", (unsigned long long)(op->value % 4096),
	    pointer_names[op->value_pointer]);
	value = pointer_to(op->value_pointer, value_buffer, size);
	say(s, "%s",
	    result_name(element_command(s, BPF_MAP_UPDATE_ELEM, op, key, value, op->flags)));
}

static void do_delete(struct sequence *s, const struct op *op)
{
	void *key = key_of(s, op);

	/* A flag is a byte behind the command's last field. */
	say(s, "%s",
	    result_name(element_command(s, BPF_MAP_DELETE_ELEM, op, key, NULL,
					op->flags & BPF_F_LOCK)));
}

/* What a walk says must come: the number of a key in it, or -ENOENT. */
static int successor(const struct sequence *s, const struct op *op, const uint8_t *walk,
		     unsigned count)
{
	unsigned i = 0;
	uint8_t key[DATA_MAX];

	make_key(s, op->key, key);
	while (op->key_pointer == GOOD && i < count &&
	       memcmp(walk + i * s->t.key_size, key, s->t.key_size))
		i++;
	if (op->key_pointer == NOWHERE || i == count)
		return count ? 0 : -ENOENT;
	return i + 1 < count ? (int)i + 1 : -ENOENT;
}

static void do_next_key(struct sequence *s, const struct op *op)
{
	const unsigned size = s->t.key_size;
	uint8_t *walk = keys + DATA_MAX;
	const unsigned count = is(s, KEYLESS) ? 0 : walk_keys(s, s->fds[OWN], walk);
	const int expected = successor(s, op, walk, count);
	void *key = key_of(s, op), *out;
	int err;

	memset(value_buffer, 0xaa, DATA_MAX + GUARD);
	out = pointer_to(op->value_pointer, value_buffer, size ? size : 1);
	say(s, " next%s", pointer_names[op->value_pointer]);
	err = element_command(s, BPF_MAP_GET_NEXT_KEY, op, key, out, 0);
	if (!is(s, HASHED) || (err && err != -ENOENT && err != -EFAULT))
		say(s, "%s %s", result_name(err), bytes_text(value_buffer, size + GUARD));
	else if (expected == -ENOENT || err)
		say(s, "%s",
		    err == expected ? "follows"
		    : op->value_pointer != GOOD && expected >= 0 && err == -EFAULT
			    ? "follows"
			    : result_name(err));
	else
		say(s, "%s",
		    memcmp(value_buffer, walk + (unsigned)expected * size, size) ? "another key"
										 : "follows");
}

/* The batch commands */

static int batch(const struct sequence *s, int command, const struct op *op, union test_attr *t)
{
	t->a.batch.map_fd = (uint32_t)s->fds[op->where];
	t->a.batch.elem_flags = op->flags;
	t->a.batch.flags = op->batch_flags;
	return (int)bpf_sys(command, t, ATTR_SIZE);
}

static void say_batch(struct sequence *s, const struct op *op)
{
	say(s, " count=%u keys%s values%s", op->count, pointer_names[op->key_pointer],
	    pointer_names[op->value_pointer]);
	if (op->out_pointer)
		say(s, " out%s", pointer_names[op->out_pointer]);
	if (op->flags || op->batch_flags)
		say(s, " elem_flags=%llx flags=%llx", (unsigned long long)op->flags,
		    (unsigned long long)op->batch_flags);
}

/* UPDATE_BATCH and DELETE_BATCH: k, k + step, ... */
static void write_batch(struct sequence *s, int command, const struct op *op)
{
	union test_attr t = {.a = {.batch = {.count = op->count}}};
	int err;

	say(s, " k%u+%u", op->key, op->step);
	say_batch(s, op);
	for (unsigned i = 0; i < op->count; i++) {
		make_key(s, (op->key + i * op->step) % s->pool, keys + i * s->t.key_size);
		make_value(s, op->value + i * 12, values + (size_t)i * value_bytes(s));
	}
	t.a.batch.keys = ptr64(pointer_to(op->key_pointer, keys, 1));
	t.a.batch.values = ptr64(pointer_to(op->value_pointer, values, 1));
	err = batch(s, command, op, &t);
	say(s, "%s: %s %u", where_names[op->where], result_name(err), t.a.batch.count);
}

static void do_update_batch(struct sequence *s, const struct op *op)
{
	write_batch(s, BPF_MAP_UPDATE_BATCH, op);
}

static void do_delete_batch(struct sequence *s, const struct op *op)
{
	write_batch(s, BPF_MAP_DELETE_BATCH, op);
}

/* One call after the other, until the end or an error. The pairs come to lie in collected. */
struct collection {
	uint8_t *pairs;
	unsigned count, last;
};

static void collect(const struct sequence *s, struct collection *c, unsigned count)
{
	const unsigned key_size = s->t.key_size, value_size = value_bytes(s);

	for (unsigned i = 0; i < count && c->count < BATCH_ROOM; i++, c->count++) {
		uint8_t *pair = c->pairs + (size_t)c->count * (key_size + value_size);

		memcpy(pair, keys + i * key_size, key_size);
		memcpy(pair + key_size, values + (size_t)i * value_size, value_size);
		make_canonical(s, pair + key_size);
	}
}

static int read_all(const struct sequence *s, int command, const struct op *op,
		    struct collection *c)
{
	uint8_t cursor[DATA_MAX];
	unsigned room = op->count;
	bool begun = false;
	int err = 0;

	for (unsigned calls = 0; !err && calls < BATCH_ROOM; calls++) {
		union test_attr t = {.a = {.batch = {.count = room}}};

		t.a.batch.keys = ptr64(pointer_to(op->key_pointer, keys, 1));
		t.a.batch.values = ptr64(pointer_to(op->value_pointer, values, 1));
		t.a.batch.out_batch = ptr64(pointer_to(op->out_pointer, cursor, 1));
		t.a.batch.in_batch = begun ? ptr64(cursor) : 0;
		err = batch(s, command, op, &t);
		c->last = t.a.batch.count;
		if (err == -ENOSPC) {
			room = BATCH_ROOM;
			err = 0;
			begun |= calls > 0;
			continue;
		}
		if (!err || err == -ENOENT)
			collect(s, c, t.a.batch.count);
		begun = true;
		if (!room)
			break;
	}
	return err;
}

/* Arrays and tries are exact, call by call: the key that was last read is the cursor. */
static void read_some(struct sequence *s, int command, const struct op *op)
{
	const unsigned key_size = is(s, INDEXED) || is(s, KEYLESS) ? 4 : s->t.key_size;
	uint8_t in[DATA_MAX], out[DATA_MAX];
	uint32_t first;
	union test_attr t = {.a = {.batch = {.count = op->count}}};
	int err;

	memcpy(in, &op->key, 4);
	if (is(s, PREFIXES))
		make_key(s, op->key, in);
	memset(out, 0xaa, sizeof(out));
	memset(keys, 0xaa, op->count * key_size);
	memset(values, 0xaa, (size_t)op->count * value_bytes(s));
	t.a.batch.keys = ptr64(pointer_to(op->key_pointer, keys, 1));
	t.a.batch.values = ptr64(pointer_to(op->value_pointer, values, 1));
	t.a.batch.out_batch = ptr64(pointer_to(op->out_pointer, out, key_size));
	t.a.batch.in_batch = ptr64(op->step ? in : NULL);
	if (op->step)
		say(s, " in=%u", op->key);
	err = batch(s, command, op, &t);
	for (unsigned i = 0; i < op->count; i++)
		make_canonical(s, values + (size_t)i * value_bytes(s));
	memcpy(&first, out, 4);
	say(s, "%s: %s %u out=%x", where_names[op->where], result_name(err), t.a.batch.count,
	    first);
	if (is(s, PREFIXES))
		say(s, "/%s", bytes_text(out, key_size));
	say(s, " keys #%llx values #%llx",
	    (unsigned long long)digest(DIGEST_START, keys, op->count * key_size),
	    (unsigned long long)digest(DIGEST_START, values, (size_t)op->count * value_bytes(s)));
}

static void read_batch(struct sequence *s, int command, const struct op *op)
{
	static uint8_t *pairs;
	struct collection c = {0};
	struct op all = *op;
	int err;

	say_batch(s, op);
	if (!is(s, HASHED)) {
		read_some(s, command, op);
		return;
	}
	if (!pairs)
		pairs = malloc((size_t)BATCH_ROOM * (DATA_MAX + MAX_CPUS * DATA_MAX));
	c.pairs = pairs;
	if (op->key_pointer || op->value_pointer || op->out_pointer)
		all.count = BATCH_ROOM; /* no ENOSPC for a bucket before the error */
	err = read_all(s, command, &all, &c);
	say(s, "%s: %s", where_names[op->where], result_name(err));
	if (err != -ENOENT)
		say(s, " %u", c.last);
	say_elements(s, c.pairs, c.count, s->t.key_size + value_bytes(s));
	if (command == BPF_MAP_LOOKUP_AND_DELETE_BATCH && err == -EFAULT)
		empty(s);
}

static void do_lookup_batch(struct sequence *s, const struct op *op)
{
	read_batch(s, BPF_MAP_LOOKUP_BATCH, op);
}

static void do_take_batch(struct sequence *s, const struct op *op)
{
	read_batch(s, BPF_MAP_LOOKUP_AND_DELETE_BATCH, op);
}

/* Other commands */

static void do_freeze(struct sequence *s, const struct op *op)
{
	union test_attr t = {.a = {.map_fd = (uint32_t)s->fds[op->where]}};

	say(s, "%s: %s", where_names[op->where],
	    result_name(bpf_sys(BPF_MAP_FREEZE, &t, ATTR_SIZE)));
}

static void do_info(struct sequence *s, const struct op *op)
{
	struct bpf_map_info info;
	union test_attr t = {.a = {.info = {.bpf_fd = (uint32_t)s->fds[op->where % CLOSED],
					    .info_len = op->count % 104,
					    .info = ptr64(&info)}}};
	long err;

	memset(&info, 0, sizeof(info));
	err = bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &t, ATTR_SIZE);
	info.id = t.a.info.info_len >= 8 && info.id; /* the first byte alone may be zero */
	info.btf_id = t.a.info.info_len >= 68 && info.btf_id;
	say(s, " len=%u%s: %s %u %s", op->count % 104, where_names[op->where % CLOSED],
	    result_name(err), t.a.info.info_len, bytes_text(&info, 88));
}

static void do_content(struct sequence *s, const struct op *op)
{
	say(s, ":");
	say_content(s, s->fds[OWN]);
}

static void do_mmap(struct sequence *s, const struct op *op)
{
	const size_t stride = is(s, PAGES) ? 4096 : round8(s->t.value_size),
		     size = s->entries * stride;
	const bool write = op->flags;
	/* Pages lie where the first mapping was, or nowhere. */
	uint8_t *at = mmap(op->argument % 4 ? s->pages : NULL, size,
			   write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
			   s->fds[op->where % CLOSED], 0);

	say(s, " %s%s: ", write ? "write" : "read", where_names[op->where % CLOSED]);
	if (at == MAP_FAILED) {
		say(s, "%s", result_name(-errno));
		return;
	}
	say(s, "#%016llx", (unsigned long long)digest(DIGEST_START, at, size));
	if (is(s, PAGES))
		s->pages = at;
	if (write)
		memcpy(at + op->value % size, &(uint8_t){(uint8_t)op->key}, 1);
	munmap(at, size);
}

/* From the program */

static const char *const program_op_names[NR_PROGRAM_OPS] = {
	"lookup", "update", "delete", "store",     "atomic", "for_each", "lookup_percpu",
	"push",   "pop",    "peek",   "spin_lock", "inner",  "redirect"};

static void do_program(struct sequence *s, const struct op *op)
{
	struct request r = {.ethernet = {[12] = 0x88, 0xb5}, /* for local experiments */
			    .argument = op->argument,
			    .flags = op->flags};
	int err;

	/* The op of the table, or the first one that the map has, if it has any. */
	r.op = op->step;
	while (program_ops(&s->t) && !(program_ops(&s->t) & 1u << r.op))
		r.op = (r.op + 1) % NR_PROGRAM_OPS;
	if (r.op == DO_EACH)
		r.argument = op->argument > 4 ? ~0u : op->argument;
	r.inner_key = r.op == DO_EACH ? r.argument == ~0u && op->count % 4 == 0 : op->count % 6;
	r.inner_value = op->value;
	make_key(s, op->key, r.key);
	for (unsigned i = 0; i < DATA_MAX; i++)
		r.value[i] = (uint8_t)(mix64((is(s, FILTER) ? op->value % NR_FILTERED : op->value) +
					     i / 8) >>
				       i % 8 * 8);
	memset(r.out, 0xaa, sizeof(r.out));
	say(s, " %s k%u v%llu argument=%u,%u flags=%llx: ", program_op_names[r.op], op->key,
	    (unsigned long long)(op->value % 4096), r.argument, (unsigned)r.inner_key,
	    (unsigned long long)r.flags);
	err = s->prog < 0 ? s->prog : program_run(&s->t, s->prog, &r);
	if (r.op == DO_EACH && is(s, HASHED) && r.argument != ~0u)
		memset(r.out, 0, sizeof(r.out));
	if (is(s, REDIRECTS))
		make_canonical(s, r.out);
	say(s, "%s %s ", result_name(err), result_name(r.result));
	say(s, "%s", bytes_text(r.out, sizeof(r.out)));
}

/* What there is to do, and how often. */
static const struct op_kind {
	const char *name;
	unsigned weight;
	unsigned not_for; /* traits */
	void (*run)(struct sequence *s, const struct op *op);
} kinds[] = {
	{"LOOKUP_ELEM", 12, 0, do_lookup},
	{"UPDATE_ELEM", 26, 0, do_update},
	{"DELETE_ELEM", 8, 0, do_delete},
	{"GET_NEXT_KEY", 6, 0, do_next_key},
	{"LOOKUP_AND_DELETE_ELEM", 5, 0, do_take},
	{"LOOKUP_BATCH", 4, 0, do_lookup_batch},
	{"LOOKUP_AND_DELETE_BATCH", 1, 0, do_take_batch},
	{"UPDATE_BATCH", 5, 0, do_update_batch},
	{"DELETE_BATCH", 3, 0, do_delete_batch},
	{"FREEZE", 1, 0, do_freeze},
	{"OBJ_GET_INFO_BY_FD", 2, 0, do_info},
	{"content", 4, KEYLESS, do_content},
	{"mmap", 2, 0, do_mmap},
	{"PROG_TEST_RUN", 40, OWNED, do_program},
};
enum { UPDATE = 1, MMAP = 12 }; /* their rows */
static unsigned long answered[LENGTH(kinds)];

/* Making sequences */

static unsigned pick_kind(struct sequence *s)
{
	unsigned sum = 0, at, i = 0;

	for (i = 0; i < LENGTH(kinds); i++)
		sum += kinds[i].weight;
	at = below(s, sum);
	for (i = 0; at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	if (is(s, OPAQUE) && kinds[i].run == do_program && !program_ops(&s->t))
		return is(s, PAGES) && once_in(s, 2) ? MMAP : UPDATE;
	if (is(s, kinds[i].not_for) || (kinds[i].run == do_freeze && !once_in(s, 4)))
		return UPDATE;
	return i;
}

static uint64_t pick_flags(struct sequence *s)
{
	static const uint64_t rare[] = {3, 4, 5, 6, 7, 8, 16, 1ull << 32, 1ull << 63};
	const unsigned n = below(s, 32);

	if (s->t.has_lock && n < 12)
		return n < 8 ? BPF_F_LOCK : n - 4;
	return n < 20   ? BPF_ANY
	       : n < 25 ? BPF_NOEXIST
	       : n < 30 ? BPF_EXIST
			: rare[below(s, LENGTH(rare))];
}

static enum pointer pick_pointer(struct sequence *s, unsigned one_in, bool may_be_cut)
{
	return once_in(s, one_in) ? 1 + below(s, may_be_cut ? 3 : 2) : GOOD;
}

static struct op pick_op(struct sequence *s)
{
	struct op op = {.kind = pick_kind(s)};
	void (*const run)(struct sequence *, const struct op *) = kinds[op.kind].run;
	const bool is_batch = run == do_lookup_batch || run == do_take_batch ||
			      run == do_update_batch || run == do_delete_batch;
	const bool plain_flags = run == do_lookup || run == do_take || is_batch;

	op.where = once_in(s, 14) ? below(s, NR_WHERE) : OWN;
	op.key = below(s, s->pool);
	op.key_pointer = pick_pointer(s, 24, !is_batch);
	op.value_pointer = pick_pointer(s, 24, !is_batch);
	op.out_pointer = pick_pointer(s, 40, false);
	op.flags = pick_flags(s);
	if (plain_flags && !once_in(s, 8))
		op.flags = s->t.has_lock && once_in(s, 2) ? BPF_F_LOCK : 0;
	if (run == do_next_key && once_in(s, 4))
		op.key_pointer = NOWHERE;
	op.batch_flags = once_in(s, 20) ? 1 + below(s, 4) : 0;
	op.count = once_in(s, 12) ? 0 : once_in(s, 4) ? BATCH_ROOM / 2 : 1 + below(s, 24);
	op.step = below(s, 2 * DO_REDIRECT) / 2;
	op.argument = below(s, 12);
	op.value = next(s);
	return op;
}

/* Objects of a sequence */

static int create(const struct sequence *s)
{
	union test_attr t = {.a = {.map_type = s->t.type->id,
				   .key_size = s->t.key_size,
				   .value_size = s->t.value_size,
				   .max_entries = is(s, OWNED) ? 0 : s->entries,
				   .map_flags = s->t.flags,
				   .map_name = "random"}};

	if (is(s, OUTER))
		t.a.inner_map_fd = (uint32_t)s->inner[0];
	if (is(s, FILTER))
		t.a.map_extra = 15;
	if (is(s, TABLE)) {
		t.a.btf_fd = (uint32_t)btf_of_functions();
		t.a.btf_vmlinux_value_type_id = table()->type;
	}
	if (s->t.has_lock) {
		t.a.btf_fd = (uint32_t)btf_of_value(s->t.value_size);
		t.a.btf_value_type_id = BTF_VALUE_ID;
		t.a.btf_key_type_id = BTF_KEY_ID;
		if (s->t.key_size != 4)
			return -EDOM; /* pick_target() sees to it */
	}
	return (int)bpf_sys(BPF_MAP_CREATE, &t, ATTR_SIZE);
}

/* The last one is of another type than the others, or for another place. */
static void create_programs(struct sequence *s)
{
	const bool redirects = is(s, REDIRECTS);
	const unsigned attach = !redirects ? 0 : is(s, OPAQUE) ? BPF_XDP_CPUMAP : BPF_XDP_DEVMAP;

	for (unsigned i = 0; has_programs(s) && i <= NR_INNER; i++) {
		const bool is_last = i == NR_INNER;

		s->inner[i] = program_returning(redirects || is_last ? BPF_PROG_TYPE_XDP
								     : BPF_PROG_TYPE_SCHED_CLS,
						is_last ? 0 : attach, 0);
		s->inner_ids[i] = map_id(s->inner[i]);
	}
}

static void create_inner(struct sequence *s)
{
	for (unsigned i = 0; is(s, OUTER) && i <= NR_INNER; i++) {
		s->inner[i] = map_create(s->t.inner->id, s->t.inner->traits & KEYLESS ? 0 : 4,
					 i < NR_INNER ? 8 : 16, 4, 0);
		if (i < NR_INNER)
			s->inner_ids[i] = map_id(s->inner[i]);
	}
}

static void open_all(struct sequence *s)
{
	int ends[2];

	names_renew();
	create_inner(s);
	create_programs(s);
	s->fds[OWN] = create(s);
	s->prog = program_load(&s->t, s->fds[OWN]);
	s->fds[READ_ONLY] = map_reopen(s->fds[OWN], BPF_F_RDONLY);
	s->fds[WRITE_ONLY] = map_reopen(s->fds[OWN], BPF_F_WRONLY);
	s->fds[CLOSED] = 1000;
	s->fds[NEGATIVE] = -1;
	s->fds[PROGRAM] = s->prog;
	s->fds[BTF] = btf_of_functions();
	if (pipe(ends))
		return;
	close(ends[1]);
	s->fds[PIPE] = ends[0];
}

static void close_all(struct sequence *s)
{
	const int fds[] = {s->fds[OWN], s->fds[READ_ONLY], s->fds[WRITE_ONLY], s->fds[PIPE],
			   s->prog};

	for (unsigned i = 0; i < LENGTH(fds); i++)
		close(fds[i]);
	for (unsigned i = 0; (is(s, OUTER) || has_programs(s)) && i <= NR_INNER; i++)
		close(s->inner[i]);
}

/* One line is complete. */
static void line(struct sequence *s)
{
	s->digest = digest(s->digest, s->text, s->length);
	if (s->options->verbose)
		puts(s->text);
	s->length = 0;
}

static bool is_wanted(const char *only, unsigned number)
{
	char *end;

	for (const char *at = only; at && *at; at = *end ? end + 1 : end)
		if (strtoul(at, &end, 10) == number)
			return true;
	return !only;
}

static void final_state(struct sequence *s)
{
	say(s, "%u end:", s->number);
	if (is(s, KEYLESS))
		pop_all(s, s->fds[OWN], s->t.value_size);
	else
		say_content(s, s->fds[OWN]);
	line(s);
	for (unsigned i = 0; is(s, OUTER) && i < NR_INNER; i++) {
		struct sequence inner = {.t = {.type = s->t.inner, .key_size = 4, .value_size = 8}};

		say(&inner, "%u inner %u:", s->number, i);
		if (inner.t.type->traits & KEYLESS)
			pop_all(&inner, s->inner[i], 8);
		else
			say_content(&inner, s->inner[i]);
		say(s, "%s", inner.text);
		line(s);
	}
}

static void run_sequence(struct sequence *s, const struct op *ops, unsigned count)
{
	open_all(s);
	say(s, "%u MAP_CREATE %s key=%u value=%u entries=%u flags=%x%s%s%s: %s, program: %s",
	    s->number, s->t.type->name, s->t.key_size, s->t.value_size, s->entries, s->t.flags,
	    s->t.has_lock ? " lock" : "", is(s, OUTER) ? " inner=" : "",
	    is(s, OUTER) ? s->t.inner->name : "", result_name(s->fds[OWN] < 0 ? s->fds[OWN] : 0),
	    result_name(s->prog < 0 ? s->prog : 0));
	line(s);
	for (unsigned i = 0; i < count; i++) {
		if (!is_wanted(s->options->only, i))
			continue;
		say(s, "%u.%u %s", s->number, i, kinds[ops[i].kind].name);
		kinds[ops[i].kind].run(s, &ops[i]);
		answered[ops[i].kind]++;
		line(s);
	}
	final_state(s);
	close_all(s);
}

static void one_sequence(const struct random_options *o, unsigned number)
{
	static struct op ops[MAX_OPS];
	struct sequence s = {
		.t.type = o->type, .number = number, .options = o, .digest = DIGEST_START};
	unsigned count;

	s.state = mix64(o->seed * 1000003 + number) ^ mix64(o->type->id);
	pick_target(&s);
	if (s.t.has_lock)
		s.t.key_size = 4; /* as its BTF says */
	count = o->ops ? o->ops : 20 + below(&s, 41);
	for (unsigned i = 0; i < count; i++)
		ops[i] = pick_op(&s);
	run_sequence(&s, ops, count);
	if (!o->verbose)
		printf("%u %u %016llx\n", number, count, (unsigned long long)s.digest);
}

int random_main(const struct random_options *o)
{
	keys = malloc(BATCH_ROOM * DATA_MAX + DATA_MAX);
	values = malloc((size_t)BATCH_ROOM * (3 * DATA_MAX + cpus * DATA_MAX));
	value_buffer = malloc(cpus * DATA_MAX + GUARD + 3 * DATA_MAX);
	if (!keys || !values || !value_buffer || o->ops > MAX_OPS)
		return 2;
	for (unsigned i = 0; i < o->sequences; i++)
		one_sequence(o, o->first + i);
	for (unsigned i = 0; i < LENGTH(kinds); i++)
		printf("count %s %s %lu\n", o->type->name, kinds[i].name, answered[i]);
	return 0;
}
