/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_run.c: PROG_TEST_RUN: the loop, the copies, and the two kinds of program whose context is
 * plain memory (raw tracepoints, syscall). Packets are test_run_skb.c and test_run_xdp.c.
 */
#include "vm/test_run.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/syscall.h"
#include "object/realm.h"
#include "object/run_stats.h"
#include "vm/ctx.h"
#include "vm/test_run_common.h"

/* Instructions between two chances for others to get the virtual CPU; a run counts as some. */
#define TURN_INSNS (1u << 20)
#define RUN_INSNS 1024u
#define RAW_TP_CTX_MAX 96u
#define SYSCALL_CTX_MAX UINT16_MAX

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

/* Runs once, at the expense of the turn. */
static int run_once(struct vm_run *vm, u64 *turn, u64 *retval)
{
	u64 used;
	int err;

	vm->insns_left = VM_DEFAULT_BUDGET;
	if (vm->begin)
		vm->begin(vm);
	vm->redirect.set = false;
	err = vm_run(vm, retval);
	used = VM_DEFAULT_BUDGET - vm->insns_left + RUN_INSNS;
	*turn -= MIN(*turn, used);
	return err;
}

/* What a helper said counts if the program returned that verdict. */
static void note_redirect(const struct vm_run *vm, struct test_run *run)
{
	const u32 verdict = vm->prog->type->helper_groups & HG_XDP ? XDP_REDIRECT : TC_ACT_REDIRECT;

	run->redirect = vm->redirect;
	run->redirect.set = vm->redirect.set && run->retval == verdict;
}

static cold void tell_redirect(const struct prog *prog, const struct vm_redirect *redirect)
{
	const char *name = prog->checked.name;
	const u32 id = prog->object.id;

	if (redirect->map_id)
		log_line(LOG_REFUSED,
			 "program %u '%.16s' redirected a packet by map %u, key %u, flags %#llx "
			 "(interface %u): it goes nowhere",
			 id, name, redirect->map_id, redirect->key,
			 (unsigned long long)redirect->flags, redirect->ifindex);
	else
		log_line(LOG_REFUSED,
			 "program %u '%.16s' redirected a packet to interface %u, flags %#llx: it "
			 "goes nowhere",
			 id, name, redirect->ifindex, (unsigned long long)redirect->flags);
}

/* Runs until the turn is over. */
static int run_turn(struct vm_run *vm, u32 *left, u64 *retval)
{
	u64 turn = TURN_INSNS;
	int err;

	do {
		err = run_once(vm, &turn, retval);
	} while (--*left && turn && !err);
	return err;
}

/*
 * As in the kernel, signals wait during repeated runs and end them between two runs; their handlers
 * run before bpf() returns. Signals that report a fault of this thread cannot wait.
 */
static void hold_signals(sigset_t *before)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
	sigset_t held;

	sigfillset(&held);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&held, faults[i]);
	pthread_sigmask(SIG_BLOCK, &held, before);
}

/* Blocked signals wait even if they are ignored, which would not interrupt the kernel. */
static bool is_ignored(int signal)
{
	struct sigaction action;

	if (sigaction(signal, NULL, &action) || action.sa_handler == SIG_IGN)
		return true;
	return action.sa_handler == SIG_DFL && (signal == SIGCHLD || signal == SIGCONT ||
						signal == SIGURG || signal == SIGWINCH);
}

static bool signal_waits(const sigset_t *before)
{
	sigset_t waiting;

	if (sigpending(&waiting))
		return false;
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(&waiting, signal) == 1 && !sigismember(before, signal) &&
		    !is_ignored(signal))
			return true;
	return false;
}

/* Of a program that was called, not of those that tail calls went to. */
static cold void count_runs(struct prog *prog, u32 runs, u64 ns)
{
	atomic_add(&prog->header->run_cnt, runs);
	atomic_add(&prog->header->run_time_ns, ns);
}

