/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * ring.h: what ring.bpf.c and its tests share.
 */
#ifndef TESTS_MAPS_RING_H
#define TESTS_MAPS_RING_H

#define RING_BYTES 4096

struct sample {
	unsigned long long number;
	unsigned long long words[3];
};

#endif
