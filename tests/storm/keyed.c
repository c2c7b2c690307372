/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * keyed.c: the storm on maps with keys: hashes, LRU hashes, arrays, maps of maps and of programs,
 * storages of inodes and sockets, whose keys are descriptors that all writers inherit, and maps of
 * sockets. Each writer owns keys in each map of the family and changes them by system calls, batches
 * and programs. A value holds its sequence number several times over; an inner map or program holds
 * it once; of sockets it tells which one.
 */
#include "storm.h"

#include <linux/btf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "vm/asm.h"

enum {
	FIXED = 1,  /* an array: all elements are there, 0 is the absent one */
	EVICTS = 2, /* an element may go at any time */
	PERCPU = 4,
	LOCKED = 8, /* a spin lock in each value */
	OUTER = 16,
	OWNED = 32, /* keys are descriptors; no batches, no programs, no walk */
	PROGRAMS = 64, /* an OUTER one's values are programs; no batches */
	DEVICES = 128, /* behind the loopback interface */
	SOCKETS = 256, /* values are sockets; no batches, no programs */
};

struct value {
	uint32_t lock, unused;
	uint64_t sequence, copies[2];
};

#define BATCH 4
#define TORN (~0ull)
#define OWNERS_AT 500 /* the descriptor that stands for key 0 */
#define SOCKETS_AT 700 /* and for sequence number 0 */
#define NR_SOCKETS 8u
#define LOOPBACK 1u

struct values {
	struct value of_cpu[MAX_CPUS];
};

static const struct map_row {
	const char *family;
	uint32_t type, flags, traits;
} rows[] = {
	{"hash", BPF_MAP_TYPE_HASH, 0, 0},
	{"hash", BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 0},
	{"hash", BPF_MAP_TYPE_HASH, 0, LOCKED},
	{"hash", BPF_MAP_TYPE_PERCPU_HASH, 0, PERCPU},
	{"lru", BPF_MAP_TYPE_LRU_HASH, 0, EVICTS},
	{"lru", BPF_MAP_TYPE_LRU_HASH, BPF_F_NO_COMMON_LRU, EVICTS},
	{"lru", BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, EVICTS | PERCPU},
	{"lru", BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_F_NO_COMMON_LRU, EVICTS | PERCPU},
	{"array", BPF_MAP_TYPE_ARRAY, 0, FIXED},
	{"array", BPF_MAP_TYPE_ARRAY, 0, FIXED | LOCKED},
	{"array", BPF_MAP_TYPE_PERCPU_ARRAY, 0, FIXED | PERCPU},
	{"maps_of_maps", BPF_MAP_TYPE_ARRAY_OF_MAPS, 0, FIXED | OUTER},
	{"maps_of_maps", BPF_MAP_TYPE_HASH_OF_MAPS, 0, OUTER},
	{"storage", BPF_MAP_TYPE_INODE_STORAGE, BPF_F_NO_PREALLOC, LOCKED | OWNED},
	{"storage", BPF_MAP_TYPE_SK_STORAGE, BPF_F_NO_PREALLOC, LOCKED | OWNED},
	{"programs", BPF_MAP_TYPE_PROG_ARRAY, 0, FIXED | OUTER | PROGRAMS},
	{"programs", BPF_MAP_TYPE_DEVMAP, 0, FIXED | OUTER | PROGRAMS | DEVICES},
	{"programs", BPF_MAP_TYPE_DEVMAP_HASH, 0, OUTER | PROGRAMS | DEVICES},
	{"sockets", BPF_MAP_TYPE_SOCKMAP, 0, FIXED | SOCKETS},
	{"sockets", BPF_MAP_TYPE_SOCKHASH, 0, SOCKETS},
};

enum action { UPDATE, DELETE, WRITE, TOUCH, READ_INNER, ACTIONS };

static struct keyed_map {
	const struct map_row *row;
	int fd, programs[ACTIONS];
} maps[MAPS];
static unsigned nr_maps;

