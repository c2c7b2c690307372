/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * struct_ops.c: STRUCT_OPS, one table of functions of the kernel that programs implement. Owns the
 * value and its state; what a table looks like is btf/struct_ops.c. Names no program type: who
 * may be a function is told by the owner word of an object.
 *
 *     | u32 state, filler | the value: state words, table with ids of programs as functions |
 *
 * A change holds the lock of the map's references: it writes the ids, makes the references, and
 * publishes all with one store of the state. While the state is still the first one, ids are those
 * of a changer that died, and the next one drops their references.
 */
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "base/uapi.h"
#include "btf/struct_ops.h"
#include "maps/map.h"

#define F_LINK UAPI_F_LINK

/* The kernel's enum bpf_struct_ops_state; applications see it. */
enum state { STATE_INIT, STATE_IN_USE, STATE_TO_BE_FREED, STATE_READY };

/* How a value begins. */
struct value_head {
	u32 references;
	u32 state;
};

struct control {
	u32 state;
	u32 unused;
	u8 value[];
};

static inline struct control *control_of(const struct map *map)
{
	return map->private;
}

static inline const struct ops_table *table_of(const struct map *map)
{
	return map->local;
}

static inline u32 index_of(const void *key)
{
	return *(const u32 *)key;
}

static int struct_ops_copy(struct map *map, const void *key, void *value)
{
	const struct control *control = control_of(map);
	const u32 state = load_acquire(&control->state); /* pairs with publish() */
	const struct value_head head = {.references = state == STATE_IN_USE, .state = state};

	if (index_of(key))
		return -ENOENT;
	memset(value, 0, map->value_size);
	if (state == STATE_INIT)
		return 0;
	memcpy(value, control->value, map->value_size);
	memcpy(value, &head, sizeof(head));
	return 0;
}

static int struct_ops_next_key(struct map *map, const void *key, void *next_key)
{
	const u32 first = 0;

	(void)map;
	if (key && !index_of(key))
		return -ENOENT;
	memcpy(next_key, &first, sizeof(first));
	return 0;
}

/* A delete withdraws the table; its programs stay with the map. */
static int struct_ops_delete(struct map *map, const void *key)
{
	u32 state = STATE_IN_USE;

	(void)key;
	if (map->flags & F_LINK)
		return -EOPNOTSUPP;
	if (atomic_cas(&control_of(map)->state, &state, STATE_TO_BE_FREED))
		return 0;
	return state == STATE_TO_BE_FREED ? -EINPROGRESS : -ENOENT;
}

/* Update */

/* The low word of a function in a table: a descriptor, or the id of a program. */
static u32 function_at(const void *data, const struct ops_member *member)
{
	u32 word;

	memcpy(&word, (const u8 *)data + member->at, sizeof(word));
	return word;
}

static void set_function(void *data, const struct ops_member *member, u64 id)
{
	memcpy((u8 *)data + member->at, &id, sizeof(id));
}

static void drop_programs(struct map *map)
{
	const struct ops_table *table = table_of(map);
	u8 *data = control_of(map)->value + table->data_at;
	struct ops_member member;

	for (u32 i = 0; i < ops_members(table); i++) {
		ops_member(table, i, &member);
		if (!member.proto || !function_at(data, &member))
			continue;
		object_ref_drop(&map->object, OBJECT_PROG, function_at(data, &member), i);
		set_function(data, &member, 0);
	}
}

/* The attach target is in the upper half of the owner word, the member in the word below. */
static bool is_function(const struct object *object, const struct ops_table *table, u32 index)
{
	return object->type->owner(object) >> 16 == ((u64)table->id << 16 | index);
}

/* Turns the descriptor at a function of data into a reference, if there is one. */
static int take_program(struct map *map, u32 index, const struct ops_member *member, u8 *data)
{
	const struct ops_table *table = table_of(map);
	const u32 fd = function_at(data, member);
	struct object *object;
	int err;

	if (!fd)
		return 0;
	err = object_from_fd((int)fd, OBJECT_PROG, &object, NULL);
	if (err)
		return err;
	if (!is_function(object, table, index))
		err = -EINVAL;
	if (!err) {
		set_function(data, member, object->id);
		set_function(control_of(map)->value + table->data_at, member, object->id);
		err = object_ref_add(&map->object, object, index);
	}
	object_put(object);
	return err;
}

