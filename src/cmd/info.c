/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * info.c: OBJ_GET_INFO_BY_FD for maps and programs. A structure is filled here and as many bytes
 * of it as the application has room for are written; pointers inside it name further buffers.
 */
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "cmd/internal.h"
#include "maps/map.h"
#include "vm/jit.h"

/* struct bpf_map_info of Linux 6.18. */
struct map_info {
	u32 type, id, key_size, value_size, max_entries, map_flags;
	char name[BPF_OBJ_NAME_LEN];
	u32 ifindex, btf_vmlinux_value_type_id;
	u64 netns_dev, netns_ino;
	u32 btf_id, btf_key_type_id, btf_value_type_id, btf_vmlinux_id;
	u64 map_extra;
	u64 hash; /* input: where the SHA-256 of a frozen array goes */
	u32 hash_size;
	u32 padding;
};

_Static_assert(sizeof(struct map_info) == UAPI_MAP_INFO_BYTES, "layout of struct bpf_map_info");

#define MAP_INFO_INPUT_END offsetof(struct map_info, padding)

/* The contents of a type that says so, once nobody can change them through a descriptor. */
static int map_hash(struct map *map, u64 user, u32 size)
{
	const u32 first = 0; /* such a type is an array: its values lie one behind the other */
	u8 digest[SHA256_BYTES];

	if (!user)
		return size ? -EINVAL : 0;
	if (size != sizeof(digest) || !(map->ops->traits & MAP_INFO_HASH))
		return -EINVAL;
	if (!load_acquire(&map->header->frozen))
		return -EPERM;
	sha256(digest, map->ops->lookup(map, &first), (u64)map->value_stride * map->max_entries);
	return user_write(user, digest, sizeof(digest));
}

int map_object_info(struct object *object, u64 user, u32 *len)
{
	struct map *map = map_of(object);
	const struct map_header *h = map->header;
	u32 room = MIN(*len, UAPI_MAP_INFO_BYTES);
	struct map_info info = {0};
	int err;

	err = info_check_tail(user, *len, MAP_INFO_INPUT_END);
	if (!err)
		err = user_read(&info, user, room);
	if (!err)
		err = map_hash(map, info.hash, info.hash_size);
	if (err)
		return err;
	info = (struct map_info){
		.type = h->type,
		.id = object->id,
		.key_size = h->key_size,
		.value_size = h->value_size,
		.max_entries = h->max_entries,
		.map_flags = h->flags,
		.btf_vmlinux_value_type_id = h->kernel_value_type_id,
		.btf_id = h->btf_id,
		.btf_key_type_id = h->btf_key_type_id,
		.btf_value_type_id = h->btf_value_type_id,
		.map_extra = h->extra,
		.hash = info.hash,
		.hash_size = info.hash_size,
	};
	memcpy(info.name, h->name, sizeof(info.name));
	*len = room;
	return user_write(user, &info, room);
}

/* One array of the program: writes min(*count, nr) records and sets *count to nr. */
static int put_array(u64 user, u32 *count, const void *records, u32 nr, u32 record_size)
{
	u32 room = MIN(*count, nr);

	*count = nr;
	return room ? user_write(user, records, (size_t)room * record_size) : 0;
}

/* Where the machine code of each subprogram lies and how long it is. */
static void describe_code(const struct jit_code *code, u32 nr, u64 *addresses, u32 *lengths)
{
	for (u32 i = 0; code && i < nr; i++) {
		u32 end = i + 1 == nr ? code->text_bytes : code->sub_at[i + 1];

		addresses[i] = PTR_U64(code->base + code->sub_at[i]);
		lengths[i] = end - code->sub_at[i];
	}
}

static int put_per_subprog(const struct prog *prog, const struct jit_code *code,
			   struct bpf_prog_info *info)
{
	u32 nr = code ? prog->nr_subprogs : 1; /* interpreted, it is one function to a reader */
	u64 *addresses = memory_zalloc(nr, sizeof(*addresses));
	u32 *lengths = memory_zalloc(nr, sizeof(*lengths));
	u8(*tags)[BPF_TAG_SIZE] = memory_zalloc(nr, sizeof(*tags));
	int err = addresses && lengths && tags ? 0 : -ENOMEM;