/* Where elements may be evicted there is room for half of the keys. */
static uint32_t entries_of(const struct map_row *row)
{
	if (row->traits & OWNED)
		return 0;
	return WRITERS * KEYS / (row->traits & EVICTS ? 2 : 1);
}

static uint32_t key_of(unsigned writer, unsigned k)
{
	return writer * KEYS + k;
}

/* What the system call takes for it. */
static uint32_t key_for(const struct keyed_map *m, uint32_t key)
{
	return m->row->traits & OWNED ? key + OWNERS_AT : key;
}

/* Programs, one for each action. The context says what they are to do it with. */

struct request {
	uint32_t key, unused;
	uint64_t flags;
	struct value value;
};

#define MAP(reg, fd) LD64_RAW(reg, BPF_PSEUDO_MAP_FD, fd, 0)
#define MAP_AND_KEY(fd)                                                                            \
	MOV_X(R6, R1), LD(W, R1, R6, 0), ST_X(W, R10, -8, R1), MAP(R1, fd), MOV_X(R2, R10),        \
		ALU64_K(ADD, R2, -8)
#define COPY(to, at, from) LD(DW, R1, R6, from), ST_X(DW, to, at, R1)

static int load_update(int fd)
{
	const struct bpf_insn insns[] = {
		MAP_AND_KEY(fd), ST_K(DW, R10, -40, 0),
		COPY(R10, -32, 24), COPY(R10, -24, 32), COPY(R10, -16, 40), MAP(R1, fd),
		MOV_X(R3, R10), ALU64_K(ADD, R3, -40), LD(DW, R4, R6, 8),
		CALL(BPF_FUNC_map_update_elem), EXIT,
	};

	return storm_program(insns, sizeof(insns));
}

static int load_delete(int fd)
{
	const struct bpf_insn insns[] = {MAP_AND_KEY(fd), CALL(BPF_FUNC_map_delete_elem), EXIT};

	return storm_program(insns, sizeof(insns));
}

/* Where there is no lock, a helper without effect stands for it. */
static int load_write(int fd, bool locked)
{
	const int lock = locked ? BPF_FUNC_spin_lock : BPF_FUNC_get_smp_processor_id;
	const int unlock = locked ? BPF_FUNC_spin_unlock : BPF_FUNC_get_smp_processor_id;
	const struct bpf_insn insns[] = {
		MAP_AND_KEY(fd), CALL(BPF_FUNC_map_lookup_elem),
		J_K(JNE, R0, 0, 2), MOV_K(R0, -ENOENT), EXIT,
		MOV_X(R8, R0), MOV_X(R1, R0), CALL(lock),
		COPY(R8, 8, 24), COPY(R8, 16, 32), COPY(R8, 24, 40),
		MOV_X(R1, R8), CALL(unlock), MOV_K(R0, 0), EXIT,
	};

	return storm_program(insns, sizeof(insns));
}

/* Only looks the value up, which makes it a used one. */
static int load_touch(int fd)
{
	const struct bpf_insn insns[] = {
		MAP_AND_KEY(fd), CALL(BPF_FUNC_map_lookup_elem),
		J_K(JNE, R0, 0, 2), MOV_K(R0, -ENOENT), EXIT, MOV_K(R0, 0), EXIT,
	};

	return storm_program(insns, sizeof(insns));
}

/* What an inner map holds; 0: there is none. */
static int load_read_inner(int fd)
{
	const struct bpf_insn insns[] = {
		MAP_AND_KEY(fd), CALL(BPF_FUNC_map_lookup_elem), J_K(JEQ, R0, 0, 7),
		MOV_X(R1, R0), ST_K(W, R10, -8, 0), MOV_X(R2, R10), ALU64_K(ADD, R2, -8),
		CALL(BPF_FUNC_map_lookup_elem), J_K(JEQ, R0, 0, 1), LD(W, R0, R0, 0), EXIT,
	};

	return storm_program(insns, sizeof(insns));
}

