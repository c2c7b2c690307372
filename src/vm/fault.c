/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * fault.c: says why a run was stopped: what the program did, at which instruction, and in which
 * line of its source if it was loaded with line information. To the realm's trace, and to stderr
 * when asked.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "btf/btf_object.h"
#include "object/realm.h"
#include "vm/state.h"

u64 vm_faultf(struct vm_run *run, const char *fmt, ...)
{
	va_list args;

	if (run->fault.set)
		return 0;
	run->fault.set = true;
	run->fault.insn = run->pc;
	run->fault.prog = run->prog;
	va_start(args, fmt);
	vsnprintf(run->fault.text, sizeof(run->fault.text), fmt, args);
	va_end(args);
	return 0;
}

#define NEAR 65536u

static void describe_stack(const struct vm_state *state, u64 at, char *text, size_t room)
{
	u32 frame = (u32)(at / FRAME_STRIDE);

	/* Just above a frame lies the unused half of the next one. */
	if (frame && (at % FRAME_STRIDE < PROG_STACK_BYTES / 2 ||
		      frame == state->live_bytes / FRAME_STRIDE))
		frame--;
	snprintf(text, room, "fp%+lld of frame %u, whose stack is fp-512 to fp",
		 (long long)at - (long long)(frame + 1) * FRAME_STRIDE, frame);
}

/* False unless address lies in a part of the run's memory, or, if near, close to one. */
static bool describe_region(const struct vm_run *run, u64 address, u64 near, char *text,
			    size_t room)
{
	const struct vm_state *state = run->state;
	const struct packet *packet = run->packet;

	if (run->ctx_rules && address - PTR_U64(run->ctx) < run->ctx_rules->size)
		snprintf(text, room, "context offset %llu, where the field rules forbid it",
			 (unsigned long long)(address - PTR_U64(run->ctx)));
	else if (state->value.size &&
		 address - state->value.start + near < state->value.size + 2 * near)
		snprintf(text, room, "offset %lld of a map value of %u %sbytes",
			 (long long)(address - state->value.start), state->value.size,
			 !state->value.readable   ? "write-only "
			 : state->value.writable ? ""
					      : "read-only ");
	else if (packet && address - PTR_U64(packet->head) + near <
				   (u64)(packet->end - packet->head) + 2 * near)
		snprintf(text, room, "packet offset %lld, the packet has %lld%s bytes",
			 (long long)(address - PTR_U64(packet->data)),
			 (long long)(packet->data_end - packet->data),
			 packet->writable ? "" : " read-only");
	else
		return false;
	return true;
}

/* Special fields of map values are no program's to touch. */
static bool describe_field(struct vm_run *run, u64 address, char *text, size_t room)
{
	void *value;
	const struct map *map = vm_map_with_value(run, address, &value);
	u32 from, to;

	if (!map || map_value_part(map, (u32)(address - PTR_U64(value)), &from, &to))
		return false;
	snprintf(text, room, "offset %llu of a map value, in a special field at %u to %u",
		 (unsigned long long)(address - PTR_U64(value)), from, to - 1);
	return true;
}

void vm_describe(struct vm_run *run, u64 address, char *text, size_t room)
{
	const struct vm_state *state = run->state;
	u64 at = address - PTR_U64(state->stack);

	if (at < state->live_bytes + FRAME_STRIDE)
		describe_stack(state, at, text, room);
	else if (address < NEAR)
		snprintf(text, room, "0x%llx, which is no address (a NULL pointer?)",
			 (unsigned long long)address);
	else if (address - POISON + NEAR < 2 * NEAR)
		snprintf(text, room, "a register that a call has clobbered");
	else if (!describe_field(run, address, text, room) &&
		 !describe_region(run, address, 0, text, room) &&
		 !describe_region(run, address, NEAR, text, room))
		snprintf(text, room, "0x%llx, which is no memory of this program",
			 (unsigned long long)address);
}

cold void vm_fault_access(struct vm_run *run, u64 address, u32 size, const char *what)
{
	const struct vm_state *state = run->state;
	u64 at = address - PTR_U64(state->stack);
	char where[120];

	vm_describe(run, address, where, sizeof(where));
	vm_faultf(run, "%s%s of %u bytes at %s",
		  at < state->live_bytes && in_frame(at, size) ? "misaligned " : "", what, size,
		  where);
}

#define LINE_OF(col) ((col) >> 10) /* of bpf_line_info.line_col */

/* The record that covers an instruction: the last one that does not begin behind it. */
static const struct bpf_line_info *line_info_of(const struct prog *prog, u32 insn)
{
	const struct prog_header *h = &prog->checked;
	const u8 *records = (const u8 *)prog->header + h->line_info_at;
	const struct bpf_line_info *best = NULL;

	if (h->line_info_rec_size < sizeof(*best))
		return NULL;
	for (u32 i = 0; i < h->nr_line_info; i++) {
		const struct bpf_line_info *info =
			(const void *)(records + (size_t)i * h->line_info_rec_size);

		if (info->insn_off <= insn && (!best || info->insn_off >= best->insn_off))
			best = info;
	}
	return best;
}

static void describe_source(const struct prog *prog, u32 insn, char *text, size_t room)
{
	const struct bpf_line_info *info = line_info_of(prog, insn);
	const char *file, *line;
	struct object *object;

	text[0] = '\0';
	if (!info || object_from_id(OBJECT_BTF, prog->checked.btf_id, &object))
		return;
	file = btf_name(&btf_object_of(object)->btf, info->file_name_off);
	line = btf_name(&btf_object_of(object)->btf, info->line_off);
	if (file && line)
		snprintf(text, room, " (%s:%u: %s)", file, LINE_OF(info->line_col),
			 line + strspn(line, " \t"));
	object_put(object);
}

void vm_fault_report(const struct vm_run *run)
{
	const struct prog *prog = run->fault.prog;
	char source[200], line[512];
	int len;

	describe_source(prog, run->fault.insn, source, sizeof(source));
	len = snprintf(line, sizeof(line), "program %u '%.16s' stopped at instruction %u%s: %s\n",
		       prog->object.id, prog->checked.name, run->fault.insn, source,
		       run->fault.text);
	realm_trace(line, MIN((size_t)len, sizeof(line) - 1));
	log_line(LOG_REFUSED, "%.*s", len - 1, line);
}