/* The caller has the virtual CPU. */
static int run_in_turn(struct vm_run *vm, struct test_run *run)
{
	const bool counted = run->turn->counted;
	const u64 start = unlikely(counted) ? now_ns() : 0;
	u64 retval = 0;
	int err = run_once(vm, &run->turn->insns_left, &retval);

	if (unlikely(counted))
		count_runs(vm->prog, 1, now_ns() - start);

	run->retval = (u32)retval;
	note_redirect(vm, run);
	if (unlikely(err))
		vm_fault_report(vm);
	return err;
}

int test_run_loop(struct vm_run *vm, struct test_run *run)
{
	struct vcpu_table *vcpus = &realm_state()->vcpus;
	u32 repeat = run->repeat ? run->repeat : 1, left = repeat;
	u64 retval = 0, start, ns;
	sigset_t before;
	bool counted;
	int err = 0;

	if (run->turn)
		return run_in_turn(vm, run);
	counted = run_stats_on();
	start = now_ns();
	if (repeat > 1)
		hold_signals(&before);
	while (left && !err) {
		vcpu_enter(vcpus);
		err = run_turn(vm, &left, &retval);
		vm_release(vm);
		vcpu_leave(vcpus);
		if (!err && left && signal_waits(&before))
			err = -EINTR;
	}
	if (repeat > 1)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	run->retval = (u32)retval;
	ns = now_ns() - start;
	run->duration = (u32)MIN(ns / repeat, (u64)UINT32_MAX);
	if (unlikely(counted))
		count_runs(vm->prog, repeat - left, ns);
	note_redirect(vm, run);
	if (err == -EFAULT)
		vm_fault_report(vm);
	else if (run->redirect.set && log_enabled(LOG_REFUSED))
		tell_redirect(vm->prog, &run->redirect);
	return err;
}

static void storage_free(struct vm_run *vm)
{
	for (u32 i = 0; i < ARRAY_SIZE(vm->storage); i++)
		memory_free(vm->storage[i].memory);
}