/* What the program that is called returns; 0: there is none. */
static int load_tail_call(int fd)
{
	const struct bpf_insn insns[] = {
		LD(W, R3, R1, 0), MAP(R2, fd), CALL(BPF_FUNC_tail_call), MOV_K(R0, 0), EXIT,
	};

	return storm_program_of(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, insns, sizeof(insns));
}

static int run(struct storm_log *log, const struct keyed_map *m, enum action action, uint32_t key,
	       const struct value *value, uint64_t flags)
{
	struct request request = {.key = key, .flags = flags};

	if (value)
		request.value = *value;
	return storm_run(log, m->programs[action], &request, sizeof(request));
}

/* One element */

static int make_program(const struct keyed_map *m, uint64_t sequence)
{
	const struct bpf_insn insns[] = {MOV_K(R0, (int)sequence), EXIT};

	return m->row->traits & DEVICES
		       ? storm_program_of(BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP, insns, sizeof(insns))
		       : storm_program_of(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, insns, sizeof(insns));
}

static int make_inner(struct storm_log *log, const struct keyed_map *m, uint64_t sequence)
{
	const uint32_t zero = 0;
	int fd;

	if (m->row->traits & PROGRAMS)
		return make_program(m, sequence);
	fd = storm_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0, -1, -1);

	EXPECT(log, map_call(log, BPF_MAP_UPDATE_ELEM, fd, &zero, &sequence, 0) == 0);
	return fd;
}

static uint64_t sequence_in_map(struct storm_log *log, int fd)
{
	const uint32_t zero = 0;
	uint64_t sequence = 0;

	EXPECT(log, !map_call(log, BPF_MAP_LOOKUP_ELEM, fd, &zero, &sequence, 0));
	return sequence;
}

static uint64_t sequence_in_program(struct storm_log *log, int fd)
{
	struct bpf_insn insns[2] = {{0}};
	struct bpf_prog_info info = {.xlated_prog_insns = PTR_U64(insns),
				     .xlated_prog_len = sizeof(insns)};
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd,
					.info_len = sizeof(info),
					.info = PTR_U64(&info)}};

	EXPECT(log, !timed_call(log, BPF_OBJ_GET_INFO_BY_FD, &attr));
	return (uint32_t)insns[0].imm;
}

static uint64_t look_inner(struct storm_log *log, const struct keyed_map *m, uint32_t key)
{
	const bool programs = m->row->traits & PROGRAMS;
	uint32_t value[2] = {0}; /* {id}, or {interface, id} */
	union bpf_attr attr = {0};
	uint64_t sequence;
	int fd;

	if (map_call(log, BPF_MAP_LOOKUP_ELEM, m->fd, &key, value, 0))
		return 0;
	attr.map_id = value[m->row->traits & DEVICES ? 1 : 0];
	fd = (int)timed_call(log, programs ? BPF_PROG_GET_FD_BY_ID : BPF_MAP_GET_FD_BY_ID, &attr);
	EXPECT(log, fd >= 0);
	sequence = programs ? sequence_in_program(log, fd) : sequence_in_map(log, fd);
	close(fd);
	EXPECT(log, m->programs[READ_INNER] < 0 ||
			    run(log, m, READ_INNER, key, NULL, 0) == (int)sequence);
	return sequence;
}

/* The next number of a change. */
static uint64_t next_sequence(struct storm_log *log, const struct keyed_map *m)
{
	return m->row->traits & SOCKETS ? 1 + ++log->sequence % NR_SOCKETS : ++log->sequence;
}

static uint64_t look_socket(struct storm_log *log, const struct keyed_map *m, uint32_t key)
{
	uint64_t cookie = 0, other;
	const long err = map_call(log, BPF_MAP_LOOKUP_ELEM, m->fd, &key, &cookie, 0);

	EXPECT(log, !err || err == -ENOENT);
	for (unsigned i = 1; !err && i <= NR_SOCKETS; i++) {
		socklen_t size = sizeof(other);

		getsockopt(SOCKETS_AT + (int)i, SOL_SOCKET, SO_COOKIE, &other, &size);
		if (other == cookie)
			return i;
	}
	return err ? 0 : TORN;
}

