/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ring_test.h: what the tests of RINGBUF and USER_RINGBUF share: the skeleton of ring.bpf.c, and one
 * of its rings as an application maps it.
 */
#ifndef TESTS_MAPS_RING_TEST_H
#define TESTS_MAPS_RING_TEST_H

#include <sys/mman.h>

#include "../vm/run.h"
#include "../vm/skeleton_run.h"
#include "ring.h"
#include "ring.skel.h"

#define PAGE 4096u

static struct ring *skel;
static int ring;
static volatile uint64_t *consumer, *producer;
static uint8_t *data;

/* With the skeleton open: its map, and who may write to which part. 0, or else. */
static inline int map_ring(const struct bpf_map *map, int consumer_prot, int producer_prot)
{
	ring = bpf_map__fd(map);
	consumer = mmap(NULL, PAGE, consumer_prot, MAP_SHARED, ring, 0);
	producer = mmap(NULL, PAGE + 2 * RING_BYTES, producer_prot, MAP_SHARED, ring, PAGE);
	data = (uint8_t *)producer + PAGE;
	return consumer == MAP_FAILED || producer == MAP_FAILED;
}

static int close_ring(void **state)
{
	(void)state;
	munmap((void *)consumer, PAGE);
	munmap((void *)producer, PAGE + 2 * RING_BYTES);
	ring__destroy(skel);
	return 0;
}

static inline uint32_t *header(uint64_t position)
{
	return (uint32_t *)(void *)(data + position % RING_BYTES);
}

#endif
