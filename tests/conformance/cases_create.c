/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * cases_create.c: cases of MAP_CREATE: one field of the attribute of a small map after the other is
 * set to what is allowed and what is not; every flag and every pair of the flags of maps.
 */
#include "conformance.h"

/* Fields of the attribute by offset, also those that older headers do not have. */
enum field {
	KEY_SIZE = 4,
	VALUE_SIZE = 8,
	ENTRIES = 12,
	FLAGS = 16,
	INNER_FD = 20,
	NUMA_NODE = 24,
	NAME = 28,
	IFINDEX = 44,
	BTF_FD = 48,
	KEY_ID = 52,
	VALUE_ID = 56,
	VMLINUX_ID = 60,
	EXTRA = 64,
	OBJECT_FD = 72,
	TOKEN_FD = 76,
	HASH_SIZE = 88,
};

enum { FD_CLOSED, FD_BTF, FD_MAP };

static const struct create_row {
	const char *name;
	struct {
		unsigned offset;
		uint32_t value;
	} fields[4];
	unsigned fd_offset; /* a field that holds a descriptor */
	int fd;
} rows[] = {
	{"small", {{0}}, 0, 0},
#define ROW(field, value)                                   \
	{                                                   \
#field "=" #value, {{field, value } }, 0, 0 \
	}
	ROW(KEY_SIZE, 0),
	ROW(KEY_SIZE, 1),
	ROW(KEY_SIZE, 3),
	ROW(KEY_SIZE, 4),
	ROW(KEY_SIZE, 5),
	ROW(KEY_SIZE, 8),
	ROW(KEY_SIZE, 512),
	ROW(KEY_SIZE, 513),
	ROW(KEY_SIZE, 4096),
	ROW(KEY_SIZE, 4194240),
	ROW(KEY_SIZE, 4194304),
	ROW(KEY_SIZE, 0x80000000),
	ROW(KEY_SIZE, 0xffffffff),
	ROW(VALUE_SIZE, 0),
	ROW(VALUE_SIZE, 1),
	ROW(VALUE_SIZE, 3),
	ROW(VALUE_SIZE, 4),
	ROW(VALUE_SIZE, 5),
	ROW(VALUE_SIZE, 9),
	ROW(VALUE_SIZE, 4096),
	ROW(VALUE_SIZE, 32768),
	ROW(VALUE_SIZE, 32769),
	ROW(VALUE_SIZE, 4194240),
	ROW(VALUE_SIZE, 4194304),
	ROW(VALUE_SIZE, 4194305),
	ROW(VALUE_SIZE, 0x80000000),
	ROW(VALUE_SIZE, 0xfffffff8),
	ROW(VALUE_SIZE, 0xffffffff),
	ROW(ENTRIES, 0),
	ROW(ENTRIES, 1),
	ROW(ENTRIES, 2),
	ROW(ENTRIES, 3),
	ROW(ENTRIES, 5),
	ROW(ENTRIES, 1000),
	ROW(ENTRIES, 4096),
	ROW(INNER_FD, 0xffffffff),
	ROW(INNER_FD, 999),
	{"INNER_FD=btf", {{0}}, INNER_FD, FD_BTF},
	ROW(NUMA_NODE, 0xffffffff),
	ROW(NUMA_NODE, 1),
	{"numa none", {{FLAGS, BPF_F_NUMA_NODE}, {NUMA_NODE, 0xffffffff}}, 0, 0},
	{"numa 0", {{FLAGS, BPF_F_NUMA_NODE}}, 0, 0},
	{"numa 1023", {{FLAGS, BPF_F_NUMA_NODE}, {NUMA_NODE, 1023}}, 0, 0},
	{"numa 1024", {{FLAGS, BPF_F_NUMA_NODE}, {NUMA_NODE, 1024}}, 0, 0},
	{"name ok", {{NAME, 'o' | 'k' << 8}}, 0, 0},
	{"name dots", {{NAME, 'a' | '.' << 8 | '_' << 16 | '1' << 24}}, 0, 0},
	{"name dash", {{NAME, 'a' | '-' << 8}}, 0, 0},
	{"name space", {{NAME, 'a' | ' ' << 8}}, 0, 0},
	{"name slash", {{NAME, '/'}}, 0, 0},
	{"name behind NUL", {{NAME, 'a' | '-' << 16}}, 0, 0},
	{"name 16",
	 {{NAME, 0x61616161},
	  {NAME + 4, 0x61616161},
	  {NAME + 8, 0x61616161},
	  {NAME + 12, 0x61616161}},
	 0,
	 0},
	{"name 15",
	 {{NAME, 0x61616161},
	  {NAME + 4, 0x61616161},
	  {NAME + 8, 0x61616161},
	  {NAME + 12, 0x616161}},
	 0,
	 0},
	ROW(IFINDEX, 1),
	ROW(IFINDEX, 999999),
	{"BTF_FD=closed", {{0}}, BTF_FD, FD_CLOSED},
	{"key id, closed", {{KEY_ID, 1}}, BTF_FD, FD_CLOSED},
	{"key id", {{KEY_ID, 1}}, BTF_FD, FD_BTF},
	{"value id", {{VALUE_ID, 1}}, BTF_FD, FD_BTF},
	{"ids, closed", {{KEY_ID, 1}, {VALUE_ID, 1}}, BTF_FD, FD_CLOSED},
	{"ids, map", {{KEY_ID, 1}, {VALUE_ID, 1}}, BTF_FD, FD_MAP},
	{"ids, value of 4", {{KEY_ID, 1}, {VALUE_ID, 1}, {VALUE_SIZE, 4}}, BTF_FD, FD_BTF},
	{"ids, value of 8", {{KEY_ID, 1}, {VALUE_ID, 1}, {VALUE_SIZE, 8}}, BTF_FD, FD_BTF},
	{"ids, lock", {{KEY_ID, 1}, {VALUE_ID, 4}, {VALUE_SIZE, 8}}, BTF_FD, FD_BTF},
	{"ids, lock, rdonly_prog",
	 {{KEY_ID, 1}, {VALUE_ID, 4}, {VALUE_SIZE, 8}, {FLAGS, BPF_F_RDONLY_PROG}},
	 BTF_FD,
	 FD_BTF},
	{"ids, lock, mmapable",
	 {{KEY_ID, 1}, {VALUE_ID, 4}, {VALUE_SIZE, 8}, {FLAGS, BPF_F_MMAPABLE}},
	 BTF_FD,
	 FD_BTF},
	{"ids, lock alone", {{KEY_ID, 1}, {VALUE_ID, 2}, {VALUE_SIZE, 4}}, BTF_FD, FD_BTF},
	{"ids, key is a lock", {{KEY_ID, 2}, {VALUE_ID, 1}, {VALUE_SIZE, 4}}, BTF_FD, FD_BTF},
	{"ids, no such type", {{KEY_ID, 1}, {VALUE_ID, 99}}, BTF_FD, FD_BTF},
	{"ids, no such key", {{KEY_ID, 99}, {VALUE_ID, 1}, {VALUE_SIZE, 4}}, BTF_FD, FD_BTF},
	{"ids, key of 8",
	 {{KEY_ID, 1}, {VALUE_ID, 1}, {VALUE_SIZE, 4}, {KEY_SIZE, 8}},
	 BTF_FD,
	 FD_BTF},
	ROW(VMLINUX_ID, 1),
	ROW(EXTRA, 1),
	ROW(EXTRA + 4, 0x80000000),
	ROW(OBJECT_FD, 1),
	ROW(TOKEN_FD, 1),
	ROW(HASH_SIZE, 32),
	ROW(HASH_SIZE, 1),
	{"token flag", {{FLAGS, 1u << 16}}, TOKEN_FD, FD_BTF},
	{"vtype flag", {{FLAGS, 1u << 15}}, OBJECT_FD, FD_MAP},
	ROW(92, 1),
	ROW(164, 1),
	ROW(168, 1),
	ROW(172, 0x80000000),
};