static bool is_whole(const struct value *v)
{
	return v->copies[0] == v->sequence && v->copies[1] == v->sequence;
}

/* The sequence number in a value: of per-CPU values the latest. */
static uint64_t sequence_in(const struct keyed_map *m, const struct values *values)
{
	const unsigned n = m->row->traits & PERCPU ? storm_cpus : 1;
	uint64_t sequence = 0;

	for (unsigned cpu = 0; cpu < n; cpu++) {
		if (!is_whole(&values->of_cpu[cpu]))
			return TORN;
		sequence = MAX(sequence, values->of_cpu[cpu].sequence);
	}
	return sequence;
}

static uint64_t look(struct storm_log *log, const struct keyed_map *m, uint32_t key)
{
	const uint64_t flags = m->row->traits & LOCKED ? BPF_F_LOCK : 0;
	struct values values;
	long err;

	if (m->row->traits & OUTER)
		return look_inner(log, m, key);
	if (m->row->traits & SOCKETS)
		return look_socket(log, m, key);
	key = key_for(m, key);
	err = map_call(log, BPF_MAP_LOOKUP_ELEM, m->fd, &key, &values, flags);
	EXPECT(log, !err || (err == -ENOENT && !(m->row->traits & FIXED)));
	return err ? 0 : sequence_in(m, &values);
}

static void fill(const struct keyed_map *m, struct values *values, uint64_t sequence)
{
	if (m->row->traits & SOCKETS) {
		memcpy(values, &(uint64_t){SOCKETS_AT + sequence}, sizeof(uint64_t));
		return;
	}
	for (unsigned cpu = 0; cpu < (m->row->traits & PERCPU ? storm_cpus : 1); cpu++)
		values->of_cpu[cpu] =
			(struct value){.sequence = sequence, .copies = {sequence, sequence}};
}

static int put_inner(struct storm_log *log, const struct keyed_map *m, uint32_t key,
		     uint64_t sequence, uint64_t flags)
{
	const int inner = make_inner(log, m, sequence);
	const int value[2] = {m->row->traits & DEVICES ? (int)LOOPBACK : inner, inner};
	const int err = (int)map_call(log, BPF_MAP_UPDATE_ELEM, m->fd, &key, value, flags);

	close(inner);
	return err;
}

static int put(struct storm_log *log, const struct keyed_map *m, uint32_t key, uint64_t sequence,
	       uint64_t flags)
{
	struct values values;

	key = key_for(m, key);
	if (m->row->traits & OUTER)
		return put_inner(log, m, key, sequence, flags);
	fill(m, &values, sequence);
	return (int)map_call(log, BPF_MAP_UPDATE_ELEM, m->fd, &key, &values, flags);
}

/* Back to zero where nothing can be deleted. */
static int take_away(struct storm_log *log, const struct keyed_map *m, uint32_t key)
{
	int err;

	if ((m->row->traits & (FIXED | OUTER | SOCKETS)) == FIXED)
		return put(log, m, key, 0, 0);
	key = key_for(m, key);
	err = (int)map_call(log, BPF_MAP_DELETE_ELEM, m->fd, &key, NULL, 0);
	return err == -EINVAL && m->row->traits & SOCKETS ? -ENOENT : err; /* SOCKMAP's word for it */
}

/* Steps of a writer */

static bool judge(const struct keyed_map *m, const struct storm_log *log, unsigned number,
		  unsigned k, uint64_t found)
{
	const uint64_t was = log->acknowledged[number][k], will_be = log->intended[number][k];

	if (!found && m->row->traits & EVICTS)
		return true;
	/* Where the latest was set to zero already, that of another CPU is older. */
	if (!will_be && log->in_place[number][k] && m->row->traits & PERCPU)
		return found <= was;
	return found == was || found == will_be;
}

