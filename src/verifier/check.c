/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * check.c: the rules of single instructions and calls, checked once per instruction in the order
 * in which the kernel walks a program: fall through first, branches later.
 *
 * Values are not followed along paths. Only until the first condition or call, where there is but
 * one path, does the walk know which registers have been written; known.c tells what some of them
 * hold within straight-line code. What a branch on a constant skips is not looked at: libbpf leaves
 * calls and accesses there that this kernel does not have.
 */
#include "base/log.h"
#include "base/memory.h"
#include "verifier/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "verifier/btf_info.h"
#include "verifier/known.h"
#include "vm/helper.h"
#include "vm/insn.h"
#include "vm/kfunc.h"
#include "vm/printk.h"

#define ALL_WRITTEN ((1u << NR_REGS) - 1)

struct walk {
	struct verifier *v;
	u8 *seen;
	u8 *joins; /* is the target of a jump */
	u32 *todo; /* instructions to go on with, last first */
	u32 nr_todo;
	u32 pc;
	bool straight;            /* one path so far: no condition, no end of a subprogram */
	u32 written;              /* registers known to hold something; only while straight */
	struct known regs[NR_REGS];
	bool locked;              /* a spin lock has just been taken on this path */
};

static int reserved_fields(struct walk *w, const char *what)
{
	verbose(w->v, "%s uses reserved fields\n", what);
	return -EINVAL;
}

static int check_reg(struct walk *w, u32 reg)
{
	if (reg < NR_REGS)
		return 0;
	verbose(w->v, "R%u is invalid\n", reg);
	return -EINVAL;
}

static int check_read(struct walk *w, u32 reg)
{
	int err = check_reg(w, reg);

	if (err || w->written & 1u << reg)
		return err;
	verbose(w->v, "R%u !read_ok\n", reg);
	return -EACCES;
}

static int check_write(struct walk *w, u32 reg)
{
	int err = check_reg(w, reg);

	if (err)
		return err;
	if (reg == FP) {
		verbose(w->v, "frame pointer is read only\n");
		return -EACCES;
	}
	w->written |= 1u << reg;
	return 0;
}

static int check_reads(struct walk *w, u32 first, u32 second)
{
	int err = check_read(w, first);

	return err ? err : check_read(w, second);
}

/* What calls and packet loads leave behind. */
static void clobber(struct walk *w)
{
	if (w->straight)
		w->written &= ~0x3eu;
}

/* An access through the frame pointer itself; other pointers are checked when the program runs. */
static int check_frame_access(struct walk *w, u32 base, s32 off, u32 size, const char *direction)
{
	u16 *depth = &w->v->stack_depth[subprog_at(w->v, w->pc)];

	if (base != FP)
		return 0;
	if (off % (s32)size) {
		verbose(w->v, "misaligned stack access off 0+0+%d size %u\n", off, size);
		return -EACCES;
	}
	if (off < -PROG_STACK_BYTES || off + (s32)size > 0) {
		verbose(w->v, "invalid %s stack R%u off=%d size=%u\n", direction, base, off, size);
		return -EACCES;
	}
	*depth = (u16)MAX(*depth, -off);
	return 0;
}

static u32 access_size(const struct bpf_insn *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	}
	return 8;
}

static int check_load(struct walk *w, const struct bpf_insn *insn)
{
	int err = check_read(w, insn->src_reg);

	if (!err)
		err = check_write(w, insn->dst_reg);
	return err ? err
		   : check_frame_access(w, insn->src_reg, insn->off, access_size(insn),
					"read from");
}

static int check_store(struct walk *w, const struct bpf_insn *insn)
{
	int err = BPF_CLASS(insn->code) == BPF_ST ? check_read(w, insn->dst_reg)
						  : check_reads(w, insn->src_reg, insn->dst_reg);

	return err ? err
		   : check_frame_access(w, insn->dst_reg, insn->off, access_size(insn),
					"write to");
}

