/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* bench_bpf.h: sizes that the measured programs and their loader agree on. */
#ifndef BENCH_BPF_H
#define BENCH_BPF_H

#define MAP_OPS 256
#define LCG_OPS 1024
#define PARSE_OPS 64
#define SEARCH_OPS 16
#define NR_WORDS 1024
#define NR_LONGS 128
#define NR_SORTED 32
#define TEXT_BYTES 512
#define PACKET_BYTES 1024

#endif