/* All values are written anew, for some may be torn or there for some CPUs only. */
static void settle_key(struct storm_log *log, unsigned number, uint32_t key, unsigned k)
{
	const struct keyed_map *m = &maps[number];
	uint64_t *was = &log->acknowledged[number][k], *will_be = &log->intended[number][k];
	const uint64_t found = look(log, m, key);

	EXPECT(log, judge(m, log, number, k, found) ||
			    (found == TORN && log->in_place[number][k] && *was != *will_be));
	*was = found;
	note();
	if (!found || m->row->traits & (OUTER | SOCKETS)) {
		*will_be = found;
		return;
	}
	if (m->row->traits & (FIXED | PERCPU))
		log->in_place[number][k] = true;
	*will_be = ++log->sequence;
	note();
	EXPECT(log, put(log, m, key, *will_be, BPF_ANY) == 0);
	note();
	*was = *will_be;
}

static void settle(struct storm_log *log, unsigned writer)
{
	for (unsigned number = 0; number < nr_maps; number++)
		for (unsigned k = 0; k < KEYS; k++)
			settle_key(log, number, key_of(writer, k), k);
}

static void change(struct storm_log *log, unsigned number, unsigned writer, unsigned k,
		   uint32_t random)
{
	const struct keyed_map *m = &maps[number];
	const uint32_t traits = m->row->traits, key = key_of(writer, k);
	const uint64_t sequence = next_sequence(log, m), was = log->acknowledged[number][k];
	const bool by_program = random & 1 && !(traits & (OUTER | OWNED | SOCKETS)),
		   remove = random & 2;
	uint64_t flags = traits & (FIXED | EVICTS) ? BPF_ANY : was ? BPF_EXIST : BPF_NOEXIST;
	struct values values;
	int err;

	fill(m, &values, sequence);
	flags |= traits & LOCKED && random & 4 && !by_program ? BPF_F_LOCK : 0;
	log->in_place[number][k] = (!remove || traits & FIXED) && !(traits & SOCKETS) &&
				   (traits & (FIXED | PERCPU) || flags & BPF_F_LOCK);
	note();
	log->intended[number][k] = remove ? 0 : sequence;
	note();
	if (remove)
		err = by_program && !(traits & FIXED) ? run(log, m, DELETE, key, NULL, 0)
						      : take_away(log, m, key);
	else
		err = by_program ? run(log, m, UPDATE, key, values.of_cpu, flags)
				 : put(log, m, key, sequence, flags);
	EXPECT(log, !err || (remove && err == -ENOENT && (!was || traits & EVICTS)));
	note();
	log->acknowledged[number][k] = log->intended[number][k];
}

/* A program writes into the value that it looked up. */
static void write_in_place(struct storm_log *log, unsigned number, unsigned writer, unsigned k)
{
	const struct keyed_map *m = &maps[number];
	const bool is_there = m->row->traits & FIXED || log->acknowledged[number][k];
	struct values values;

	if (!is_there)
		return;
	fill(m, &values, ++log->sequence);
	log->in_place[number][k] = true;
	note();
	log->intended[number][k] = log->sequence;
	note();
	EXPECT(log, run(log, m, WRITE, key_of(writer, k), values.of_cpu, 0) == 0);
	note();
	log->acknowledged[number][k] = log->intended[number][k];
}

/*
 * The place of a value that is evicted becomes another's at once, as in the kernel: who wrote
 * through a pointer could write over the value of another key.
 */
static void touch(struct storm_log *log, const struct keyed_map *m, uint32_t key)
{
	const int err = run(log, m, TOUCH, key, NULL, 0);

	EXPECT(log, !err || err == -ENOENT);
}

