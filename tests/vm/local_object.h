/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * local_object.h: what local_object.bpf.c and its test share: the kernel's types of roots and nodes, as
 * uapi headers from Linux 6.5 on have them.
 */
#ifndef TESTS_VM_LOCAL_OBJECT_H
#define TESTS_VM_LOCAL_OBJECT_H

#define ITEMS 32

struct bpf_list_head {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_list_node {
	__u64 opaque[3];
} __attribute__((aligned(8)));
struct bpf_rb_root {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_rb_node {
	__u64 opaque[4];
} __attribute__((aligned(8)));
struct bpf_refcount {
	__u32 opaque[1];
} __attribute__((aligned(4)));

#endif
