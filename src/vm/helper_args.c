/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helper_args.c: proves the arguments of a helper call, one by one, by the kinds that its row in
 * helpers.def names, so that the helper itself need not look. Knows no instruction.
 */
#include "vm/dynptr.h"
#include "vm/helper.h"
#include "vm/local_objects.h"
#include "vm/packet.h"
#include "vm/state.h"

/* The largest size that the kernel lets a helper argument have. */
#define MAX_MEMORY_ARGUMENT (1u << 29)

struct call {
	struct vm_run *run;
	const struct helper *helper;
	const u64 *regs;
	struct map *map;
};

static bool wrong_argument(const struct call *call, u32 reg, const char *what)
{
	vm_faultf(call->run, "R%u of bpf_%s is not %s", reg, call->helper->name, what);
	return false;
}

static bool check_map(struct call *call, u32 reg)
{
	const u32 writers = MAP_H_UPDATE | MAP_H_DELETE | MAP_H_PUSH | MAP_H_POP;
	const struct prog *prog = call->run->prog;
	const struct helper *helper = call->helper;

	for (u32 i = 0; i < prog->nr_maps; i++)
		if (PTR_U64(prog->maps[i]) == call->regs[reg])
			call->map = prog->maps[i];
	if (!call->map)
		call->map = vm_held_map(call->run, call->regs[reg]);
	if (!call->map)
		return wrong_argument(call, reg, "a map of this program");
	if (helper->map_bit && !(call->map->ops->helpers & helper->map_bit)) {
		vm_faultf(call->run, "cannot pass map_type %u into func bpf_%s",
			  call->map->type, helper->name);
		return false;
	}
	if ((helper->map_bit & writers) && (call->map->flags & BPF_F_RDONLY_PROG)) {
		vm_faultf(call->run, "write into map forbidden");
		return false;
	}
	return true;
}

static bool check_memory(struct call *call, u32 reg, u64 size, bool write)
{
	char where[120];

	if (size <= MAX_MEMORY_ARGUMENT &&
	    vm_memory_ok(call->run, call->regs[reg], size, write))
		return true;
	vm_describe(call->run, call->regs[reg], where, sizeof(where));
	vm_faultf(call->run, "R%u of bpf_%s: %llu %s bytes at %s", reg, call->helper->name,
		  (unsigned long long)size, write ? "writable" : "readable", where);
	return false;
}

static bool check_map_memory(struct call *call, u32 reg, bool key, bool write)
{
	if (!call->map)
		return wrong_argument(call, reg, "preceded by a map");
	return check_memory(call, reg, key ? call->map->key_size : call->map->value_size, write);
}

static bool check_callback(struct call *call, u32 reg)
{
	const struct prog *prog = call->run->prog;

	for (u32 i = 1; i < prog->nr_subprogs; i++)
		if (prog->subprogs[i] == call->regs[reg])
			return true;
	return wrong_argument(call, reg, "a callback");
}

static bool check_spin_lock(struct call *call, u32 reg)
{
	struct vm_field found;
	const struct map *map;
	void *value;

	if (vm_field_at(call->run, call->regs[reg], BTF_FIELD_BIT(FIELD_SPIN_LOCK), &found))
		return true;
	map = vm_map_with_value(call->run, call->regs[reg], &value);
	if (!map)
		return wrong_argument(call, reg, "in a map value");
	if (!map_has_lock(map)) {
		vm_faultf(call->run, "map '%.16s' has no valid bpf_spin_lock", map->header->name);
		return false;
	}
	vm_faultf(call->run, "off %llu doesn't point to 'struct bpf_spin_lock' that is at %d",
		  (unsigned long long)(call->regs[reg] - PTR_U64(value)), map->lock_at);
	return false;
}

static bool check_value_memory(struct call *call, u32 reg, u64 size)
{
	void *value;

	return check_memory(call, reg, size, true) &&
	       (vm_map_with_value(call->run, call->regs[reg], &value) ||
		wrong_argument(call, reg, "in a map value"));
}

static bool check_new_dynptr(const struct call *call, u32 reg)
{
	const struct vm_state *state = call->run->state;
	const u64 at = call->regs[reg] - PTR_U64(state->stack);

	return (at < state->live_bytes && in_frame(at, DYNPTR_BYTES) && at % 8 == 0) ||
	       wrong_argument(call, reg, "aligned stack for a dynptr");
}

static bool check_field(struct call *call, u32 reg, enum btf_field_kind kind, const char *what)
{
	struct vm_field found;

	return vm_field_at(call->run, call->regs[reg], BTF_FIELD_BIT(kind), &found) ||
	       wrong_argument(call, reg, what);
}

static bool is_context(const struct call *call, u32 reg)
{
	return call->run->ctx_rules && call->regs[reg] == PTR_U64(call->run->ctx);
}