/* A batch of new values, of which the caller closes the inner maps of an outer one. */
static void fill_batch(struct storm_log *log, const struct keyed_map *m, void *values,
		       uint64_t sequence)
{
	const unsigned stride = m->row->traits & PERCPU ? storm_cpus : 1;

	for (unsigned i = 0; i < BATCH; i++)
		if (m->row->traits & OUTER)
			((int *)values)[i] = make_inner(log, m, sequence + i);
		else
			fill(m, (struct values *)&((struct value *)values)[i * stride], sequence + i);
}

static long batch_call(struct storm_log *log, int command, const struct keyed_map *m,
		       const uint32_t *keys, const void *values, uint32_t *cursor)
{
	union bpf_attr attr = {.batch = {.keys = PTR_U64(keys),
					 .values = PTR_U64(values),
					 .out_batch = PTR_U64(cursor),
					 .count = BATCH,
					 .map_fd = (uint32_t)m->fd}};

	return timed_call(log, command, &attr);
}

/* Some of the keys at once: made new if one of them is absent, else deleted. */
static void change_batch(struct storm_log *log, unsigned number, unsigned writer, unsigned first)
{
	const struct keyed_map *m = &maps[number];
	const uint32_t traits = m->row->traits;
	uint64_t *will_be = &log->intended[number][first], *was = &log->acknowledged[number][first];
	struct value values[BATCH * MAX_CPUS];
	uint32_t keys[BATCH];
	bool remove = !(traits & FIXED);
	long err;

	for (unsigned i = 0; i < BATCH; i++) {
		keys[i] = key_of(writer, first + i);
		remove = remove && was[i];
		log->in_place[number][first + i] = traits & (FIXED | PERCPU);
	}
	if (!remove)
		fill_batch(log, m, values, log->sequence + 1);
	note();
	for (unsigned i = 0; i < BATCH; i++)
		will_be[i] = remove ? 0 : ++log->sequence;
	note();
	err = batch_call(log, remove ? BPF_MAP_DELETE_BATCH : BPF_MAP_UPDATE_BATCH, m, keys, values,
			 NULL);
	for (unsigned i = 0; !remove && traits & OUTER && i < BATCH; i++)
		close(((int *)values)[i]);
	/* A deletion ends at the first that was evicted, so the others may be there. */
	EXPECT(log, !err || (err == -ENOENT && remove && traits & EVICTS));
	note();
	for (unsigned i = 0; !err && i < BATCH; i++)
		was[i] = will_be[i];
}

/* Takes whatever comes first out of a map whose elements may go at any time. */
static void take_batch(struct storm_log *log, const struct keyed_map *m)
{
	struct value values[BATCH * MAX_CPUS];
	uint32_t keys[BATCH], cursor;
	const long err = batch_call(log, BPF_MAP_LOOKUP_AND_DELETE_BATCH, m, keys, values, &cursor);

	EXPECT(log, !err || err == -ENOENT);
}

static void step(struct storm_log *log, unsigned writer, uint32_t random)
{
	const unsigned number = random % nr_maps, k = random / 4 % KEYS;
	const struct keyed_map *m = &maps[number];

	switch (random / 64 % 8) {
	case 0:
		EXPECT(log, judge(m, log, number, k, look(log, m, key_of(writer, k))));
		break;
	case 1:
		if (m->row->traits & EVICTS)
			touch(log, m, key_of(writer, k));
		else if (!(m->row->traits & (OUTER | OWNED | SOCKETS)))
			write_in_place(log, number, writer, k);
		break;
	case 2:
		if (m->row->traits & EVICTS && random / 512 % 8 == 0)
			take_batch(log, m);
		else if (!(m->row->traits & (OWNED | PROGRAMS | SOCKETS)))
			change_batch(log, number, writer, k % (KEYS - BATCH));
		break;
	default:
		change(log, number, writer, k, random / 512);
	}
}

/* Afterwards */

