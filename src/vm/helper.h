/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helper.h: the helper table. One row per helper in helpers.def:
 *
 *   HELPER(map_lookup_elem, 1, HG_ALL, 0, MAP_H_LOOKUP, RET_MAP_VALUE_OR_NULL, ARG_MAP,
 *          ARG_MAP_KEY, 0, 0, 0)
 *
 * The load-time checks read names, groups, flags and map permissions; the checked interpreter
 * proves each argument by its kind before the call; the function then needs no check of its own.
 */
#ifndef VM_HELPER_H
#define VM_HELPER_H

#include "base/compiler.h"
#include "vm/vm.h"

enum helper_arg {
	ARG_NONE,
	ARG_ANY,          /* any scalar */
	ARG_CTX,          /* the run's context */
	ARG_PACKET,       /* the same, of a run that has a packet */
	ARG_MAP,          /* a struct map * of this program, or an inner one */
	ARG_MAP_KEY,      /* key_size readable bytes of the map in argument 1 */
	ARG_MAP_VALUE,    /* value_size readable bytes */
	ARG_MAP_VALUE_OUT,/* value_size writable bytes; with MAP_VALUE_INPUT readable ones */
	ARG_MEM,          /* readable; its size is the next argument */
	ARG_MEM_OR_NULL,  /* the same, or NULL with size 0 */
	ARG_MEM_OUT,      /* writable; its size is the next argument */
	ARG_SIZE,         /* size of the memory before it; 0 is an error */
	ARG_SIZE_OR_ZERO,
	ARG_LONG_OUT,     /* 8 writable bytes, aligned */
	ARG_INT_OUT,      /* 4, aligned */
	ARG_CONST_STR,    /* in a frozen map; the helper itself looks for its end */
	ARG_CALLBACK,     /* instruction index of a subprogram */
	ARG_SPIN_LOCK,    /* the spin lock of a map's value */
	ARG_STACK_OR_NULL,/* callback context: any value, passed through */
	ARG_BYTES16_OUT,  /* 16 writable bytes */
	ARG_BYTES20,      /* as many readable ones: headers of IPv4, TCP and IPv6 */
	ARG_BYTES40,
	ARG_BUFFER,       /* writable, its size is the next argument; NULL with any size */
	ARG_UNSAFE,       /* an address that may be none: the function looks */
	ARG_RECORD,       /* the start of a record that the run has reserved */
	ARG_VALUE_MEM,    /* writable, in a map value; its size is the next argument */
	ARG_DYNPTR,       /* one that was initialised */
	ARG_DYNPTR_NEW,   /* aligned stack for one */
	ARG_MAP_VALUE_OR_NULL, /* value_size readable bytes, or NULL */
	ARG_TASK_OR_NULL, /* the current task */
	ARG_SOCKET,       /* the socket of the packet, or one that the run has found */
	ARG_SOCKET_FOUND,
	ARG_SOCKET_OR_NULL, /* one that the run has found */
	ARG_ZERO,         /* flags that have no meaning yet */
	ARG_CTX_OR_NULL,
	ARG_TIMER,        /* the timer of a map's value */
	ARG_WQ,           /* its work queue */
	ARG_TYPE,         /* number of a struct type in the program's BTF */
	ARG_TYPE_PERCPU,  /* that of one of which each CPU can have a copy */
};

enum helper_ret { RET_INT, RET_VOID, RET_MAP_VALUE_OR_NULL, RET_MEM_OR_NULL };

enum helper_flags {
	HF_GPL = 1 << 0,          /* only for programs with a GPL-compatible license */
	HF_MOVES_PACKET = 1 << 1, /* packet pointers are invalid afterwards */
	HF_MAY_SLEEP = 1 << 2,    /* only for sleepable programs */
	HF_LOCKS = 1 << 3,        /* takes the spin lock in its argument */
	HF_UNLOCKS = 1 << 4,      /* drops it; the only helper while one is held */
	HF_FORMAT = 1 << 5,       /* argument 3 is a format for as many u64 as argument 5 has bytes */
	HF_TAIL_CALL = 1 << 6,    /* does not return if it succeeds */
	HF_ASYNC = 1 << 8,        /* argument 2 is called back by itself, later */
	HF_OBJECTS = 1 << 9,      /* makes, keeps or drops objects of types in the program's BTF */
	HF_ACQUIRES = 1 << 10,    /* its result, if it is not NULL, has to be released */
	HF_RELEASES = 1 << 11,    /* argument 1 */
	HF_OPAQUE = 1 << 7,       /* gives out what only the interpreter can keep apart from memory */
};

typedef u64 (*helper_fn)(struct vm_run *run, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);

struct helper {
	const char *name; /* without bpf_ */
	helper_fn fn;     /* NULL: known to the kernel, not served here */
	const char *reason; /* with fn NULL: why not */
	u32 groups;       /* enum helper_group */
	u32 flags;
	u32 map_bit;      /* enum map_helpers that the map in an ARG_MAP must have; 0: any */
	u8 ret;
	u8 args[5];
};

/* By BPF_FUNC_*; NULL for a number that the kernel does not know. */
const struct helper *helper_of(u32 id);

/* Are R1 to R5 what the helper's row asks for? False after a fault. */
bool helper_arguments_ok(struct vm_run *run, const struct helper *helper, const u64 *regs);

#endif