static int take_table(struct map *map, u8 *data)
{
	const struct ops_table *table = table_of(map);
	struct ops_member member;
	int err = ops_refusal(table);

	for (u32 i = 0; i < ops_members(table) && !err; i++) {
		ops_member(table, i, &member);
		err = member.proto ? take_program(map, i, &member, data)
				   : ops_check_data(table, &member, data);
	}
	return err ? err : ops_check_table(table, data);
}

static void publish(struct map *map, const void *value)
{
	struct control *control = control_of(map);

	memcpy(control->value, value, map->value_size);
	store_release(&control->state, map->flags & F_LINK ? STATE_READY : STATE_IN_USE);
}

static int update_locked(struct map *map, u8 *value)
{
	int err;

	if (load_relaxed(&control_of(map)->state) != STATE_INIT)
		return -EBUSY;
	drop_programs(map);
	err = take_table(map, value + table_of(map)->data_at);
	if (err)
		drop_programs(map);
	else
		publish(map, value);
	return err;
}

static int struct_ops_update(struct map *map, const void *key, const void *value, u64 flags)
{
	struct value_head head;
	u64 signals;
	u8 *copy;
	int lock, err;

	(void)flags; /* none is accepted */
	if (index_of(key))
		return -E2BIG;
	memcpy(&head, value, sizeof(head));
	if (head.references || head.state || !ops_holes_are_zero(table_of(map), value))
		return -EINVAL;
	copy = memory_alloc(map->value_size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, value, map->value_size);
	lock = object_refs_lock(&map->object, &signals);
	err = lock < 0 ? lock : update_locked(map, copy);
	if (lock >= 0)
		object_refs_unlock(lock, signals);
	memory_free(copy);
	return err;
}

/* Cold path */

static cold int struct_ops_check(struct map_spec *spec)
{
	struct ops_table table;
	int err;

	if (spec->key_size != sizeof(u32) || spec->max_entries != 1 || !spec->kernel_value_type_id)
		return -EINVAL;
	err = ops_table_of_value(spec->kernel_value_type_id, &table);
	if (!err && spec->value_size != table.value_size)
		err = -EINVAL;
	return err;
}

/* As a 6.18 kernel counts: two values, two words for each function, a page of code. */
static cold u64 memlock_of(const struct map_spec *spec)
{
	struct ops_member member;
	struct ops_table table;
	u64 bytes = PAGE_BYTES + 448;

	if (ops_table_of_value(spec->kernel_value_type_id, &table))
		return 0;
	for (u32 i = 0; i < ops_members(&table); i++) {
		ops_member(&table, i, &member);
		bytes += member.proto ? 2 * sizeof(u64) : 0;
	}
	return bytes + 2ull * spec->value_size;
}

static cold void struct_ops_layout(const struct map_spec *spec, u32 ncpus,
				   struct map_layout *layout)
{
	(void)ncpus;
	layout->control_size = sizeof(struct control) + spec->value_size;
	layout->memlock = memlock_of(spec);
}

static cold int struct_ops_attach(struct map *map)
{
	struct ops_table *table = memory_alloc(sizeof(*table));
	int err;

	if (!table)
		return -ENOMEM;
	err = ops_table_of_value(map->kernel_value_type_id, table);
	if (err)
		memory_free(table);
	else
		map->local = table;
	return err;
}

static cold void struct_ops_detach(struct map *map)
{
	memory_free(map->local);
	map->local = NULL;
}

static cold bool struct_ops_is_valid(struct map *map)
{
	const struct ops_table *table = table_of(map);
	const u8 *data = control_of(map)->value + table->data_at;
	struct ops_member member;

	for (u32 i = 0; i < ops_members(table); i++) {
		ops_member(table, i, &member);
		if (load_relaxed(&control_of(map)->state) == STATE_INIT && member.proto &&
		    function_at(data, &member))
			return false;
	}
	return load_relaxed(&control_of(map)->state) <= STATE_READY;
}

const struct map_ops struct_ops_map_ops = {
	.name = "struct_ops",
	.traits = MAP_OF_METHODS | MAP_INNER_REFUSED,
	.create_flags = F_LINK,
	.update_flags = BPF_ANY,
	.delete = struct_ops_delete,
	.copy_value = struct_ops_copy,
	.update_user = struct_ops_update,
	.get_next_key = struct_ops_next_key,
	.check = struct_ops_check,
	.layout = struct_ops_layout,
	.attach = struct_ops_attach,
	.detach = struct_ops_detach,
	.is_valid = struct_ops_is_valid,
};