static bool is_socket(const struct call *call, u32 reg)
{
	return vm_socket_at(call->run, call->regs[reg]) ||
	       (call->run->packet &&
		call->regs[reg] == PTR_U64(&packet_run_of(call->run)->socket));
}

/* What is one thing that the run knows, or nothing. */
static bool check_thing(struct call *call, u32 reg)
{
	const u64 value = call->regs[reg];

	switch (call->helper->args[reg - 1]) {
	case ARG_PACKET:
		if (!call->run->packet)
			return wrong_argument(call, reg, "the context of a packet");
		/* fall through */
	case ARG_CTX:
		return is_context(call, reg) || wrong_argument(call, reg, "the context");
	case ARG_CTX_OR_NULL:
		return !value || value == PTR_U64(call->run->ctx) ||
		       wrong_argument(call, reg, "the context or NULL");
	case ARG_TASK_OR_NULL:
		return !value || value == VM_CURRENT_TASK ||
		       wrong_argument(call, reg, "the current task");
	case ARG_SOCKET:
		return is_socket(call, reg) || wrong_argument(call, reg, "a socket");
	case ARG_SOCKET_FOUND:
		return vm_socket_at(call->run, value) ||
		       wrong_argument(call, reg, "a socket that the program has found");
	case ARG_SOCKET_OR_NULL:
		return !value || vm_socket_at(call->run, value) ||
		       wrong_argument(call, reg, "a socket that the program has found, or NULL");
	case ARG_ZERO:
		return !value || wrong_argument(call, reg, "0");
	case ARG_SIZE:
		return value || wrong_argument(call, reg, "a size above 0");
	case ARG_CALLBACK:
		return check_callback(call, reg);
	case ARG_SPIN_LOCK:
		return check_spin_lock(call, reg);
	case ARG_TIMER:
		return check_field(call, reg, FIELD_TIMER, "a bpf_timer of a map value");
	case ARG_WQ:
		return check_field(call, reg, FIELD_WQ, "a bpf_wq of a map value");
	case ARG_DYNPTR:
		return dynptr_at(call->run, value) ||
		       wrong_argument(call, reg, "an initialized dynptr");
	case ARG_DYNPTR_NEW:
		return check_new_dynptr(call, reg);
	case ARG_RECORD:
		return vm_record_at(call->run, value) ||
		       wrong_argument(call, reg, "a record that this run has reserved");
	}
	return true;
}

/* Maps, and memory of which it is known how much must be there. */
static bool check_argument(struct call *call, u32 reg)
{
	const u64 *regs = call->regs;
	u64 next = reg < 5 ? regs[reg + 1] : 0;

	switch (call->helper->args[reg - 1]) {
	case ARG_MAP:
		return check_map(call, reg);
	case ARG_MAP_KEY:
		return check_map_memory(call, reg, true, false);
	case ARG_MAP_VALUE:
		return check_map_memory(call, reg, false, false);
	case ARG_MAP_VALUE_OUT:
		return check_map_memory(call, reg, false,
					!call->map || !(call->map->ops->traits & MAP_VALUE_INPUT));
	case ARG_MAP_VALUE_OR_NULL:
		return !regs[reg] || check_map_memory(call, reg, false, false);
	case ARG_MEM_OR_NULL:
		return (!regs[reg] && !next) || check_memory(call, reg, next, false);
	case ARG_MEM:
		return check_memory(call, reg, next, false);
	case ARG_MEM_OUT:
		return check_memory(call, reg, next, true);
	case ARG_LONG_OUT:
		if (regs[reg] % sizeof(u64))
			return wrong_argument(call, reg, "aligned to 8 bytes");
		return check_memory(call, reg, sizeof(u64), true);
	case ARG_INT_OUT:
		return check_memory(call, reg, sizeof(u32), true) &&
		       (regs[reg] % sizeof(u32) == 0 || wrong_argument(call, reg, "aligned"));
	case ARG_BUFFER:
		return !regs[reg] || check_memory(call, reg, next, true);
	case ARG_BYTES16_OUT:
		return check_memory(call, reg, 16, true);
	case ARG_BYTES20:
		return check_memory(call, reg, 20, false);
	case ARG_BYTES40:
		return check_memory(call, reg, 40, false);
	case ARG_VALUE_MEM:
		return check_value_memory(call, reg, next);
	}
	return check_thing(call, reg);
}

bool helper_arguments_ok(struct vm_run *run, const struct helper *helper, const u64 *regs)
{
	struct call call = {.run = run, .helper = helper, .regs = regs};

	for (u32 reg = 1; reg <= 5 && helper->args[reg - 1] != ARG_NONE; reg++)
		if (!check_argument(&call, reg))
			return false;
	return true;
}