static uint32_t count(struct storm_log *log, int fd)
{
	uint32_t key, n = 0;

	for (long err = map_call(log, BPF_MAP_GET_NEXT_KEY, fd, NULL, &key, 0); !err; n++)
		err = map_call(log, BPF_MAP_GET_NEXT_KEY, fd, &key, &key, 0);
	return n;
}

/* Exactly the elements that the logs tell of are there, and as many more fit as are missing. */
static bool capacity_is_whole(struct storm_log *logs, const struct keyed_map *m)
{
	const unsigned number = (unsigned)(m - maps);
	uint32_t present = 0, key;

	for (unsigned i = 0; i < WRITERS * KEYS; i++)
		present += logs[i / KEYS].acknowledged[number][i % KEYS] != 0;
	if (count(logs, m->fd) != present)
		return false;
	for (int round = 0; round < 2; round++) {
		for (key = 1000; present < WRITERS * KEYS; key++, present++)
			if (put(logs, m, key, 1, BPF_NOEXIST))
				return false;
		if (put(logs, m, key, 1, BPF_NOEXIST) != -E2BIG)
			return false;
		for (; !map_call(logs, BPF_MAP_GET_NEXT_KEY, m->fd, NULL, &key, 0); present--)
			if (take_away(logs, m, key))
				return false;
	}
	return !present;
}