	for (u32 i = 0; !err && i < nr; i++)
		memcpy(tags[i], prog->checked.tag, sizeof(tags[i]));
	if (!err) {
		describe_code(code, nr, addresses, lengths);
		err = put_array(info->jited_ksyms, &info->nr_jited_ksyms, addresses, nr,
				sizeof(u64));
	}
	if (!err)
		err = put_array(info->jited_func_lens, &info->nr_jited_func_lens, lengths, nr,
				sizeof(u32));
	if (!err)
		err = put_array(info->prog_tags, &info->nr_prog_tags, tags, nr, sizeof(tags[0]));
	memory_free(addresses);
	memory_free(lengths);
	memory_free(tags);
	return err;
}

static int put_code(const struct jit_code *code, struct bpf_prog_info *info)
{
	if (code)
		return put_array(info->jited_prog_insns, &info->jited_prog_len, code->base,
				 code->text_bytes, 1);
	info->jited_prog_len = 0;
	return 0;
}

static int put_arrays(const struct prog *prog, const struct jit_code *code,
		      struct bpf_prog_info *info)
{
	const struct prog_header *h = &prog->checked;
	const u8 *at = (const u8 *)prog->header;
	int err;

	err = put_array(info->xlated_prog_insns, &info->xlated_prog_len, at + h->insns_at,
			h->insn_cnt * (u32)sizeof(struct bpf_insn), 1);
	if (!err)
		err = put_array(info->map_ids, &info->nr_map_ids, at + h->map_ids_at,
				prog_map_count(prog), sizeof(u32));
	if (!err)
		err = put_array(info->func_info, &info->nr_func_info, at + h->func_info_at,
				h->nr_func_info, sizeof(struct bpf_func_info));
	if (!err)
		err = put_array(info->line_info, &info->nr_line_info, at + h->line_info_at,
				h->nr_line_info, sizeof(struct bpf_line_info));
	if (!err)
		err = put_code(code, info);
	return err ? err : put_per_subprog(prog, code, info);
}

int prog_object_info(struct object *object, u64 user, u32 *len)
{
	struct prog *prog = prog_of(object);
	const struct jit_code *code = vm_runs_jited(prog) ? jit_code_of(prog) : NULL;
	const struct prog_header *h = &prog->checked;
	struct bpf_prog_info info = {0};
	u32 room = MIN(*len, (u32)sizeof(info));
	int err;

	err = info_check_tail(user, *len, sizeof(info));
	if (!err)
		err = user_read(&info, user, room);
	if (!err)
		err = put_arrays(prog, code, &info);
	if (err)
		return err;
	info.type = h->type;
	info.id = object->id;
	memcpy(info.tag, h->tag, sizeof(info.tag));
	memcpy(info.name, h->name, sizeof(info.name));
	info.load_time = h->load_time;
	info.created_by_uid = h->uid;
	info.ifindex = h->ifindex;
	info.gpl_compatible = h->gpl_compatible;
	info.netns_dev = info.netns_ino = 0;
	info.btf_id = h->btf_id;
	info.func_info_rec_size = sizeof(struct bpf_func_info);
	info.line_info_rec_size = sizeof(struct bpf_line_info);
	info.jited_line_info_rec_size = sizeof(u64);
	info.nr_jited_line_info = 0;
	info.run_time_ns = load_relaxed(&prog->header->run_time_ns);
	info.run_cnt = load_relaxed(&prog->header->run_cnt);
	info.recursion_misses = 0;
	info.verified_insns = h->verified_insns;
	info.attach_btf_id = h->attach_btf_id;
	info.attach_btf_obj_id = 0;
	*len = room;
	return user_write(user, &info, room);
}