static int storage_init(struct vm_run *vm)
{
	for (u32 i = 0; i < vm->prog->nr_maps; i++) {
		struct map *map = vm->prog->maps[i];
		const bool percpu = map->ops->traits & MAP_PERCPU;
		struct vm_storage *storage = &vm->storage[percpu];

		if (!(map->ops->traits & MAP_OF_RUNS) || storage->map)
			continue;
		storage->size = map->value_stride * (percpu ? map->ncpus : 1);
		storage->memory = memory_zalloc(1, storage->size);
		storage->map = map;
		if (!storage->memory) {
			storage_free(vm);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Each test run begins with zeros, repeated runs go on with what is there. */
static void storage_clear(struct vm_run *vm)
{
	for (u32 i = 0; i < ARRAY_SIZE(vm->storage); i++)
		if (vm->storage[i].map)
			memset(vm->storage[i].memory, 0, vm->storage[i].size);
}

static int packet_run_init(struct packet_run *run, struct prog *prog)
{
	int err;

	memset(run, 0, sizeof(*run));
	err = arena_take(&run->arena);
	run->vm.prog = prog;
	run->vm.ctx = run->arena.ctx;
	run->vm.ctx_rules = prog->type->ctx;
	run->vm.packet = &run->packet;
	if (err)
		return err;
	err = storage_init(&run->vm);
	if (err)
		arena_put(&run->arena);
	return err;
}

struct packet_run *test_run_packet(const struct test_run *test, struct prog *prog,
				   struct packet_run *own)
{
	if (!test->turn)
		return packet_run_init(own, prog) ? NULL : own;
	test->turn->run.cookie = 0; /* a socket of its own */
	storage_clear(&test->turn->run.vm);
	return &test->turn->run;
}

void test_run_packet_end(const struct test_run *test, struct packet_run *run)
{
	vm_end_socket(run);
	if (test->turn)
		return;
	storage_free(&run->vm);
	arena_put(&run->arena);
}

struct vm_run *test_run_plain(const struct test_run *test, struct prog *prog, struct vm_run *own,
			      void *ctx, const struct ctx_rules *rules)
{
	struct vm_run *vm = test->turn ? &test->turn->run.vm : own;

	if (vm == own)
		memset(vm, 0, sizeof(*vm));
	vm->prog = prog;
	vm->ctx = ctx;
	vm->ctx_rules = rules;
	vm->packet = NULL;
	return vm;
}

int test_run_ctx_in(const struct test_run *run, void *ctx, u32 size)
{
	u32 given = MIN(run->ctx_size_in, size);

	memset(ctx, 0, size);
	if (run->ctx_size_in > PAGE_BYTES)
		return -E2BIG;
	if (!run->ctx_in)
		return run->ctx_size_in ? -EFAULT : 0;
	if (!is_zero(run->ctx_in, given, run->ctx_size_in))
		return -E2BIG;
	memcpy(ctx, run->ctx_in, given);
	return 0;
}

/* The kernel puts all fragments, and before them what then fits of the linear part. */
static int put_data(struct test_run *run, const u8 *data, u32 size, u32 frags, u32 fits)
{
	if (!run->data_out)
		return 0;
	if (fits < frags)
		return -ENOSPC;
	memcpy(run->data_out, data, fits - frags);
	memcpy((u8 *)run->data_out + (fits - frags), data + (size - frags), frags);
	return 0;
}

int test_run_finish(struct test_run *run, const void *data, u32 size, u32 frags, const void *ctx,
		    u32 ctx_size)
{
	const u32 fits = run->data_out_room ? MIN(size, run->data_out_room) : size;
	const int err = put_data(run, data, size, frags, fits);

	if (err)
		return err;
	run->data_size_out = size;
	run->written = TEST_DATA_OUT | TEST_DURATION;
	if (fits < size)
		return -ENOSPC;
	if (!ctx || !run->ctx_out)
		return 0;
	memcpy(run->ctx_out, ctx, MIN(ctx_size, run->ctx_out_room));
	run->ctx_size_out = ctx_size;
	run->written |= TEST_CTX_OUT;
	return run->ctx_out_room < ctx_size ? -ENOSPC : 0;
}

/*
 * The kernel's verifier knows the highest context offset that a program loads and refuses smaller
 * contexts. This looks at loads through the registers that hold the context on the straight path.
 */
static u32 ctx_bytes_needed(const struct prog *prog)
{
	u32 holds = 1u << BPF_REG_1, need = 0;

	for (u32 i = 0; i < prog->insn_cnt; i++) {
		const struct bpf_insn *insn = &prog->code[i];
		u8 class = BPF_CLASS(insn->code);
		static const u8 bytes[] = {4, 2, 1, 8};

		if ((class == BPF_LDX && holds >> insn->src_reg & 1) ||
		    ((class == BPF_STX || class == BPF_ST) && holds >> insn->dst_reg & 1))
			need = MAX(need, (u32)MAX(insn->off, 0) + bytes[BPF_SIZE(insn->code) >> 3]);
		if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && holds >> insn->src_reg & 1)
			holds |= 1u << insn->dst_reg;
		else if (class == BPF_ALU64 || class == BPF_ALU || class == BPF_LDX ||
			 class == BPF_LD)
			holds &= ~(1u << insn->dst_reg);
		else if (insn->code == (BPF_JMP | BPF_CALL))
			holds &= ~0x3fu;
	}
	return need;
}

/* A run whose context is size bytes of plain memory. */
static int run_plain(struct prog *prog, struct test_run *run, void *ctx, u32 size, bool writable)
{
	const struct ctx_range all = {.to = (u16)size, .read = 15, .write = writable ? 15 : 0};
	const struct ctx_rules rules = {.size = size, .nr_ranges = 1, .ranges = &all};
	struct vm_run own;

	return test_run_loop(test_run_plain(run, prog, &own, ctx, &rules), run);
}

static u32 ctx_bytes_of(const struct prog *prog, const struct test_run *run)
{
	return run->turn ? run->turn->ctx_bytes : ctx_bytes_needed(prog);
}

/* The kernel runs the program on the CPU asked for; so does the thread meanwhile. */
static int run_on_cpu(struct prog *prog, struct test_run *run, void *ctx)
{
	cpu_set_t saved, wanted;
	long saved_len;
	int err;

	if (run->cpu >= vcpu_possible() || run->cpu >= CPU_SETSIZE)
		return -ENXIO;
	CPU_ZERO(&wanted);
	CPU_SET(run->cpu, &wanted);
	saved_len = SYSCALL(SYS_sched_getaffinity, 0, sizeof(saved), &saved);
	if (saved_len < 0 || SYSCALL(SYS_sched_setaffinity, 0, sizeof(wanted), &wanted))
		return -ENXIO;
	err = run_plain(prog, run, ctx, RAW_TP_CTX_MAX, false);
	SYSCALL(SYS_sched_setaffinity, 0, saved_len, &saved);
	return err;
}

int test_run_raw_tp(struct prog *prog, struct test_run *run)
{
	u64 ctx[RAW_TP_CTX_MAX / sizeof(u64)] = {0};

	if (run->given || run->repeat || run->batch_size)
		return -EINVAL;
	if (run->ctx_size_in < ctx_bytes_of(prog, run) || run->ctx_size_in > RAW_TP_CTX_MAX)
		return -EINVAL;
	if (!(run->flags & BPF_F_TEST_RUN_ON_CPU) && run->cpu)
		return -EINVAL;
	if (run->ctx_size_in && !run->ctx_in)
		return -EFAULT;
	if (run->ctx_size_in)
		memcpy(ctx, run->ctx_in, run->ctx_size_in);
	if (run->flags & BPF_F_TEST_RUN_ON_CPU)
		return run_on_cpu(prog, run, ctx);
	return run_plain(prog, run, ctx, RAW_TP_CTX_MAX, false);
}

int test_run_syscall(struct prog *prog, struct test_run *run)
{
	int err;

	if (run->given || run->repeat || run->flags || run->batch_size)
		return -EINVAL;
	if (run->ctx_size_in < ctx_bytes_of(prog, run) || run->ctx_size_in > SYSCALL_CTX_MAX)
		return -EINVAL;
	if (run->ctx_size_in && !run->ctx_in)
		return -EFAULT;
	err = run_plain(prog, run, run->ctx_in, run->ctx_size_in, true);
	if (!err && run->ctx_size_in)
		run->written = TEST_CTX_IN;
	return err;
}

/* Some maps are empty when their last user has gone, or lose what came from a descriptor. */
static void release_unused_maps(const struct prog *prog)
{
	for (u32 i = 0; i < prog->nr_maps; i++) {
		struct map *map = prog->maps[i];

		object_release(&map->object);
		if (map->ops->drop_gone)
			map->ops->drop_gone(map);
	}
}

int prog_test_run(struct prog *prog, struct test_run *run)
{
	if (!prog->type->test_run)
		return -ENOTSUPP;
	if (!run->turn)
		release_unused_maps(prog);
	return prog->type->test_run(prog, run);
}

void test_turn_begin(struct test_turn *turn)
{
	turn->insns_left = TURN_INSNS;
	turn->counted = run_stats_on();
	vcpu_enter(&realm_state()->vcpus);
}

void test_turn_end(struct test_turn *turn)
{
	vm_release(&turn->run.vm);
	vcpu_leave(&realm_state()->vcpus);
}

/* Cold path */

cold int test_turn_init(struct test_turn *turn, struct prog *prog)
{
	release_unused_maps(prog);
	turn->ctx_bytes = ctx_bytes_needed(prog);
	return packet_run_init(&turn->run, prog);
}

cold void test_turn_free(struct test_turn *turn)
{
	storage_free(&turn->run.vm);
	arena_put(&turn->run.arena);
}