/* False where this process may not run on that CPU. */
static bool run_on(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* Inserts until the CPU has used up the free elements that it has; how many are there then. */
static uint32_t peak(struct storm_log *log, const struct keyed_map *m, uint32_t key)
{
	const uint32_t end = key + 4 * WRITERS * KEYS;
	uint32_t now = 0, most = 0;

	for (; key < end; key++) {
		EXPECT(log, put(log, m, key, 1, BPF_ANY) == 0);
		now = count(log, m->fd);
		most = MAX(most, now);
	}
	for (; now < most; key++, now = count(log, m->fd))
		EXPECT(log, put(log, m, key, 1, BPF_ANY) == 0);
	return most;
}

/* When no CPU has a free element left, all elements are in use. */
static bool eviction_keeps_capacity(struct storm_log *log, const struct keyed_map *m)
{
	uint32_t most = 0, least = entries_of(m->row);
	cpu_set_t before;

	sched_getaffinity(0, sizeof(before), &before);
	for (unsigned cpu = 0; cpu < storm_cpus; cpu++) {
		if (run_on(cpu))
			most = peak(log, m, (cpu + 1) * 100000);
		else /* keeps what it has */
			least = entries_of(m->row) / 2 / (m->row->flags ? storm_cpus : 1);
	}
	sched_setaffinity(0, sizeof(before), &before);
	return most >= least && most <= entries_of(m->row) && !log->failures;
}

static bool is_emptied(struct storm_log *logs, const struct keyed_map *m)
{
	uint32_t key = 0;

	if (m->row->traits & (FIXED | OWNED))
		for (; key < WRITERS * KEYS; key++) {
			const int err = take_away(logs, m, key);

			if (err && err != -ENOENT)
				return false;
		}
	else
		while (!map_call(logs, BPF_MAP_GET_NEXT_KEY, m->fd, NULL, &key, 0))
			if (take_away(logs, m, key))
				return false;
	return true;
}

static bool verify_map(struct storm_log *logs, const struct keyed_map *m)
{
	bool well = true;

	if (m->row->traits & EVICTS)
		well = eviction_keeps_capacity(logs, m);
	else if (!(m->row->traits & (FIXED | OWNED)))
		well = capacity_is_whole(logs, m);
	if (!well)
		printf("# capacity of map %u is not whole\n", (unsigned)(m - maps));
	if (!storm_is_valid(m->fd)) {
		printf("# map %u is not valid\n", (unsigned)(m - maps));
		well = false;
	}
	return is_emptied(logs, m) && well;
}

static bool verify(struct storm_log *logs)
{
	bool well = true;

	for (unsigned number = 0; number < nr_maps; number++)
		well = verify_map(logs, &maps[number]) && well;
	if (storm_objects(OBJECT_MAP) != nr_maps) {
		printf("# an inner map is left\n");
		well = false;
	}
	for (unsigned number = 0; number < nr_maps; number++) {
		const struct keyed_map *m = &maps[number];

		for (unsigned i = 0; i < ACTIONS; i++)
			close(m->programs[i]);
		close(m->fd);
	}
	return well;
}

/* Types: an integer, bpf_spin_lock, and a value that begins with one. */
static int load_lock_btf(void)
{
	static const struct {
		struct btf_header header;
		uint32_t types[16];
		char strings[32];
	} btf = {
		{0xeb9f, 1, 0, 24, 0, 64, 64, 32},
		{1, 1u << 24, 4, 32,
		 5, 4u << 24 | 1, 4, 1, 1, 0,
		 19, 4u << 24 | 1, sizeof(struct value), 21, 2, 0},
		"\0int\0bpf_spin_lock\0v\0l",
	};
	union bpf_attr attr = {.btf = PTR_U64(&btf), .btf_size = sizeof(btf)};

	return (int)bpf_call(BPF_BTF_LOAD, PTR_U64(&attr), sizeof(attr));
}

/* Sockets, which are inodes, too; they go with their last descriptor. */
static void make_sockets(int first, int count)
{
	for (int i = 0; i < count; i++) {
		const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

		if (fd < 0 || dup2(fd, first + i) < 0)
			abort();
		close(fd);
	}
}

static uint32_t value_size_of(const struct map_row *row)
{
	if (row->traits & (DEVICES | SOCKETS))
		return 8;
	return row->traits & OUTER ? 4 : sizeof(struct value);
}

static void create_map(struct keyed_map *m, const struct map_row *row)
{
	const bool outer = row->traits & OUTER, locked = row->traits & LOCKED;
	const int inner = outer && !(row->traits & PROGRAMS) ? storm_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0, -1, -1) : -1;
	const int btf = locked ? load_lock_btf() : -1;

	m->row = row;
	m->fd = storm_map(row->type, 4, value_size_of(row), entries_of(row), row->flags, inner, btf);
	memset(m->programs, 0xff, sizeof(m->programs));
	if (row->traits & OWNED) {
		make_sockets(OWNERS_AT, WRITERS * KEYS);
	} else if (row->traits & SOCKETS) {
		make_sockets(SOCKETS_AT, NR_SOCKETS + 1);
	} else if (row->type == BPF_MAP_TYPE_PROG_ARRAY) {
		m->programs[READ_INNER] = load_tail_call(m->fd);
	} else if (outer && !(row->traits & PROGRAMS)) {
		m->programs[READ_INNER] = load_read_inner(m->fd);
	} else if (!outer) {
		m->programs[UPDATE] = load_update(m->fd);
		m->programs[DELETE] = load_delete(m->fd);
		m->programs[WRITE] = load_write(m->fd, locked);
		m->programs[TOUCH] = load_touch(m->fd);
	}
	close(inner);
	close(btf);
}

static void create(const char *name)
{
	nr_maps = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].family, name))
			create_map(&maps[nr_maps++], &rows[i]);
}

#define FAMILY(name) static void create_##name(void) { create(#name); }
FAMILY(hash)
FAMILY(lru)
FAMILY(array)
FAMILY(maps_of_maps)
FAMILY(storage)
FAMILY(programs)
FAMILY(sockets)

const struct family keyed_families[] = {
	{"hash", create_hash, settle, step, verify},
	{"lru", create_lru, settle, step, verify},
	{"array", create_array, settle, step, verify},
	{"maps_of_maps", create_maps_of_maps, settle, step, verify},
	{"storage", create_storage, settle, step, verify},
	{"programs", create_programs, settle, step, verify},
	{"sockets", create_sockets, settle, step, verify},
};
const unsigned nr_keyed_families = ARRAY_SIZE(keyed_families);
