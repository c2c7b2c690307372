/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * prog.c: the program object. Owns the layout of a program's file and the runnable copy that each
 * process derives from it. Knows no bpf_attr, no fd numbers and no execution.
 *
 * Invariant: after prog_attach() every offset and count of struct prog has been checked against the
 * file, and nothing in the file is read again but the header's plain numbers.
 */
#include "vm/prog.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "vm/helper.h"
#include "vm/insn.h"
#include "vm/jit.h"
#include "vm/kfunc.h"

#define LD_IMM64 (BPF_LD | BPF_IMM | BPF_DW)

/* Where each array lies behind the header; the last offset is the size of all. */
struct file_layout {
	u32 insns_at, map_ids_at, subprogs_at, func_info_at, line_info_at, size;
};

static u32 place(u64 *end, u64 bytes)
{
	u64 at = *end;

	*end = ROUND_UP(at + bytes, 8);
	return (u32)at;
}

static int layout_of(const struct prog_image *image, struct file_layout *layout)
{
	u64 end = ROUND_UP(sizeof(struct prog_header), 8);

	layout->insns_at = place(&end, (u64)image->insn_cnt * sizeof(struct bpf_insn));
	layout->map_ids_at = place(&end, (image->nr_maps + PROG_MAX_BOUND_MAPS) * sizeof(u32));
	layout->subprogs_at = place(&end, (u64)image->nr_subprogs * sizeof(u32));
	layout->func_info_at = place(&end, (u64)image->nr_func_info * image->func_info_rec_size);
	layout->line_info_at = place(&end, (u64)image->nr_line_info * image->line_info_rec_size);
	layout->size = (u32)end;
	return end > INT32_MAX ? -E2BIG : 0;
}

