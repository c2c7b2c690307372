/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * maps.c: which maps a program refers to. Owns the way from descriptors in instructions and in
 * fd_array to map ids. Knows no map type: what a type permits are its traits.
 */
#include "verifier/internal.h"

#include <errno.h>

#include "base/user_mem.h"
#include "vm/insn.h"

/* The kernel's bound on offsets inside a value. */
#define MAX_VALUE_OFFSET (1u << 29)

static bool has_field(const struct map *map, u32 kinds)
{
	for (u32 i = 0; i < map->fields.count; i++)
		if (kinds & BTF_FIELD_BIT(map->fields.list[i].kind))
			return true;
	return false;
}

/* Which special fields a program type does not get along with. */
static int check_map_fields(struct verifier *v, const struct map *map)
{
	static const struct {
		u32 groups, kinds;
		const char *text;
	} rules[] = {
		{HG_TRACE | HG_PERF_EVENT, MAP_F_ROOT,
		 "tracing progs cannot use bpf_{list_head,rb_root} yet"},
		{HG_SOCKET_FILTER, MAP_F_LOCK, "socket filter progs cannot use bpf_spin_lock yet"},
		{HG_TRACE | HG_PERF_EVENT, MAP_F_LOCK,
		 "tracing progs cannot use bpf_spin_lock yet"},
		{HG_TRACE | HG_PERF_EVENT, BTF_FIELD_BIT(FIELD_TIMER),
		 "tracing progs cannot use bpf_timer yet"},
		{HG_TRACE | HG_PERF_EVENT, BTF_FIELD_BIT(FIELD_WQ),
		 "tracing progs cannot use bpf_wq yet"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].groups & v->request->type->helper_groups &&
		    has_field(map, rules[i].kinds)) {
			verbose(v, "%s\n", rules[i].text);
			return -EINVAL;
		}
	return 0;
}

/* A program has one map of each type whose values belong to a run. */
static bool is_second_of_runs(const struct verify_result *result, const struct map *map)
{
	const u32 kind = map->ops->traits & (MAP_OF_RUNS | MAP_PERCPU);

	for (u32 i = 0; kind & MAP_OF_RUNS && i < result->nr_maps; i++)
		if ((result->maps[i]->ops->traits & (MAP_OF_RUNS | MAP_PERCPU)) == kind)
			return true;
	return false;
}

/* Takes over the caller's use of map. */
static int add_map(struct verifier *v, struct map *map)
{
	struct verify_result *result = v->result;
	int err = 0;

	for (u32 i = 0; i < result->nr_maps; i++)
		if (result->maps[i] == map) {
			object_put(&map->object);
			return 0;
		}
	if (result->nr_maps == PROG_MAX_MAPS) {
		verbose(v, "The total number of maps per program has reached the limit of %u\n",
			PROG_MAX_MAPS);
		err = -E2BIG;
	} else if (map->ops->traits & MAP_OF_METHODS) {
		verbose(v, "bpf_struct_ops map cannot be used in prog\n");
		err = -EINVAL;
	} else if ((v->request->flags & BPF_F_SLEEPABLE) && !(map->ops->traits & MAP_SLEEPABLE)) {
		verbose(v, "Sleepable programs can only use array, hash, ringbuf and local "
			   "storage maps\n");
		err = -EINVAL;
	} else if (is_second_of_runs(result, map)) {
		verbose(v, "only one cgroup storage of each type is allowed\n");
		err = -EBUSY;
	} else {
		err = check_map_fields(v, map);
	}
	if (err)
		object_put(&map->object);
	else
		result->maps[result->nr_maps++] = map;
	return err;
}

static int read_fd_array(const struct verifier *v, s64 index, int *fd)
{
	return user_read(fd, v->request->fd_array + (u64)index * sizeof(*fd), sizeof(*fd));
}

static int bind_fd(struct verifier *v, int fd)
{
	struct object *object;
	int err;

	err = object_from_fd(fd, OBJECT_MAP, &object, NULL);
	if (!err)
		return add_map(v, map_of(object));
	if (!object_from_fd(fd, OBJECT_BTF, &object, NULL)) {
		object_put(object);
		return 0;
	}
	verbose(v, "fd %d is not pointing to valid bpf_map or btf\n", fd);
	return err;
}

int bind_fd_array(struct verifier *v)
{
	u32 count = v->request->fd_array_cnt;
	int err = 0, fd;

	if (count >= UINT32_MAX / sizeof(fd)) {
		verbose(v, "fd_array_cnt is too big (%u)\n", count);
		return -EINVAL;
	}
	for (u32 i = 0; i < count && !err; i++) {
		err = read_fd_array(v, i, &fd);
		if (!err)
			err = bind_fd(v, fd);
	}
	return err;
}

static int map_fd_of(struct verifier *v, const struct bpf_insn *insn, int *fd)
{
	*fd = insn->imm;
	if (insn->src_reg != BPF_PSEUDO_MAP_IDX && insn->src_reg != BPF_PSEUDO_MAP_IDX_VALUE)
		return 0;
	if (!v->request->fd_array) {
		verbose(v, "fd_idx without fd_array is invalid\n");
		return -EPROTO;
	}
	return read_fd_array(v, insn->imm, fd);
}

