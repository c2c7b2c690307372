/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * shared_table.c: a BPF hash map as a plain hash table that processes share. One process makes the
 * table and gives it a name; others, started at any time, find it by that name. Whoever is killed,
 * at whatever moment, leaves the table whole.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <userbpf/userbpf.h>

#define NAME "/sys/fs/bpf/visits" /* not the kernel's: a directory of our realm */
#define ROUNDS 100000

/* Opens the table by its name and counts visits in it. */
static int visit(uint32_t who)
{
	struct userbpf_map *table;
	uint64_t *visits;
	int fd, err;

	fd = userbpf_get_pinned(NAME);
	if (fd < 0)
		return fd;
	err = userbpf_map_open(fd, &table);
	close(fd); /* the handle has its own */
	if (err)
		return err;
	visits = userbpf_map_lookup(table, &who);
	for (int i = 0; visits && i < ROUNDS; i++)
		__atomic_fetch_add(visits, 1, __ATOMIC_RELAXED); /* straight in shared memory */
	userbpf_map_close(table);
	return visits ? 0 : -1;
}

int main(void)
{
	const struct userbpf_map_opts opts = {
		.size = sizeof(opts),
		.type = BPF_MAP_TYPE_HASH,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(uint64_t),
		.max_entries = 1000,
		.name = "visits",
	};
	const uint32_t who = 42;
	uint64_t visits = 0;
	struct userbpf_map *table;
	int err, status;

	err = userbpf_map_create(&opts, &table);
	if (!err)
		err = userbpf_map_update(table, &who, &visits, BPF_NOEXIST);
	if (!err)
		err = userbpf_pin(userbpf_map_fd(table), NAME);
	if (err) {
		fprintf(stderr, "shared_table: %s\n", strerror(-err));
		return 1;
	}
	for (int i = 0; i < 2; i++)
		if (!fork())
			_exit(visit(who) != 0);
	while (wait(&status) > 0)
		err |= status;
	userbpf_map_copy(table, &who, &visits, 0);
	printf("%llu visits by two processes\n", (unsigned long long)visits);
	unlink(NAME);
	userbpf_map_close(table);
	return err || visits != 2 * ROUNDS;
}
