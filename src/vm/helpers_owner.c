/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_owner.c: helpers on things of the host kernel that a run has to do with: the current
 * task, its cgroup, the socket of a packet; and on the values that maps keep for them.
 */
#include <errno.h>
#include <string.h>

#include "maps/cgroup_array.h"
#include "object/foreign.h"
#include "shm/vcpu.h"
#include "vm/helpers.h"
#include "vm/packet.h"

/* What a value begins with; large enough for any type with storages. Never written to. */
static u8 zeros[1 << 16];

/* flags: BPF_LOCAL_STORAGE_GET_F_CREATE or 0. NULL is an answer. */
static u64 storage_get(struct map *map, const struct foreign *owner, u64 init, u64 flags)
{
	const struct map_ops *ops = map->ops;
	u64 value = PTR_U64(ops->lookup(map, owner));

	if (value || !flags)
		return value;
	/* Another one may be first, which is as good. */
	if (ops->update(map, owner, init ? U64_PTR(init) : zeros, BPF_NOEXIST) == -ENOMEM)
		return 0;
	return PTR_U64(ops->lookup(map, owner));
}

static u64 storage_delete(struct map *map, const struct foreign *owner)
{
	return (u64)(s64)map->ops->delete (map, owner);
}

/* Tasks. */

HELPER_FN(get_current_task_btf)
{
	return VM_CURRENT_TASK;
}

/* The same as a number: what is read there, bpf_probe_read_kernel() says, cannot be read. */
HELPER_FN(get_current_task)
{
	return VM_CURRENT_TASK;
}

HELPER_FN(task_storage_get)
{
	struct foreign task;

	if (!r2 || r4 & ~(u64)BPF_LOCAL_STORAGE_GET_F_CREATE || foreign_current_task(&task))
		return 0;
	return storage_get(U64_PTR(r1), &task, r3, r4);
}

HELPER_FN(task_storage_delete)
{
	struct foreign task;

	if (!r2)
		return HELPER_ERROR(EINVAL);
	if (foreign_current_task(&task))
		return HELPER_ERROR(ENOENT);
	return storage_delete(U64_PTR(r1), &task);
}

/*
 * Sockets. That of a packet is there for one test run, and known by what its cookie is known by:
 * the thread, and a number that grows. One that was found is known as it is by its descriptor.
 */
static bool socket_identity(struct vm_run *run, u64 address, struct foreign *id)
{
	const struct vm_socket *found = vm_socket_at(run, address);

	if (!found)
		return !foreign_task_socket(
			(u32)helper_get_socket_cookie(run, 0, 0, 0, 0, 0), id);
	*id = (struct foreign){.number = found->cookie};
	return found->is_full;
}

HELPER_FN(sk_storage_get)
{
	struct foreign id;

	if (r4 & ~(u64)BPF_LOCAL_STORAGE_GET_F_CREATE || !socket_identity(run, r2, &id))
		return 0;
	packet_run_of(run)->has_storage = true;
	return storage_get(U64_PTR(r1), &id, r3, r4);
}

HELPER_FN(sk_storage_delete)
{
	struct foreign id;

	if (!socket_identity(run, r2, &id))
		return HELPER_ERROR(ENOENT);
	return storage_delete(U64_PTR(r1), &id);
}

void vm_end_socket(struct packet_run *packet)
{
	const struct prog *prog = packet->vm.prog;
	struct foreign id;

	if (likely(!packet->has_storage))
		return;
	packet->has_storage = false;
	if (!socket_identity(&packet->vm, 0, &id))
		return;
	for (u32 i = 0; i < prog->nr_maps; i++)
		if (prog->maps[i]->ops->helpers & MAP_H_SK_STORAGE)
			storage_delete(prog->maps[i], &id);
}

/* Cgroups. That of a packet's socket is the one of the task that runs the test. */

static u64 current_cgroup(void)
{
	struct foreign cgroup;

	return foreign_current_cgroup(&cgroup) ? 0 : cgroup.number;
}

HELPER_FN(get_current_cgroup_id)
{
	return current_cgroup();
}

HELPER_FN(skb_cgroup_id)
{
	return current_cgroup();
}

static u64 current_ancestor(u64 level)
{
	struct foreign cgroup;

	return foreign_current_ancestor((s32)level, &cgroup) ? 0 : cgroup.number;
}

HELPER_FN(get_current_ancestor_cgroup_id)
{
	return current_ancestor(r1);
}

HELPER_FN(skb_ancestor_cgroup_id)
{
	return current_ancestor(r2);
}

static u64 is_under(const struct map *map, u64 index)
{
	u64 cgroup;
	int err = cgroup_array_get(map, (u32)index, &cgroup);

	return err ? (u64)(s64)err : foreign_current_is_under(cgroup);
}

HELPER_FN(current_task_under_cgroup)
{
	return is_under(U64_PTR(r1), r2);
}

HELPER_FN(skb_under_cgroup)
{
	return is_under(U64_PTR(r2), r3);
}

/* Storage that comes with attachment. */

HELPER_FN(get_local_storage)
{
	const struct map *map = U64_PTR(r1);
	const bool percpu = map->ops->traits & MAP_PERCPU;
	const struct vm_storage *storage = &run->storage[percpu];

	if (storage->map != map) /* of a program that this one has called */
		return vm_faultf(run, "the run has no storage of this map");
	return PTR_U64(storage->memory + (percpu ? vcpu_current() * map->value_stride : 0));
}
