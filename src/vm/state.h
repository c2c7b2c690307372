/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * state.h: what every engine keeps while it runs a program: the stacks of the frames, and what is
 * needed to answer quickly which memory the program may touch. Private to the engines, access.c
 * and fault.c.
 */
#ifndef VM_STATE_H
#define VM_STATE_H

#include "vm/vm.h"

/*
 * A frame's 512 bytes are the upper half of its stride: stores just beyond either end of a frame
 * never land in another one.
 */
#define FRAME_STRIDE (2 * PROG_STACK_BYTES)
/* What registers hold that a call has clobbered; no address of user space. */
#define POISON 0xdead4ead00000000u

struct vm_state {
	u8 stack[PROG_MAX_FRAMES * FRAME_STRIDE] __attribute__((aligned(16)));
	u32 live_bytes; /* of stack, from its start: whole strides */
	/* The map value that was touched last. Values stay values for as long as the map lives. */
	struct {
		u64 start;
		u32 size;
		bool readable, writable;
	} value;
};

/* The stack keeps what it had: an engine clears a frame if it has to. */
static inline void vm_state_init(struct vm_state *state)
{
	state->live_bytes = 0;
	state->value.start = state->value.size = 0;
}

static inline bool in_range(u64 address, u64 size, u64 start, u64 length)
{
	u64 at = address - start;

	return at < length && size <= length - at;
}

static inline bool in_frame(u64 at, u64 size)
{
	u64 offset = at % FRAME_STRIDE;

	return offset >= PROG_STACK_BYTES && size <= FRAME_STRIDE - offset;
}

static inline bool in_packet(const struct packet *packet, u64 address, u64 size, bool write)
{
	return packet && (packet->writable || !write) &&
	       in_range(address, size, PTR_U64(packet->data),
			(u64)(packet->data_end - packet->data));
}

static inline bool in_last_value(const struct vm_state *state, u64 address, u64 size, bool write)
{
	return in_range(address, size, state->value.start, state->value.size) &&
	       (write ? state->value.writable : state->value.readable);
}

/* Everything but the stack, the packet and the last value. */
bool vm_memory_elsewhere(struct vm_run *run, u64 address, u64 size, bool write);

/* May an instruction load or store size bytes (1, 2, 4, 8)? The stack wants natural alignment. */
static inline bool may_access(struct vm_run *run, u64 address, u32 size, bool write)
{
	const struct vm_state *state = run->state;
	u64 at = address - PTR_U64(state->stack);

	if (at < state->live_bytes)
		return in_frame(at, size) && at % size == 0;
	if (in_last_value(state, address, size, write) ||
	    in_packet(run->packet, address, size, write))
		return true;
	return vm_memory_elsewhere(run, address, size, write);
}

/* Ends the run: this load or store was not allowed. */
void vm_fault_access(struct vm_run *run, u64 address, u32 size, const char *what);

#endif