static int check_mov(struct walk *w, const struct bpf_insn *insn, bool known)
{
	bool from_reg = BPF_SRC(insn->code) == BPF_X;
	int err = 0;

	if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && insn->off == UAPI_ADDR_SPACE_CAST) {
		bool spaces = insn->imm == CAST_TO_PROGRAM || insn->imm == CAST_TO_USER;

		if (!spaces || !w->v->arena.map) {
			verbose(w->v, "addr_space_cast insn can only %s\n",
				spaces ? "be used in a program that has an associated arena"
				       : "convert between address space 1 and 0");
			return -EINVAL;
		}
	}
	if (!known)
		return reserved_fields(w, "BPF_MOV");
	if (from_reg)
		err = check_read(w, insn->src_reg);
	return err ? err : check_write(w, insn->dst_reg);
}

static int check_pointer_offset(struct walk *w, const struct bpf_insn *insn)
{
	bool constant = insn->code == (BPF_ALU64 | BPF_ADD | BPF_K) ||
			insn->code == (BPF_ALU64 | BPF_SUB | BPF_K);

	if (!constant || w->regs[insn->dst_reg].kind != MAP || !insn->imm)
		return 0;
	verbose(w->v, "R%u pointer arithmetic on map_ptr prohibited\n", insn->dst_reg);
	return -EACCES;
}

static int check_constant_operand(struct walk *w, const struct bpf_insn *insn)
{
	u32 bits = BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32;

	switch (BPF_OP(insn->code)) {
	case BPF_DIV:
	case BPF_MOD:
		if (insn->imm)
			return 0;
		verbose(w->v, "div by zero\n");
		return -EINVAL;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH:
		if ((u32)insn->imm < bits)
			return 0;
		verbose(w->v, "invalid shift %d\n", insn->imm);
		return -EINVAL;
	}
	return 0;
}

static int check_alu(struct walk *w, const struct bpf_insn *insn)
{
	bool known = insn_find(insn) != INSN_NONE, from_reg = BPF_SRC(insn->code) == BPF_X;
	u8 op = BPF_OP(insn->code);
	int err = 0;

	if (op == BPF_MOV)
		return check_mov(w, insn, known);
	if (!known)
		return reserved_fields(w, op == BPF_NEG   ? "BPF_NEG"
					  : op == BPF_END ? "BPF_END"
							  : "BPF_ALU");
	if (op != BPF_NEG && op != BPF_END && from_reg)
		err = check_read(w, insn->src_reg);
	if (!err)
		err = check_read(w, insn->dst_reg);
	if (!err && !from_reg)
		err = check_constant_operand(w, insn);
	if (!err)
		err = check_pointer_offset(w, insn);
	return err ? err : check_write(w, insn->dst_reg);
}

static int check_atomic(struct walk *w, const struct bpf_insn *insn)
{
	bool writes_src = (insn->imm & BPF_FETCH) && insn->imm != BPF_CMPXCHG;
	struct bpf_insn word = *insn;
	int err;

	word.code = BPF_STX | BPF_ATOMIC | BPF_DW;
	if (insn_find(&word) == INSN_NONE) {
		verbose(w->v, "BPF_ATOMIC uses invalid atomic opcode %02x\n", insn->imm);
		return -EINVAL;
	}
	if (insn->imm == UAPI_LOAD_ACQ)
		return check_load(w, insn);
	if (insn->imm == UAPI_STORE_REL)
		return check_store(w, insn);
	if (insn_find(insn) == INSN_NONE) {
		verbose(w->v, "invalid atomic operand size\n");
		return -EINVAL;
	}
	err = check_reads(w, insn->src_reg, insn->dst_reg);
	if (!err && insn->imm == BPF_CMPXCHG)
		err = check_read(w, 0);
	if (!err && writes_src)
		err = check_write(w, insn->src_reg);
	return err ? err
		   : check_frame_access(w, insn->dst_reg, insn->off, access_size(insn),
					"read from");
}

