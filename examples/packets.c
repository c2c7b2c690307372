/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * packets.c: libbpf loads an object, as everywhere; since the program is linked with -luserbpf, its
 * bpf(2) calls do not reach the kernel. Then packets run through the BPF program in batches,
 * without a system call, and its map is read in place.
 * Usage: packets OBJECT [trust]. "trust": as machine code without checks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>
#include <userbpf/userbpf.h>

#define BATCH 64
#define BATCHES 2000
#define PACKET_BYTES 64

static uint8_t packets[BATCH][PACKET_BYTES];

/* Ethernet and IPv4; UDP and TCP by turns. */
static void make_packets(struct userbpf_run *runs)
{
	for (unsigned i = 0; i < BATCH; i++) {
		packets[i][12] = 0x08;
		packets[i][14] = 0x45;
		packets[i][23] = i % 2 ? 6 : 17;
		runs[i] = (struct userbpf_run){.data = packets[i], .data_size = PACKET_BYTES};
	}
}

static int run_all(struct userbpf_prog *prog, unsigned *passed)
{
	struct userbpf_run runs[BATCH];
	struct userbpf_runner *runner;
	int err = userbpf_runner_open(prog, &runner);

	if (err)
		return err;
	make_packets(runs);
	for (unsigned i = 0; i < BATCHES && !err; i++) {
		err = userbpf_runner_run(runner, runs, BATCH);
		for (unsigned j = 0; j < BATCH; j++)
			*passed += runs[j].retval == XDP_PASS;
	}
	userbpf_runner_close(runner);
	return err;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Handles of what libbpf has loaded. */
static int use(struct bpf_object *object, uint32_t flags)
{
	int prog_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "filter"));
	int map_fd = bpf_object__find_map_fd_by_name(object, "protocols");
	const uint32_t udp = 17;
	struct userbpf_prog *prog = NULL;
	struct userbpf_map *protocols = NULL;
	unsigned passed = 0;
	double start;
	int err;

	err = userbpf_prog_open(prog_fd, flags, &prog);
	if (!err)
		err = userbpf_map_open(map_fd, &protocols);
	start = seconds();
	if (!err)
		err = run_all(prog, &passed);
	if (!err)
		printf("%u of %u packets passed, %llu of them UDP\n", passed, BATCH * BATCHES,
		       (unsigned long long)*(uint64_t *)userbpf_map_lookup(protocols, &udp));
	fprintf(stderr, "%.0f ns a packet\n", (seconds() - start) * 1e9 / (BATCH * BATCHES));
	userbpf_map_close(protocols);
	userbpf_prog_close(prog);
	return err;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: packets OBJECT [trust]\n");
		return 2;
	}
	object = bpf_object__open_file(argv[1], NULL);
	err = object ? bpf_object__load(object) : -errno;
	if (!err)
		err = use(object, argc > 2 && !strcmp(argv[2], "trust") ? USERBPF_TRUST : 0);
	if (err)
		fprintf(stderr, "packets: %s\n", strerror(-err));
	bpf_object__close(object);
	return err != 0;
}
