/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * helpers_syscall.c: what programs of the syscall type have beyond others: system calls and names
 * of the kernel. Loader programs (light skeletons) are made of them. Must not know commands: which
 * function bpf(2) is, the command layer says.
 */
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "base/uapi.h"
#include "btf/kernel_btf.h"
#include "vm/helpers.h"
#include "vm/jit.h"

static vm_bpf_call bpf_call;

void vm_set_bpf_call(vm_bpf_call call)
{
	store_release(&bpf_call, call);
}

static bool is_allowed(u32 cmd)
{
	switch (cmd) {
	case BPF_MAP_CREATE:
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_MAP_GET_FD_BY_ID:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
	case BPF_LINK_CREATE:
	case BPF_RAW_TRACEPOINT_OPEN:
		return true;
	}
	return false;
}

/*
 * Where a log goes is the only pointer in these attributes that is written to. A program that is
 * checked may write to its own memory only: it then does without.
 */
static void confine_log(struct vm_run *run, u32 cmd, union bpf_attr *attr)
{
	if (run->engine == &jit_engine)
		return;
	if (cmd == BPF_PROG_LOAD && !vm_memory_ok(run, attr->log_buf, attr->log_size, true))
		attr->log_buf = attr->log_size = attr->log_level = 0;
	if (cmd == BPF_BTF_LOAD && !vm_memory_ok(run, attr->btf_log_buf, attr->btf_log_size, true))
		attr->btf_log_buf = attr->btf_log_size = attr->btf_log_level = 0;
}

/* The attribute is only readable: the call gets a copy, and what it would write there is lost. */
static long call_bpf(struct vm_run *run, u32 cmd, const void *attr, u32 size)
{
	const u32 room = MAX(size, (u32)sizeof(union bpf_attr));
	union bpf_attr *copy = memory_zalloc(room, 1);
	long result;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, attr, size);
	confine_log(run, cmd, copy);
	result = bpf_call((int)cmd, PTR_U64(copy), size);
	memory_free(copy);
	return result;
}

HELPER_FN(sys_bpf)
{
	u64 done;

	if (!is_allowed((u32)r1))
		return HELPER_ERROR(EINVAL);
	if (r3 > PAGE_BYTES)
		return HELPER_ERROR(E2BIG);
	if (vm_replays(run, &done))
		return done;
	return vm_varying(run, (u64)call_bpf(run, (u32)r1, U64_PTR(r2), (u32)r3));
}

HELPER_FN(sys_close)
{
	u64 done;

	if (vm_replays(run, &done))
		return done;
	return vm_varying(run, (u64)SYSCALL(SYS_close, (int)r1));
}

/* A string of exactly that size. */
static bool is_name(u64 name, u64 size)
{
	return size > 1 && ((const char *)U64_PTR(name))[size - 1] == '\0';
}

HELPER_FN(btf_find_by_name_kind)
{
	const struct btf *btf;
	int err;

	if (r4 || !is_name(r1, r2))
		return HELPER_ERROR(EINVAL);
	err = kernel_btf_get(&btf);
	return err ? (u64)err : (u64)kernel_btf_find(btf, U64_PTR(r1), (u32)r3);
}

/* There is no kernel here whose symbols could have addresses. */
HELPER_FN(kallsyms_lookup_name)
{
	*(u64 *)U64_PTR(r4) = 0;
	return r3 || !is_name(r1, r2) ? HELPER_ERROR(EINVAL) : HELPER_ERROR(ENOENT);
}
