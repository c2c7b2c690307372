/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * vm.h: one run of a program. The contract that the engines, the helpers and test_run share. Knows
 * no fd and no command.
 *
 * Pointers in registers are true addresses of this process. Contexts of packet programs and the
 * packets lie below 4 GiB, so that their 32-bit data fields are true pointers too.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include <linux/bpf.h>

#include "base/compiler.h"
#include "vm/prog.h"

/* A packet with room around it, in memory below 4 GiB. */
struct packet {
	u8 *head;     /* start of the buffer: what adjust_head may grow into, exclusive of reserve */
	u8 *data;     /* first byte a program sees */
	u8 *data_end; /* one past the last */
	u8 *end;      /* end of the buffer */
	u8 *mac;      /* link layer header (LD_ABS negative offsets, skb_load_bytes_relative) */
	u8 *network;  /* network layer header */
	bool writable; /* direct stores are allowed for this program type */
};

/* A further range that a helper handed out, or a test supplies. */
struct vm_memory {
	u64 start, end;
	bool writable;
	const char *name;
};

/* What maps with MAP_OF_RUNS keep for a run: a value, or one for each CPU. */
struct vm_storage {
	struct map *map; /* NULL: the program has no such map */
	u8 *memory;
	u32 size;
};

/* What programs get as the current task. Nothing can lie there: its fields are not served. */
#define VM_CURRENT_TASK 0xffff888000001000u

struct vm_fault {
	bool set;
	u32 insn;       /* index of the offending instruction */
	struct prog *prog; /* and its program */
	char text[200]; /* one line: what, address, region, limit */
};

#define VM_EXTRA_MEMORY 8
#define VM_HELD_FEW 8

/* Where something of a held map begins: struct map itself, or the memory of its file. */
struct vm_place {
	u64 start;
	struct map *map;
};

/* Inner maps that the run has met, with a use each until vm_release(). */
struct vm_held {
	u32 count;
	u32 mask;                /* of table, whose slots follow from ids */
	struct map **table;      /* NULL: few is enough */
	struct vm_place *places; /* with table: two of each map; one block with it */
	u32 nr_sorted;           /* of places, by address; a search sorts the others too */
	struct map *few[VM_HELD_FEW];
};

#define TC_ACT_REDIRECT 7 /* of tc programs; XDP_REDIRECT is that of XDP */

/* Where a helper of the last run said that the packet should go. */
struct vm_redirect {
	bool set;
	u32 map_id; /* 0: to an interface, without a map */
	u32 key;
	u32 ifindex; /* 0: the target is no interface, or several are */
	u64 flags;
};

#define VM_TAIL_CALLS_MAX 33 /* in one run */
#define VM_RECENT 8

/* A program that a tail call has found lately. */
struct vm_target {
	u64 slot;        /* the word of the array (struct map.slots) where it was; 0: not known */
	const u8 *entry; /* with slot: its machine code */
	struct prog *prog;
	u64 unused;
};

/* Programs that the run has met in tail calls, with a use each. */
struct vm_targets {
	struct vm_target recent[VM_RECENT]; /* by id */
	struct prog **held;
	u32 count, room;
};

/* What the program has begun and has to end, by kernel functions (kfunc.h). */
struct vm_open {
	u32 all; /* of those below together */
	u32 rcu, preempt, irq;
	u32 nr_bits;
	struct iter_words *bits; /* of iterators over bits; see kfuncs_iter.c */
	u32 nr_sockets;
	struct vm_socket *sockets; /* that helpers have found and the program has to release */
	bool thrown;             /* by bpf_throw(): the fault is none, and the run ended with this: */
	u64 cookie;
};

#define VM_RECORDS 16

/* A record of a ring buffer that the run has reserved, and neither submitted nor discarded. */
struct vm_record {
	u64 start;
	u64 size;
	struct map *map;
};

#define VM_DYNPTRS 16

enum dynptr_kind { DYNPTR_LOCAL, DYNPTR_RINGBUF, DYNPTR_SKB, DYNPTR_XDP };

/* See dynptr.h. */
struct vm_dynptr {
	u64 address;  /* of the 16 bytes in the program's stack */
	u64 bytes[2]; /* what was put there */
	u8 *data;     /* NULL: nothing; of a packet: where it was, which nobody may look at */
	u32 offset;   /* in data, or in the packet, at which it begins */
	u32 size;
	enum dynptr_kind kind;
	bool read_only;
};

#define VM_OBJECTS 64

/* A reference to an object that the run has, and has to give away or drop. */
struct vm_reference {
	struct local_object *object;
	struct btf_object *types;
};

/* A socket of the host that the run has found: what the program sees, and what only helpers do. */
struct vm_socket {
	struct vm_socket *next;
	struct bpf_sock seen;
	u64 cookie;
	bool is_full; /* neither a request nor what waits until its port is free */
};

struct both;
struct engine;
struct lock;
struct vm_state;