static uint32_t descriptor(int which)
{
	return which == FD_BTF   ? (uint32_t)btf_of_value(8)
	       : which == FD_MAP ? (uint32_t)inner_map()
				 : 999;
}

static void create(const struct type *type, const char *name, const union test_attr *t,
		   unsigned size)
{
	struct bpf_map_info info = {0};
	int fd = (int)bpf_sys(BPF_MAP_CREATE, t, size);
	union test_attr get = {
		.a = {.info = {.bpf_fd = (uint32_t)fd, .info_len = 88, .info = ptr64(&info)}}};

	if (fd < 0) {
		answer(type, "MAP_CREATE", name, "%s", result_name(fd));
		return;
	}
	bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &get, ATTR_SIZE);
	answer(type, "MAP_CREATE", name,
	       "key=%u value=%u entries=%u flags=%x name=%.16s btf=%d %u %u", info.key_size,
	       info.value_size, info.max_entries, info.map_flags, info.name, info.btf_id != 0,
	       info.btf_key_type_id, info.btf_value_type_id);
	close(fd);
}

static void row_case(const struct type *type, const struct create_row *row)
{
	union test_attr t = small_map(type);

	for (unsigned i = 0; i < LENGTH(row->fields); i++)
		if (row->fields[i].offset)
			memcpy(t.bytes + row->fields[i].offset, &row->fields[i].value, 4);
	if (row->fd_offset)
		memcpy(t.bytes + row->fd_offset, &(uint32_t){descriptor(row->fd)}, 4);
	create(type, row->name, &t, 176);
}

