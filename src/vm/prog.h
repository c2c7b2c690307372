/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * prog.h: the program object. The file holds instructions in the form that info returns (map
 * references by id, kernel functions by their row in kfuncs.def); each process derives its own runnable code from it.
 */
#ifndef VM_PROG_H
#define VM_PROG_H

#include <linux/bpf.h>

#include "base/compiler.h"
#include "btf/btf_object.h"
#include "maps/map.h"
#include "object/object.h"
#include "vm/prog_type.h"

/* Raised whenever the program's file changes its meaning. */
#define PROG_FILE_FORMAT 3

#define PROG_MAX_MAPS 64
#define PROG_MAX_BOUND_MAPS 64 /* PROG_BIND_MAP, beyond those at load */
#define PROG_MAX_SUBPROGS 256
#define PROG_MAX_TYPES 4
#define PROG_MAX_INSNS 1000000u
#define PROG_STACK_BYTES 512
#define PROG_MAX_FRAMES 8

/* In the file, at the start of the control area; arrays follow at the offsets given. */
struct prog_header {
	u32 type;
	u32 expected_attach_type;
	u32 flags; /* prog_flags of PROG_LOAD */
	u32 insn_cnt;
	u32 nr_maps; /* grows by PROG_BIND_MAP */
	u32 nr_subprogs;
	u32 nr_func_info, func_info_rec_size;
	u32 nr_line_info, line_info_rec_size;
	u32 btf_id;
	u32 ifindex;
	u32 uid;
	u32 gpl_compatible;
	u32 verified_insns;
	u32 attach_btf_id;
	u32 trusted; /* by who loaded it: it may run without checks */
	u64 load_time; /* ns since boot */
	u64 run_time_ns, run_cnt;
	u8 tag[BPF_TAG_SIZE];
	char name[BPF_OBJ_NAME_LEN];
	u32 insns_at, map_ids_at, subprogs_at, func_info_at, line_info_at; /* from the header */
};

struct jit_code;

/* Process-local. */
struct prog {
	struct object object; /* first */
	const struct prog_type *type;
	struct prog_header *header; /* live: only nr_maps and the run statistics change */
	struct prog_header checked; /* as it was at attach; its offsets and counts are proven */
	/*
	 * Runnable copy. Both halves of a ld_imm64 hold a 64-bit value with src_reg 0: the constant, a
	 * struct map * (src 1 in the file), the address of a value (src 2), or for src 4 (function)
	 * the instruction index of the callback, kept with src_reg BPF_PSEUDO_FUNC.
	 */
	struct bpf_insn *code;
	u32 insn_cnt; /* of code */
	bool opaque;  /* HF_OPAQUE, MAP_OPAQUE, or gets pointers of the kernel: never machine code */
	/*
	 * Whose objects it may meet: its own BTF, if it calls what makes some, and that of maps which hold
	 * some. With a use each.
	 */
	struct btf_object *types[PROG_MAX_TYPES];
	u32 nr_types;
	struct map *maps[PROG_MAX_MAPS]; /* those known at load first */
	u32 nr_maps;
	struct map_window arena;
	u32 *subprogs; /* [nr_subprogs] first instruction of each, ascending; subprogs[0] = 0 */
	u32 nr_subprogs;
	struct jit_code *jit; /* made when it is first needed; see jit.h */
};

/* What the verifier hands over to be made an object. */
struct prog_image {
	u32 type, expected_attach_type, flags, ifindex, attach_btf_id;
	bool gpl_compatible, trusted;
	const char *name;
	const struct bpf_insn *insns; /* file form: map references by id */
	u32 insn_cnt;
	u8 tag[BPF_TAG_SIZE];
	struct map **maps;
	u32 nr_maps;
	const u32 *subprogs;
	u32 nr_subprogs;
	struct object *btf; /* or NULL */
	const void *func_info;
	u32 nr_func_info, func_info_rec_size;
	const void *line_info;
	u32 nr_line_info, line_info_rec_size;
	u32 verified_insns;
};

extern const struct object_type prog_object_type;

static inline struct prog *prog_of(struct object *object)
{
	return container_of(object, struct prog, object);
}

/* Is it a program for packets that a map redirected, at this attach type? */
bool prog_redirects_at(const struct prog *prog, u32 attach_type);

/*
 * Makes the program an object and returns its descriptor; -ENOMEM, -EMFILE; -EINVAL: one of its maps
 * belongs to programs of another kind.
 */
must_check int prog_create(const struct prog_image *image);
/*
 * PROG_BIND_MAP: the program refers to the map from now on, and info lists it. 0, also when it did
 * before; -ENOMEM when its file has no room for a further one.
 */
must_check int prog_bind_map(struct prog *prog, struct map *map);

/* Number of ids in the file's map list now, bound ones included, within its room. */
u32 prog_map_count(const struct prog *prog);

#endif