static int check_condition(struct walk *w, const struct bpf_insn *insn)
{
	bool known = insn_find(insn) != INSN_NONE;
	int err;

	if (BPF_OP(insn->code) == UAPI_JCOND) {
		if (known)
			return 0;
		verbose(w->v, "invalid may_goto imm %d\n", insn->imm);
		return -EINVAL;
	}
	err = check_read(w, insn->dst_reg);
	if (err)
		return err;
	if (!known)
		return reserved_fields(w, "BPF_JMP/JMP32");
	return BPF_SRC(insn->code) == BPF_X ? check_read(w, insn->src_reg) : 0;
}

static int check_exit(struct walk *w, const struct bpf_insn *insn)
{
	if (insn_find(insn) == INSN_NONE)
		return reserved_fields(w, "BPF_EXIT");
	if (w->locked && !subprog_at(w->v, w->pc)) {
		verbose(w->v, "BPF_EXIT instruction in main prog cannot be used inside "
			      "bpf_spin_lock-ed region\n");
		return -EINVAL;
	}
	/* A subprogram need not return anything. */
	if (subprog_at(w->v, w->pc))
		return check_async_exit(w->v, w->pc, &w->regs[0]);
	return w->v->returns_nothing ? 0 : check_read(w, 0);
}

static int check_ld_imm64(struct walk *w, const struct bpf_insn *insn)
{
	int err;

	if (insn->off)
		return reserved_fields(w, "BPF_LD_IMM64");
	err = check_write(w, insn->dst_reg);
	if (err)
		return err;
	if (insn->src_reg == BPF_PSEUDO_FUNC && !w->v->request->nr_func_info) {
		verbose(w->v, "missing btf func_info\n");
		return -EINVAL;
	}
	return 0;
}

static int check_packet_load(struct walk *w, const struct bpf_insn *insn)
{
	int err;

	if (!w->v->request->type->ld_abs) {
		verbose(w->v, "BPF_LD_[ABS|IND] instructions not allowed for this program type\n");
		return -EINVAL;
	}
	if (insn_find(insn) == INSN_NONE)
		return reserved_fields(w, "BPF_LD_[ABS|IND]");
	err = check_read(w, 6);
	if (!err && BPF_MODE(insn->code) == BPF_IND)
		err = check_read(w, insn->src_reg);
	clobber(w);
	return err ? err : check_write(w, 0);
}