static void flag_case(const struct type *type, uint32_t flags)
{
	union test_attr t = small_map(type);
	char name[32];

	t.a.map_flags ^= flags;
	snprintf(name, sizeof(name), "flags=%x", flags);
	create(type, name, &t, ATTR_SIZE);
}

#define FIRST_PAIRS 15u /* flags below are those of maps; from here on: kinds of descriptors */

static void flag_cases(const struct type *type)
{
	for (unsigned a = 0; a < 32; a++)
		flag_case(type, 1u << a);
	for (unsigned a = 0; a < FIRST_PAIRS; a++)
		for (unsigned b = 0; b < a; b++)
			flag_case(type, 1u << a | 1u << b);
}

/* Which bytes a name may have: a bit for each. */
static void name_case(const struct type *type)
{
	uint8_t accepted[32] = {0};

	for (unsigned byte = 0; byte < 256; byte++) {
		union test_attr t = small_map(type);
		int fd;

		t.a.map_name[0] = (char)byte;
		fd = (int)bpf_sys(BPF_MAP_CREATE, &t, ATTR_SIZE);
		if (fd < 0)
			continue;
		accepted[byte / 8] |= (uint8_t)(1u << byte % 8);
		close(fd);
	}
	answer(type, "MAP_CREATE", "bytes of names, low half", "%s", bytes_text(accepted, 16));
	answer(type, "MAP_CREATE", "bytes of names, high half", "%s",
	       bytes_text(accepted + 16, 16));
}

/* An attribute that is cut off. Its end is zeros, and so is a tail that is not known. */
static void size_cases(const struct type *type)
{
	static const unsigned sizes[] = {0,  4,  12, 13, 15,  16,  20,  24,
					 28, 64, 72, 92, 120, 168, 176, 256};

	for (unsigned i = 0; i < LENGTH(sizes); i++) {
		union test_attr t = small_map(type);
		char name[32];

		snprintf(name, sizeof(name), "size=%u", sizes[i]);
		create(type, name, &t, sizes[i]);
	}
}

void create_cases(const struct type *type)
{
	for (unsigned i = 0; i < LENGTH(rows); i++)
		row_case(type, &rows[i]);
	/* Those of REDIRECTS take what memory there is. */
	for (unsigned i = 0; type->traits & HASHED && !(type->traits & REDIRECTS) && i < 2; i++)
		row_case(type, &(const struct create_row[]){
				       {"ENTRIES=0x8000001", {{ENTRIES, 0x8000001}}, 0, 0},
				       {"ENTRIES=0xffffffff", {{ENTRIES, 0xffffffff}}, 0, 0}}[i]);
	name_case(type);
	flag_cases(type);
	size_cases(type);
}