/* Casts need to know where user space has it. */
static int check_arena(struct verifier *v, struct map *map)
{
	int err;

	if (!(map->ops->traits & MAP_ARENA) || v->arena.map == map)
		return 0;
	if (v->arena.map) {
		verbose(v, "Only one arena per program\n");
		return -EBUSY;
	}
	err = map->ops->window(map, &v->arena);
	if (err == -EINVAL)
		verbose(v, "arena's user address must be set via map_extra or mmap()\n");
	return err;
}

static int check_arena_value(struct verifier *v, u32 offset)
{
	if (offset <= v->arena.user_size)
		return 0;
	verbose(v, "invalid access to map value pointer, value_size=0 off=%u\n", offset);
	return -ERANGE;
}

static int check_direct_value(struct verifier *v, const struct map *map, u32 offset)
{
	int err;

	if (offset >= MAX_VALUE_OFFSET) {
		verbose(v, "direct value offset of %u is not allowed\n", offset);
		return -EINVAL;
	}
	if (map->ops->traits & MAP_ARENA)
		return check_arena_value(v, offset);
	if (!(map->ops->traits & MAP_DIRECT_VALUE)) {
		verbose(v, "no direct value access support for this map type\n");
		return -EINVAL;
	}
	err = map->max_entries != 1 ? -ENOTSUPP : offset >= map->value_size ? -EINVAL : 0;
	if (err)
		verbose(v, "invalid access to map value pointer, value_size=%u off=%u\n",
			map->value_size, offset);
	return err;
}

static int resolve_map(struct verifier *v, struct bpf_insn *insn)
{
	bool value = insn->src_reg == BPF_PSEUDO_MAP_VALUE ||
		     insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE;
	struct object *object;
	struct map *map;
	int err, fd;

	err = map_fd_of(v, insn, &fd);
	if (err)
		return err;
	err = object_from_fd(fd, OBJECT_MAP, &object, NULL);
	if (err) {
		verbose(v, "fd %d is not pointing to valid bpf_map\n", fd);
		return err;
	}
	map = map_of(object);
	err = add_map(v, map);
	if (!err)
		err = check_arena(v, map);
	if (!err && value)
		err = check_direct_value(v, map, (u32)insn[1].imm);
	if (err)
		return err;
	insn->src_reg = value ? BPF_PSEUDO_MAP_VALUE : BPF_PSEUDO_MAP_FD;
	insn->imm = (s32)map->object.id;
	return 0;
}

/* The address of a kernel function is its number: a program compares it with 0. */
static bool resolve_address(struct verifier *v, struct bpf_insn *insn)
{
	const struct kernel_function *function = kfunc_called(v, insn);

	if (!function || insn[1].imm)
		return false;
	insn->src_reg = 0;
	insn->imm = (s32)function->number;
	return true;
}

static int resolve_imm64(struct verifier *v, u32 pc)
{
	struct bpf_insn *insn = &v->insns[pc], *second = insn + 1;

	if (pc + 1 == v->insn_cnt || second->code || second->dst_reg || second->src_reg ||
	    second->off) {
		verbose(v, "invalid bpf_ld_imm64 insn\n");
		return -EINVAL;
	}
	switch (insn->src_reg) {
	case 0:
	case BPF_PSEUDO_FUNC:
		return 0;
	case BPF_PSEUDO_BTF_ID:
		if (resolve_address(v, insn))
			return 0;
		verbose(v, "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified "
			   "in Kconfig.\n");
		return -EINVAL;
	case BPF_PSEUDO_MAP_FD:
	case BPF_PSEUDO_MAP_IDX:
		if (!second->imm)
			return resolve_map(v, insn);
		break;
	case BPF_PSEUDO_MAP_VALUE:
	case BPF_PSEUDO_MAP_IDX_VALUE:
		return resolve_map(v, insn);
	}
	verbose(v, "unrecognized bpf_ld_imm64 insn\n");
	return -EINVAL;
}

int resolve_references(struct verifier *v)
{
	for (u32 pc = 0; pc < v->insn_cnt; pc++) {
		const struct bpf_insn *insn = &v->insns[pc];
		u8 mode = BPF_MODE(insn->code);

		if (BPF_CLASS(insn->code) == BPF_LDX &&
		    ((mode != BPF_MEM && mode != UAPI_MEMSX) || insn->imm)) {
			verbose(v, "BPF_LDX uses reserved fields\n");
			return -EINVAL;
		}
		if (insn->code == CODE_LD_IMM64) {
			int err = resolve_imm64(v, pc++);

			if (err)
				return err;
		} else if (!insn_opcode_known(insn->code)) {
			verbose(v, "unknown opcode %02x\n", insn->code);
			return -EINVAL;
		}
	}
	return 0;
}