/* The call, then why not: libbpf looks there for calls that it put in place of something. */
static int printf_like(4, 5)
refuse_call(struct walk *w, s32 id, int err, const char *fmt, ...)
{
	const struct helper *helper = helper_of((u32)id);
	char reason[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	verbose(w->v, "%u: (85) call %s%s#%d\n%s\n", w->pc, helper ? "bpf_" : "",
		helper ? helper->name : "unknown", id, reason);
	return err;
}

/* In words by which every libbpf that probes knows it. */
static int refuse_absent(struct walk *w, const struct helper *helper, s32 id)
{
	log_line(LOG_REFUSED, "BPF_PROG_LOAD: helper bpf_%s: %s (errno %d)", helper->name,
		 helper->reason, EINVAL);
	return refuse_call(w, id, -EINVAL, "unknown func bpf_%s#%d", helper->name, id);
}

static int check_helper_permission(struct walk *w, const struct helper *helper, s32 id)
{
	const struct verify_request *request = w->v->request;

	if (!helper && id)
		return refuse_call(w, id, -EINVAL, "invalid func unknown#%d", id);
	if (helper && !helper->fn && id)
		return refuse_absent(w, helper, id);
	if (!helper || !helper->fn || !(helper->groups & request->type->helper_groups))
		return refuse_call(w, id, -EINVAL,
				   "program of this type cannot use helper bpf_%s#%d",
				   helper ? helper->name : "unspec", id);
	if ((helper->flags & HF_GPL) && !request->gpl_compatible)
		return refuse_call(w, id, -EINVAL, "cannot call GPL-restricted function from "
						   "non-GPL compatible program");
	if ((helper->flags & HF_MAY_SLEEP) && !may_sleep(w->v, w->pc))
		return refuse_call(w, id, -EINVAL,
				   "helper call might sleep in a non-sleepable prog");
	return 0;
}

/* size bytes that a helper reads or writes; size 0: not known. */
static int check_memory_argument(struct walk *w, s32 id, u32 reg, u32 size, const char *direction)
{
	const struct known *known = &w->regs[reg];

	if (known->kind == SCALAR || known->kind == CTX || known->kind == MAP)
		return refuse_call(w, id, -EACCES,
				   "R%u type=%s expected=fp, pkt, pkt_meta, map_key, map_value, "
				   "mem, ringbuf_mem, buf, trusted_ptr_",
				   reg, known_name(known));
	if (known->kind != FRAME || (known->off >= -PROG_STACK_BYTES &&
				       (s64)known->off + size <= 0))
		return 0;
	return refuse_call(w, id,
			   known->off >= 0 || known->off < -PROG_STACK_BYTES ? -EACCES : -EINVAL,
			   "invalid %s stack R%u off=%d size=%u", direction, reg, known->off, size);
}

/* A key or value; size NULL: the map is not known. */
static int check_map_memory(struct walk *w, s32 id, u32 reg, const u32 *size, const char *direction)
{
	const int err = check_memory_argument(w, id, reg, size ? *size : 0, direction);

	if (!err && size && !*size)
		return refuse_call(w, id, -EACCES, "invalid zero-sized read");
	return err;
}

static int check_string_argument(struct walk *w, s32 id, u32 reg)
{
	const struct known *known = &w->regs[reg];
	const char *text;
	u32 room;

	if (known->kind == UNKNOWN)
		return 0;
	if (known->kind != VALUE)
		return refuse_call(w, id, -EACCES, "R%u type=%s expected=map_value", reg,
				   known_name(known));
	if (!known_is_constant(known))
		return refuse_call(w, id, -EACCES, "R%u does not point to a readonly map'", reg);
	if (known_constant(known, &text, &room) && !memchr(text, 0, room))
		return refuse_call(w, id, -EINVAL, "string is not zero-terminated");
	return 0;
}

static int check_format(struct walk *w, s32 id)
{
	const struct known *size = &w->regs[5];
	const u64 none[PRINTK_ARGS_MAX] = {0};
	const char *text;
	u32 room;

	if (!size->exact || size->number > sizeof(none) ||
	    !known_constant(&w->regs[3], &text, &room) ||
	    printk_format(NULL, 0, text, room, none, (u32)size->number / sizeof(u64)) >= 0)
		return 0;
	return refuse_call(w, id, -EINVAL, "Invalid format string");
}

/* The register by its kind of argument; map is that in R1, if known. */
static int check_argument(struct walk *w, const struct helper *helper, s32 id, u32 reg)
{
	const struct map *map = w->regs[1].kind == MAP ? w->regs[1].map : NULL;
	int err = check_read(w, reg);

	if (err)
		return err;
	switch (helper->args[reg - 1]) {
	case ARG_PACKET:
		if (w->regs[reg].kind == CTX && w->v->request->type->helper_groups & HG_PACKETLESS)
			return refuse_call(w, id, -EACCES,
					   "R%u type=ctx expected=ptr_, trusted_ptr_, rcu_ptr_", reg);
		/* fall through */
	case ARG_CTX:
		if (w->regs[reg].kind == UNKNOWN || w->regs[reg].kind == CTX)
			return 0;
		return refuse_call(w, id, -EACCES, "R%u type=%s expected=ctx", reg,
				   known_name(&w->regs[reg]));
	case ARG_MAP:
		if (w->regs[reg].kind == UNKNOWN || w->regs[reg].kind == MAP)
			return 0;
		return refuse_call(w, id, -EACCES, "R%u type=%s expected=map_ptr", reg,
				   known_name(&w->regs[reg]));
	case ARG_MAP_KEY:
		return check_map_memory(w, id, reg, map ? &map->key_size : NULL, "read from");
	case ARG_MAP_VALUE:
		return check_map_memory(w, id, reg, map ? &map->value_size : NULL, "read from");
	case ARG_CONST_STR:
		return check_string_argument(w, id, reg);
	case ARG_ZERO:
		if (!w->regs[reg].exact || !w->regs[reg].number)
			return 0;
		verbose(w->v, "get_local_storage() doesn't support non-zero flags\n");
		return -EINVAL;
	case ARG_MAP_VALUE_OUT:
		return check_map_memory(
			w, id, reg, map ? &map->value_size : NULL,
			map && map->ops->traits & MAP_VALUE_INPUT ? "read from" : "write to");
	}
	return 0;
}

/* Programs that may change a map of sockets with the helpers of all maps. */
#define SOCKET_CHANGERS                                                                    \
	(HG_SOCKET_FILTER | HG_TC | HG_XDP | HG_SOCK_OPS | HG_SK_REUSEPORT | HG_SK_LOOKUP | \
	 HG_FLOW_DISSECTOR)

static bool helper_takes(const struct walk *w, const struct helper *helper, const struct map *map)
{
	const u32 of_sockets = MAP_H_SOCK_MAP | MAP_H_SOCK_HASH;

	if (helper->map_bit == MAP_H_DELETE && map->ops->helpers & of_sockets &&
	    !(w->v->request->type->helper_groups & SOCKET_CHANGERS))
		return false;
	return !helper->map_bit || map->ops->helpers & helper->map_bit;
}

static int check_map_permission(struct walk *w, const struct helper *helper, s32 id)
{
	const u32 writers = MAP_H_UPDATE | MAP_H_DELETE | MAP_H_PUSH | MAP_H_POP;
	const u8 *argument = memchr(helper->args, ARG_MAP, sizeof(helper->args));
	const struct known *known = argument ? &w->regs[argument - helper->args + 1] : NULL;
	const struct map *map = known ? known->map : NULL;

	if (!known || known->kind != MAP)
		return 0;
	if (helper->flags & HF_TAIL_CALL && !(map->ops->helpers & helper->map_bit))
		return refuse_call(w, id, -EINVAL, "expected prog array map for tail call");
	if ((helper->map_bit & writers) && (map->flags & BPF_F_RDONLY_PROG))
		return refuse_call(w, id, -EACCES, "write into map forbidden");
	if (!helper_takes(w, helper, map))
		return refuse_call(w, id, -EINVAL, "cannot pass map_type %u into func bpf_%s#%d",
				   map->type, helper->name, id);
	return 0;
}

static s32 field_at(const struct map *map, u8 arg)
{
	return arg == ARG_SPIN_LOCK ? map->lock_at : arg == ARG_TIMER ? map->timer_at : map->wq_at;
}

/* Objects may have locks, too. */
static bool may_meet_objects(const struct verifier *v)
{
	const struct kfunc *kfunc;

	for (u32 i = 0; i < v->result->nr_maps; i++)
		if (v->result->maps[i]->types)
			return true;
	for (u32 i = 0; i < v->nr_functions; i++) {
		kfunc = kfunc_of(v->functions[i].number);
		if (kfunc && kfunc->flags & KF_OBJECTS)
			return true;
	}
	return false;
}

/* Is there a field that R1 may point to? Inner maps are known at run time only. */
static int check_field(struct walk *w, const struct helper *helper)
{
	static const char *const names[] = {[ARG_SPIN_LOCK] = "bpf_spin_lock",
					    [ARG_TIMER] = "bpf_timer",
					    [ARG_WQ] = "bpf_wq"};
	const struct verify_result *result = w->v->result;
	const u8 arg = helper->args[0];
	const char *name = arg < ARRAY_SIZE(names) ? names[arg] : NULL;
	const struct map *map = NULL;

	if (!name || !result->nr_maps || (arg == ARG_SPIN_LOCK && may_meet_objects(w->v)))
		return 0;
	for (u32 i = 0; i < result->nr_maps; i++) {
		map = result->maps[i];
		if (field_at(map, arg) >= 0 || map_ops_of_maps(map->ops))
			return 0;
	}
	verbose(w->v,
		map->header->btf_id ? "map '%.16s' has no valid %s\n"
				    : "map '%.16s' has to have BTF in order to use %s\n",
		map->header->name, name);
	return -EINVAL;
}

static int check_helper_call(struct walk *w, s32 id)
{
	const struct helper *helper = helper_of((u32)id);
	int err = check_helper_permission(w, helper, id);

	if (!err && w->locked && !(helper->flags & HF_UNLOCKS)) {
		verbose(w->v, "function calls are not allowed while holding a lock\n");
		err = -EINVAL;
	}

	for (u32 reg = 1; reg <= 5 && !err; reg++)
		if (helper->args[reg - 1] != ARG_NONE)
			err = check_argument(w, helper, id, reg);
	if (!err)
		err = check_map_permission(w, helper, id);
	if (!err && helper->flags & HF_FORMAT)
		err = check_format(w, id);
	if (!err)
		err = check_field(w, helper);
	if (err)
		return err;
	w->locked = helper->flags & HF_LOCKS;
	if (helper->flags & HF_ASYNC)
		note_async(w->v, &w->regs[2], ASYNC);
	w->v->releases |= !!(helper->flags & HF_RELEASES);
	clobber(w);
	if (helper->flags & HF_ACQUIRES)
		err = check_reference(w->v, w->pc);
	if (err)
		return err;
	return helper->ret == RET_VOID ? 0 : check_write(w, 0);
}

static int check_kfunc_argument(struct walk *w, const struct kfunc *kfunc, u32 reg)
{
	const struct known *known = &w->regs[reg];
	const u8 arg = kfunc->call.args[reg - 1];

	switch (arg) {
	case ARG_NONE:
	case ARG_UNSAFE:
		return 0;
	case ARG_ANY:
	case ARG_TYPE:
	case ARG_TYPE_PERCPU:
		if (!(w->written & 1u << reg) ||
		    (known->kind != UNKNOWN && known->kind != SCALAR)) {
			verbose(w->v, "R%u is not a scalar\n", reg);
			return -EINVAL;
		}
		if (arg == ARG_ANY || !known->exact)
			return 0;
		return check_local_type(w->v, known->number, arg == ARG_TYPE_PERCPU);
	}
	return check_read(w, reg);
}

static int check_kfunc_call(struct walk *w)
{
	const struct kfunc *kfunc;
	int err = check_kfunc_permission(w->v, w->pc, &kfunc);

	if (!err && w->locked && !(kfunc->flags & KF_IN_LOCK)) {
		verbose(w->v, "function calls are not allowed while holding a lock\n");
		err = -EINVAL;
	}
	for (u32 reg = 1; reg <= 5 && !err; reg++)
		err = check_kfunc_argument(w, kfunc, reg);
	if (!err)
		err = check_field(w, &kfunc->call);
	if (err)
		return err;
	if (kfunc->flags & KF_ASYNC)
		note_async(w->v, &w->regs[2], ASYNC | ASYNC_SLEEPS);
	clobber(w);
	known_forget(w->regs, 0, 5);
	return kfunc->call.ret == RET_VOID ? 0 : check_write(w, 0);
}

static void go_on_at(struct walk *w, u32 pc)
{
	if (!w->seen[pc])
		w->todo[w->nr_todo++] = pc;
}

/* What follows a branch or a call is reached on several paths. */
static void leave_straight_line(struct walk *w)
{
	w->straight = false;
	w->locked = false;
	w->written = ALL_WRITTEN;
	known_forget(w->regs, 0, FP - 1);
}

static int check_call(struct walk *w, const struct bpf_insn *insn, s64 *next)
{
	int err;

	if (insn_find(insn) == INSN_NONE)
		return reserved_fields(w, "BPF_CALL");
	if (insn->src_reg == 0)
		return check_helper_call(w, insn->imm);
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		return check_kfunc_call(w);
	go_on_at(w, (u32)*next);
	w->locked = false;
	*next = (s64)w->pc + 1 + insn->imm;
	err = verify_callee(w->v->request, subprog_at(w->v, (u32)*next));
	if (err)
		return err;
	if (w->straight)
		w->written = (w->written & 0x3e) | 1u << FP;
	known_forget(w->regs, 0, FP - 1);
	return 0;
}

static int check_ja(struct walk *w, const struct bpf_insn *insn, u32 target)
{
	if (insn_find(insn) == INSN_NONE)
		return reserved_fields(w, "BPF_JA");
	known_forget(w->regs, 0, FP - 1);
	if (!w->straight || !w->seen[target])
		return 0;
	verbose(w->v, "infinite loop detected at insn %u\n", target);
	return -EINVAL;
}

/* *next is the following instruction; set to the one to go on with, or -1 at the end of a path. */
static int check_flow(struct walk *w, const struct bpf_insn *insn, s64 *next)
{
	bool holds;
	int err;

	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
		return check_call(w, insn, next);
	case BPF_EXIT:
		*next = -1;
		return check_exit(w, insn);
	case BPF_JA:
		*next = insn_jump_target(insn, w->pc);
		return check_ja(w, insn, (u32)*next);
	}
	err = check_condition(w, insn);
	if (!err && known_condition(w->regs, insn, &holds)) {
		if (holds)
			*next = insn_jump_target(insn, w->pc);
		return 0;
	}
	leave_straight_line(w);
	go_on_at(w, (u32)insn_jump_target(insn, w->pc));
	return err;
}

