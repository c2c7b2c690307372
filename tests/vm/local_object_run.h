/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_object_run.h: runs of the programs of a skeleton `skel` that uses local_object.bpf.h.
 */
#ifndef TESTS_VM_LOCAL_OBJECT_RUN_H
#define TESTS_VM_LOCAL_OBJECT_RUN_H

/* What it returns, with these numbers in in[] (ended by 0). */
#define DO(name, ...) do_with(bpf_program__fd(skel->progs.name), (const uint64_t[]){__VA_ARGS__, 0})

static int do_with(int fd, const uint64_t *in)
{
	unsigned n = 0;

	for (; in[n]; n++)
		skel->bss->in[n] = in[n];
	if (n)
		skel->bss->count = n;
	memset(skel->bss->seen, 0, sizeof(skel->bss->seen));
	return run_program(fd);
}

#define SEEN(...) check_seen((const uint64_t[]){__VA_ARGS__, 0})

static void check_seen(const uint64_t *wanted)
{
	for (unsigned i = 0; wanted[i]; i++)
		if (skel->bss->seen[i] != wanted[i])
			fail_msg("seen[%u] is %llu", i, (unsigned long long)skel->bss->seen[i]);
}

#endif