struct vm_run {
	struct prog *prog;     /* during the run: that of the instruction at hand */
	void *ctx;             /* R1 at entry */
	const struct ctx_rules *ctx_rules; /* NULL: there is no context */
	struct packet *packet; /* NULL: none */
	void (*begin)(struct vm_run *run); /* before each of repeated runs; NULL: nothing to do */
	/* Called after a helper moved the packet, so that the context's data fields follow. */
	void (*packet_moved)(struct vm_run *run);
	struct vm_memory extra[VM_EXTRA_MEMORY];
	u32 nr_extra;
	struct vm_storage storage[2]; /* plain, MAP_PERCPU */
	struct vm_held held;
	struct vm_targets targets;
	u32 tail_calls;        /* made in this run */
	struct prog *next;     /* where the tail call just made goes; NULL: there is none */
	u32 nr_records;
	struct vm_record records[VM_RECORDS];
	u32 nr_dynptrs;
	struct vm_dynptr dynptrs[VM_DYNPTRS];
	u64 dynptrs_made;
	u32 nr_references;
	struct vm_reference references[VM_OBJECTS];
	bool met_pointers;     /* to objects in values, which others may drop at any time */
	struct vm_redirect redirect;
	struct lock *spin_lock; /* in a map's value, that the program holds now */
	bool comparing;        /* in the callback of a tree, which must find it as it left it */
	struct vm_open open;
	u64 insns_left;        /* instruction budget; a run that uses it up faults */
	struct vm_fault fault;
	const struct engine *engine;
	struct vm_state *state; /* the engine's; NULL before and after the run */
	u32 pc; /* of the current instruction, where something may fault */
	/* The JIT's; emitted code knows their places. */
	u32 cpu;       /* the virtual CPU of the run */
	u64 frame;     /* frame pointer of who called the helper that calls back */
	u64 stack_end; /* no frame pointer lies beyond */
	u64 tail_result; /* R0 of a program that has run in the interpreter instead */
	u64 exit_sp;   /* native stack pointer to return to when the run stops */
	struct both *both; /* engines are being compared; NULL: they are not */
};

#define HELPER_LOOPS_MAX (1u << 23) /* rounds of one bpf_loop() */
#define VM_DEFAULT_BUDGET (1ull << 28) /* about a second in the interpreter */

/*
 * Runs the program once. 0 and *retval (R0), or -EFAULT with run->fault filled in: a memory access
 * outside what the program may touch, an unknown instruction, a division of the frame limit, the
 * budget. Owns a virtual CPU meanwhile (the caller has called vcpu_enter()). The inner maps that the
 * program has met stay held: see vm_release().
 */
must_check int vm_run(struct vm_run *run, u64 *retval);
/*
 * Runs a subprogram by itself, in the interpreter, as if it were a program with these R1-R4. Same
 * results and conditions as vm_run().
 */
must_check int vm_run_part(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval);
/* Calls back into the program (for_each, loop) at an instruction, R1-R4 given. Same results. */
must_check int vm_callback(struct vm_run *run, u32 insn, const u64 arguments[4], u64 *retval);

/*
 * Which engine runs programs from now on in this process: "interp", "jit" (programs are trusted),
 * "both" (and their results compared), or NULL: the JIT for programs that were loaded trusted, the
 * interpreter for the others. False for another name, or without a JIT for this machine.
 */
bool vm_choose_engine(const char *name);
/* The program runs as machine code when it runs here. */
bool vm_runs_jited(struct prog *prog);
/* Programs loaded by this process from now on are trusted: their loader vouches for them. */
void vm_trust_loaded(bool trust);
bool vm_loaded_are_trusted(void);

/* bpf(2) for programs that may call it; the layer that has it says so, once. */
typedef long (*vm_bpf_call)(int cmd, u64 attr, u32 size);
void vm_set_bpf_call(vm_bpf_call call);

/* May this run touch [address, address+size)? For helper arguments. */
bool vm_memory_ok(struct vm_run *run, u64 address, u64 size, bool write);
/* The map, of the program or met by the run, with a value that contains address; NULL. */
struct map *vm_map_with_value(struct vm_run *run, u64 address, void **value);
/* What lies at or near an address, in words for a fault. */
void vm_describe(struct vm_run *run, u64 address, char *text, size_t room);
/* Ends the run with a fault; returns 0 so that helpers can `return vm_faultf(...)`. */
u64 vm_faultf(struct vm_run *run, const char *fmt, ...) printf_like(2, 3);

/* Tells why a run faulted: one line to the realm's trace and, with `userbpf run -v`, to stderr. */
void vm_fault_report(const struct vm_run *run);
/* The inner map of an outer one, held; NULL: none, or a fault. */
struct map *vm_lookup_inner(struct vm_run *run, struct map *outer, const void *key);
/* The held map at this address; NULL. */
struct map *vm_held_map(struct vm_run *run, u64 address);
/* The held map with a value that contains address, and the start of that value; NULL. */
struct map *vm_held_map_with(struct vm_run *run, u64 address, void **value);
/*
 * A result that another run of the same program would not see again (time, chance). Where engines
 * are compared, the second one gets what the first one got.
 */
u64 vm_varying(struct vm_run *run, u64 value);
/* What has an effect beyond maps is done once: true, and the result that it had, the second time. */
bool vm_replays(struct vm_run *run, u64 *value);
/* Where bpf_tail_call() goes, held; NULL: nowhere, or a fault. */
struct prog *vm_tail_target(struct vm_run *run, struct map *array, u32 index);
/* The reserved record that begins at this address; NULL. */
struct vm_record *vm_record_at(struct vm_run *run, u64 address);
/* Reserves one for the run: its start, or 0, maybe with a fault. */
u64 vm_reserve_record(struct vm_run *run, struct map *ring, u64 size);
/* Submits or discards it, or faults; returns 0. */
u64 vm_release_record(struct vm_run *run, u64 start, u64 flags, bool discard);
/* Discards what the run has not released. */
void vm_discard_records(struct vm_run *run);
/* The found socket whose visible part is at this address; NULL. */
struct vm_socket *vm_socket_at(const struct vm_run *run, u64 address);
/* Drops what the program has not released. */
void vm_drop_sockets(struct vm_run *run);
void vm_release_maps(struct vm_run *run);
void vm_release_targets(struct vm_run *run);
/* After one or several runs with this struct vm_run, before its virtual CPU is left. */
static inline void vm_release(struct vm_run *run)
{
	vm_release_maps(run);
	vm_release_targets(run);
}

#endif