static int check_ld(struct walk *w, const struct bpf_insn *insn, s64 *next)
{
	if (insn->code != CODE_LD_IMM64)
		return check_packet_load(w, insn);
	(*next)++;
	if (insn->src_reg == BPF_PSEUDO_FUNC)
		go_on_at(w, (u32)((s64)w->pc + 1 + insn->imm));
	return check_ld_imm64(w, insn);
}

static int check_insn(struct walk *w, const struct bpf_insn *insn, s64 *next)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return check_alu(w, insn);
	case BPF_LD:
		return check_ld(w, insn, next);
	case BPF_LDX:
		return check_load(w, insn);
	case BPF_ST:
		if (insn_find(insn) == INSN_NONE)
			return reserved_fields(w, "BPF_ST");
		return check_store(w, insn);
	case BPF_STX:
		if (BPF_MODE(insn->code) == BPF_ATOMIC)
			return check_atomic(w, insn);
		if (insn_find(insn) == INSN_NONE)
			return reserved_fields(w, "BPF_STX");
		return check_store(w, insn);
	}
	return check_flow(w, insn, next);
}

static bool goes_on(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code);

	return (class != BPF_JMP && class != BPF_JMP32) ||
	       (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg);
}

static int walk_path(struct walk *w, s64 pc)
{
	while (pc >= 0 && !w->seen[pc]) {
		const struct bpf_insn *insn = &w->v->insns[pc];
		s64 next = pc + 1;
		int err;

		w->seen[pc] = 1;
		w->pc = (u32)pc;
		w->v->result->verified_insns++;
		if (w->joins[pc])
			known_join(w->regs);
		err = check_insn(w, insn, &next);
		if (err)
			return err;
		if (goes_on(insn))
			known_step(w->regs, insn, w->v->result);
		pc = next;
	}
	return 0;
}

static void find_joins(struct walk *w)
{
	for (u32 pc = 0; pc < w->v->insn_cnt; pc++)
		if (insn_is_jump(&w->v->insns[pc]))
			w->joins[insn_jump_target(&w->v->insns[pc], pc)] = 1;
}

int check_instructions(struct verifier *v)
{
	/* Every instruction is left at most once for a branch, and once for a callback. */
	struct walk w = {
		.v = v,
		.seen = memory_zalloc(v->insn_cnt, 1),
		.joins = memory_zalloc(v->insn_cnt, 1),
		.todo = memory_alloc(v->insn_cnt * sizeof(u32)),
		.straight = true,
		.written = 1u << 1 | 1u << FP,
		.regs = {[1] = {.kind = CTX}, [FP] = {.kind = FRAME}},
	};
	int err = -ENOMEM;

	if (w.seen && w.joins && w.todo) {
		find_joins(&w);
		err = walk_path(&w, 0);
		while (!err && w.nr_todo) {
			leave_straight_line(&w);
			err = walk_path(&w, w.todo[--w.nr_todo]);
		}
		if (!err)
			err = check_releases(v);
	}
	memory_free(w.todo);
	memory_free(w.joins);
	memory_free(w.seen);
	return err;
}