static u64 since_boot(void)
{
	struct timespec now = {0};

	SYSCALL(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

static void fill_header(struct prog_header *header, const struct prog_image *image,
			const struct file_layout *layout)
{
	*header = (struct prog_header){
		.type = image->type,
		.expected_attach_type = image->expected_attach_type,
		.flags = image->flags,
		.insn_cnt = image->insn_cnt,
		.nr_maps = image->nr_maps,
		.nr_subprogs = image->nr_subprogs,
		.nr_func_info = image->nr_func_info,
		.func_info_rec_size = image->func_info_rec_size,
		.nr_line_info = image->nr_line_info,
		.line_info_rec_size = image->line_info_rec_size,
		.btf_id = image->btf ? image->btf->id : 0,
		.ifindex = image->ifindex,
		.uid = sys_geteuid(),
		.gpl_compatible = image->gpl_compatible,
		.trusted = image->trusted,
		.verified_insns = image->verified_insns,
		.attach_btf_id = image->attach_btf_id,
		.load_time = since_boot(),
		.insns_at = layout->insns_at,
		.map_ids_at = layout->map_ids_at,
		.subprogs_at = layout->subprogs_at,
		.func_info_at = layout->func_info_at,
		.line_info_at = layout->line_info_at,
	};
	memcpy(header->tag, image->tag, sizeof(header->tag));
	if (image->name)
		strncpy(header->name, image->name, sizeof(header->name) - 1);
}

static void copy_array(u8 *base, u32 at, const void *from, u64 bytes)
{
	if (bytes)
		memcpy(base + at, from, bytes);
}

static void fill_file(u8 *base, const struct prog_image *image, const struct file_layout *layout)
{
	u32 *ids = (u32 *)(base + layout->map_ids_at);

	fill_header((struct prog_header *)base, image, layout);
	copy_array(base, layout->insns_at, image->insns,
		   (u64)image->insn_cnt * sizeof(struct bpf_insn));
	for (u32 i = 0; i < image->nr_maps; i++)
		ids[i] = image->maps[i]->object.id;
	copy_array(base, layout->subprogs_at, image->subprogs,
		   (u64)image->nr_subprogs * sizeof(u32));
	copy_array(base, layout->func_info_at, image->func_info,
		   (u64)image->nr_func_info * image->func_info_rec_size);
	copy_array(base, layout->line_info_at, image->line_info,
		   (u64)image->nr_line_info * image->line_info_rec_size);
}

static unsigned collect_refs(const struct prog_image *image, struct object **refs)
{
	unsigned count = 0;

	for (u32 i = 0; i < image->nr_maps; i++)
		refs[count++] = &image->maps[i]->object;
	if (image->btf)
		refs[count++] = image->btf;
	return count;
}

/* What programs that call each other have in common. The type is in the lowest byte. */
static u64 owner_of(u32 type, u32 attach_type, u32 flags, u32 attach_btf_id)
{
	return (u64)attach_btf_id << 32 | ((attach_type << 16) & OWNER_PLACE) |
	       !!(flags & BPF_F_XDP_HAS_FRAGS) << 8 | type;
}

static u64 prog_owner(const struct object *object)
{
	const struct prog_header *h = &prog_of((struct object *)object)->checked;

	return owner_of(h->type, h->expected_attach_type, h->flags, h->attach_btf_id);
}

static bool claim_maps(const struct prog_image *image)
{
	const u64 owner = owner_of(image->type, image->expected_attach_type, image->flags,
				   image->attach_btf_id);

	for (u32 i = 0; i < image->nr_maps; i++)
		if (image->maps[i]->ops->traits & MAP_OWNED && !map_claim(image->maps[i], owner))
			return false;
	return true;
}

int prog_create(const struct prog_image *image)
{
	struct object *refs[PROG_MAX_MAPS + 1];
	struct file_layout layout;
	struct object *object;
	int fd;

	if (image->nr_maps > PROG_MAX_MAPS || image->nr_subprogs > PROG_MAX_SUBPROGS ||
	    image->insn_cnt > PROG_MAX_INSNS)
		return -E2BIG;
	if (!claim_maps(image))
		return -EINVAL;
	fd = layout_of(image, &layout);
	if (fd)
		return fd;
	fd = object_create(&prog_object_type, 0, layout.size, 0, &object);
	if (fd)
		return fd;
	fill_file(region_control(&object->region), image, &layout);
	fd = object_publish(object, refs, collect_refs(image, refs), OBJECT_READ_WRITE);
	if (fd < 0) {
		object_discard(object);
		return fd;
	}
	object_put(object);
	return fd;
}

/* An array of the file: inside the control area, aligned, behind the header. */
static const void *file_array(const struct prog *prog, u32 at, u64 count, u64 size)
{
	const struct region *region = &prog->object.region;
	u64 room = region->size - region->data_size - PAGE_BYTES;

	if (at < sizeof(struct prog_header) || at % 4 || at > room || count * size > room - at)
		return NULL;
	return (const u8 *)prog->header + at;
}

static u32 map_ids_room(const struct prog *prog)
{
	const struct prog_header *h = &prog->checked;

	return (h->subprogs_at - h->map_ids_at) / (u32)sizeof(u32);
}

u32 prog_map_count(const struct prog *prog)
{
	return MIN(load_acquire(&prog->header->nr_maps), map_ids_room(prog));
}

/*
 * Two atomic steps, so that a process may die between them: a free entry gets the id, then the
 * count grows. Whoever finds an entry taken but not counted counts it.
 */
static int append_map_id(struct prog *prog, u32 id)
{
	u32 *ids = (u32 *)((u8 *)prog->header + prog->checked.map_ids_at);

	for (;;) {
		u32 count = prog_map_count(prog), free_entry = 0;
		bool done;

		if (count == map_ids_room(prog))
			return -ENOMEM;
		for (u32 i = 0; i < count; i++)
			if (load_relaxed(&ids[i]) == id)
				return 0;
		done = atomic_cas(&ids[count], &free_entry, id);
		atomic_cas(&prog->header->nr_maps, &count, count + 1);
		if (done)
			return 0;
	}
}

int prog_bind_map(struct prog *prog, struct map *map)
{
	int err = object_ref_add(&prog->object, &map->object, 0);

	return err ? err : append_map_id(prog, map->object.id);
}

static bool info_is_inside(const struct prog *prog)
{
	const struct prog_header *h = &prog->checked;

	return h->map_ids_at <= h->subprogs_at && file_array(prog, h->subprogs_at, 0, 1) &&
	       h->func_info_rec_size <= PAGE_BYTES && h->line_info_rec_size <= PAGE_BYTES &&
	       file_array(prog, h->func_info_at, h->nr_func_info, h->func_info_rec_size) &&
	       file_array(prog, h->line_info_at, h->nr_line_info, h->line_info_rec_size);
}

static int attach_subprogs(struct prog *prog)
{
	u32 count = prog->checked.nr_subprogs;
	const u32 *from = file_array(prog, prog->checked.subprogs_at, count, sizeof(u32));

	if (!from || !count || count > PROG_MAX_SUBPROGS)
		return -EINVAL;
	prog->subprogs = memory_alloc(count * sizeof(u32));
	if (!prog->subprogs)
		return -ENOMEM;
	memcpy(prog->subprogs, from, count * sizeof(u32));
	prog->nr_subprogs = count;
	if (prog->subprogs[0] != 0 || prog->subprogs[count - 1] >= prog->insn_cnt)
		return -EINVAL;
	for (u32 i = 1; i < count; i++)
		if (prog->subprogs[i] <= prog->subprogs[i - 1])
			return -EINVAL;
	return 0;
}

static int attach_maps(struct prog *prog)
{
	u32 count = prog->checked.nr_maps;
	const u32 *ids = file_array(prog, prog->checked.map_ids_at, count, sizeof(u32));

	if (!ids)
		return -EINVAL;
	for (u32 i = 0; i < MIN(count, PROG_MAX_MAPS); i++) {
		struct object *object;
		int err = object_from_id(OBJECT_MAP, ids[i], &object);

		if (err)
			return err;
		prog->maps[prog->nr_maps++] = map_of(object);
		prog->opaque |= map_of(object)->ops->traits & MAP_OPAQUE;
		if (map_of(object)->ops->traits & MAP_ARENA && !prog->arena.map)
			err = map_of(object)->ops->window(map_of(object), &prog->arena);
		/* One that is only bound to the program may lie nowhere yet. */
		if (err && err != -EINVAL)
			return err;
	}
	return 0;
}

static struct map *map_by_id(const struct prog *prog, u32 id)
{
	for (u32 i = 0; i < prog->nr_maps; i++)
		if (prog->maps[i]->object.id == id)
			return prog->maps[i];
	return NULL;
}

static u64 value_address(const struct prog *prog, struct map *map, u32 offset)
{
	const u32 first = 0;
	u8 *value;

	if (map == prog->arena.map)
		return prog->arena.user + offset;
	if (!(map->ops->traits & MAP_DIRECT_VALUE) || map->max_entries != 1 ||
	    offset >= map->value_size)
		return 0;
	value = map->ops->lookup(map, &first);
	return value ? PTR_U64(value + offset) : 0;
}

/* Replaces the reference in the two halves at index i by what it stands for in this process. */
static int resolve_imm64(struct prog *prog, u32 i, u32 insn_cnt)
{
	struct bpf_insn *insn = prog->code + i;
	struct map *map;
	u64 value;

	switch (insn->src_reg) {
	case 0:
		return 0;
	case BPF_PSEUDO_FUNC:
		value = (u64)i + 1 + (s64)insn->imm;
		if (value >= insn_cnt)
			return -EINVAL;
		break;
	case BPF_PSEUDO_MAP_FD:
	case BPF_PSEUDO_MAP_VALUE:
		map = map_by_id(prog, (u32)insn->imm);
		if (!map)
			return -EINVAL;
		value = insn->src_reg == BPF_PSEUDO_MAP_FD ? PTR_U64(map)
							   : value_address(prog, map, (u32)insn[1].imm);
		if (!value)
			return -EINVAL;
		insn->src_reg = 0;
		break;
	default:
		return -EINVAL;
	}
	insn[0].imm = (s32)value;
	insn[1].imm = (s32)(value >> 32);
	return 0;
}

/* The flags of the helper that an instruction calls. */
static u32 called_flags(const struct bpf_insn *insn)
{
	const struct helper *helper = insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg
					      ? helper_of((u32)insn->imm)
					      : NULL;

	return helper ? helper->flags : 0;
}

static bool makes_objects(const struct bpf_insn *insn)
{
	const struct kfunc *kfunc = insn_is_kfunc_call(insn) ? kfunc_of((u32)insn->imm) : NULL;

	return (kfunc && kfunc->flags & KF_OBJECTS) || called_flags(insn) & HF_OBJECTS;
}

/* Takes a further use of it. */
static int add_types(struct prog *prog, u32 btf_id)
{
	struct object *object;
	int err;

	for (u32 i = 0; i < prog->nr_types; i++)
		if (prog->types[i]->object.id == btf_id)
			return 0;
	if (prog->nr_types == PROG_MAX_TYPES)
		return -E2BIG;
	err = object_from_id(OBJECT_BTF, btf_id, &object);
	if (err)
		return err;
	prog->types[prog->nr_types++] = btf_object_of(object);
	return btf_object_use_heap(btf_object_of(object));
}

/* Those of inner maps, too, unless they have gone, and with them all that could be an inner map. */
static int add_types_of(struct prog *prog, const struct map *map)
{
	const u32 inner = map->header->inner.types;
	int err = map->types ? add_types(prog, map->types->object.id) : 0;

	if (err || !inner)
		return err;
	err = add_types(prog, inner);
	return err == -ENOENT ? 0 : err;
}

/* A pointer in a value is a number; what loads it is the interpreter, as a load of machine code is one. */
static int attach_types(struct prog *prog)
{
	bool makes = false;
	int err = 0;

	for (u32 i = 0; i < prog->insn_cnt && !makes; i++)
		makes = makes_objects(&prog->code[i]);
	if (makes && prog->checked.btf_id)
		err = add_types(prog, prog->checked.btf_id);
	for (u32 i = 0; i < prog->nr_maps && !err; i++)
		err = add_types_of(prog, prog->maps[i]);
	for (u32 i = 0; i < prog->nr_types; i++)
		prog->opaque |= prog->types[i]->has_pointers;
	return err;
}

static int attach_code(struct prog *prog)
{
	u32 count = prog->checked.insn_cnt;
	const void *from;
	int err;

	from = file_array(prog, prog->checked.insns_at, count, sizeof(struct bpf_insn));
	if (!from || !count || count > PROG_MAX_INSNS)
		return -EINVAL;
	prog->code = memory_alloc(count * sizeof(struct bpf_insn));
	if (!prog->code)
		return -ENOMEM;
	memcpy(prog->code, from, count * sizeof(struct bpf_insn));
	prog->insn_cnt = count;
	prog->opaque |= prog->type->is_method;
	for (u32 i = 0; i < count; i++) {
		prog->opaque |= called_flags(&prog->code[i]) & HF_OPAQUE;
		if (prog->code[i].code != LD_IMM64)
			continue;
		if (i + 1 == count)
			return -EINVAL;
		err = resolve_imm64(prog, i++, count);
		if (err)
			return err;
	}
	return 0;
}

bool prog_redirects_at(const struct prog *prog, u32 attach_type)
{
	return prog->type->helper_groups & HG_XDP &&
	       prog->checked.expected_attach_type == attach_type;
}

static void prog_detach(struct object *object)
{
	struct prog *prog = prog_of(object);

	jit_code_free(prog->jit);
	memory_free(prog->code);
	memory_free(prog->subprogs);
	prog->jit = NULL;
	prog->opaque = false;
	prog->code = NULL;
	prog->subprogs = NULL;
	prog->arena.map = NULL;
	while (prog->nr_types)
		object_put(&prog->types[--prog->nr_types]->object);
	while (prog->nr_maps)
		object_put(&prog->maps[--prog->nr_maps]->object);
}

static int prog_attach(struct object *object)
{
	const struct region *region = &object->region;
	struct prog *prog = prog_of(object);
	int err = -EINVAL;

	if (region->size < region->data_size + sizeof(struct prog_header) + PAGE_BYTES)
		return -EINVAL;
	prog->header = region_control(region);
	prog->checked = *prog->header;
	prog->type = prog_type_of(prog->checked.type);
	if (prog->type)
		prog->type = prog_type_variant(prog->type, prog->checked.expected_attach_type);
	if (!prog->type || !info_is_inside(prog))
		return -EINVAL;
	err = attach_maps(prog);
	if (!err)
		err = attach_code(prog);
	if (!err)
		err = attach_subprogs(prog);
	if (!err)
		err = attach_types(prog);
	if (err)
		prog_detach(object);
	return err;
}

const struct object_type prog_object_type = {
	.kind = OBJECT_PROG,
	.name = "bpf-prog",
	.layout = PROG_FILE_FORMAT << 16 | sizeof(struct prog_header),
	.local_size = sizeof(struct prog),
	.attach = prog_attach,
	.detach = prog_detach,
	.owner = prog_owner,
};
