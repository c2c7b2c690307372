/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * internal.h: what the parts of the verifier share: the program under examination and the passes
 * over it, in the order in which verify_program() runs them. Each pass returns 0, or the errno of
 * the kernel after having written the reason to the log.
 */
#ifndef VERIFIER_INTERNAL_H
#define VERIFIER_INTERNAL_H

#include "verifier/verify.h"

struct kfunc;
struct known;

struct verifier {
	struct verify_request *request;
	struct verify_result *result;
	struct bpf_insn *insns;
	u32 insn_cnt;
	/* Deepest byte of the frame that is seen to be used, by subprogram. */
	u16 stack_depth[PROG_MAX_SUBPROGS];
	u8 async[PROG_MAX_SUBPROGS]; /* enum async */
	bool acquires, releases; /* it calls helpers that do so with references */
	u32 first_acquired_at;
	bool returns_nothing; /* the function that the program is has no result */
	struct map_window arena; /* that the program's instructions name */
	struct kernel_function *functions; /* of the kernel, that the program names */
	u32 nr_functions;
};

/* What is seen of a subprogram that a timer or a work queue calls back, by itself. */
enum async {
	ASYNC = 1 << 0,
	ASYNC_SLEEPS = 1 << 1, /* may sleep in a program that may not */
};

#define FUNCTIONS_MAX 256 /* different ones in a program */

/* A kernel function by its id in the kernel's BTF; number is its row in kfuncs.def, or 0. */
struct kernel_function {
	u32 id, number;
	char name[64];
};

/* Writes a line to the log, if there is one. */
#define verbose(v, ...) sink_printf((v)->request->log, __VA_ARGS__)

/* maps.c */
int bind_fd_array(struct verifier *v);
/* Checks opcodes and ld_imm64 pairs, and turns map references into the file form. */
int resolve_references(struct verifier *v);

/* structure.c */
int find_subprogs(struct verifier *v);
/* Jumps stay inside their subprogram, and nothing runs off its end. */
int check_subprogs(struct verifier *v);
/* Every instruction can be reached, and none jumps into a ld_imm64. */
int check_reachability(struct verifier *v);
/* The subprogram that contains instruction pc. */
u32 subprog_at(const struct verifier *v, u32 pc);

/* kfuncs.c */
/* Finds the functions that calls and ld_imm64 name, reached or not. */
int find_kfuncs(struct verifier *v);
/* The function that a call or a ld_imm64 names; NULL: it names none. */
const struct kernel_function *kfunc_called(const struct verifier *v, const struct bpf_insn *insn);
/* May the program make the call at pc? *kfunc is its row then. */
int check_kfunc_permission(struct verifier *v, u32 pc, const struct kfunc **kfunc);
/* local_types.c: may the program make objects of the type with this number, or copies for all CPUs? */
int check_local_type(struct verifier *v, u64 id, bool percpu);
/* Turns the calls into the file form. */
void resolve_kfuncs(struct verifier *v);
void free_kfuncs(struct verifier *v);

/* callbacks.c */
/* A call that hands the function in a register over to be called back by itself. */
void note_async(struct verifier *v, const struct known *function, u32 async);
/* The end of a subprogram, with R0. */
int check_async_exit(const struct verifier *v, u32 pc, const struct known *r0);
/* May what is at pc sleep? */
bool may_sleep(const struct verifier *v, u32 pc);
/* Is the subprogram a callback, or called below one? */
bool runs_in_callback(const struct verifier *v, u32 subprog);
/* No callback makes tail calls. */
int check_callbacks(const struct verifier *v);

/* references.c */
/* A call that gives a reference, and where it leads. */
int check_reference(struct verifier *v, u32 pc);
/* When all calls have been seen: is there one that releases, if there is one that acquires? */
int check_releases(struct verifier *v);

/* method.c */
/* The member of a table of functions that the program is to be; sets returns_nothing. */
int check_method(struct verifier *v);

/* check.c */
int check_instructions(struct verifier *v);

/* frames.c */
/* The first call at or behind *pc in subprog: its callee, *pc behind it; or -1. */
int next_callee(const struct verifier *v, u32 subprog, u32 *pc);
bool has_tail_call(const struct verifier *v, u32 subprog);
int check_call_depth(struct verifier *v);
int check_stack_size(struct verifier *v);

#endif
