/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_btf_load.c: BTF_LOAD and the objects it makes, as Linux 6.18 answers. Types that are
 * refused or accepted by themselves are in btf_cases.h.
 */
#include "bpf_test.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <sys/mman.h>

#include "btf_cases.h"

#define LOG_ROOM 65536
#define STRINGS sizeof(struct names)

static char log_text[LOG_ROOM];

/* The part of the attribute that BTF_LOAD knows; the headers of 6.1 end before true_size. */
struct load_attr {
	uint64_t btf, log_buf;
	uint32_t size, log_size, log_level, true_size, flags;
	int32_t token_fd;
};

static long btf_load(const void *data, uint32_t size, uint32_t level)
{
	struct load_attr attr = {.btf = ptr64(data), .size = size, .log_level = level};

	log_text[0] = '\0';
	if (level) {
		attr.log_buf = ptr64(log_text);
		attr.log_size = sizeof(log_text);
	}
	return bpf_sys(BPF_BTF_LOAD, &attr, sizeof(attr));
}

/* Raw BTF of a type section and a string section. */
static uint32_t put_btf(uint8_t *data, const void *types, uint32_t types_size, const void *strings,
			uint32_t strings_size)
{
	struct btf_header header = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.type_len = types_size,
		.str_off = types_size,
		.str_len = strings_size,
	};

	memcpy(data, &header, sizeof(header));
	memcpy(data + sizeof(header), types, types_size);
	memcpy(data + sizeof(header) + types_size, strings, strings_size);
	return (uint32_t)sizeof(header) + types_size + strings_size;
}

static const char *last_line(char *text)
{
	size_t len = strlen(text);
	char *line;

	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	return line + strspn(line, "\t ");
}

/* Compares one answer; prints and counts instead of stopping, so that one run shows all. */
static int differs(const char *name, long got, int error, const char *line)
{
	const char *last = last_line(log_text);

	if (got >= 0)
		close((int)got);
	if ((got < 0 ? got : 0) == -error && (!line || !strcmp(last, line)))
		return 0;
	print_error("%s: %ld (expected %d), \"%s\" (expected \"%s\")\n", name, got, -error, last,
		    line ? line : "");
	return 1;
}

static void test_types(void **state)
{
	uint8_t data[8192];
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < BTF_CASES; i++) {
		const struct btf_case *c = &btf_cases[i];
		uint32_t size = put_btf(data, c->types, c->size, &names, STRINGS);

		bad += differs(c->name, btf_load(data, size, 1), c->error, c->line);
		bad += differs(c->name, btf_load(data, size, 0), c->error, "");
	}
	assert_int_equal(bad, 0);
}

/* One word of the header replaced; the sections are an int and the names. */
static const struct header_case {
	const char *name;
	uint32_t word, value;
	int32_t grow; /* bytes more (zero) or less than there should be */
	int error;
	const char *line;
} header_cases[] = {
	{"unchanged", 0, 0x1eb9f, 0, 0, NULL},
	{"magic", 0, 0x11111, 0, EINVAL, "Invalid magic"},
	{"other byte order", 0, 0x19feb, 0, EINVAL, "Invalid magic"},
	{"version", 0, 0x2eb9f, 0, ENOTSUPP, "Unsupported version"},
	{"flags", 0, 0x101eb9f, 0, ENOTSUPP, "Unsupported flags"},
	{"header of 0 bytes", 1, 0, 0, EINVAL, "Invalid magic"},
	{"header of 4 bytes", 1, 4, 0, EINVAL, "Unsupported section found"},
	{"header without str_len", 1, 20, 0, EINVAL, "Unsupported section found"},
	{"longer header, not zero", 1, 28, 0, E2BIG, "Unsupported btf_header"},
	{"header beyond the data", 1, 0xffff, 0, EINVAL, "btf_header not found"},
	{"type_off odd", 2, 1, 0, EINVAL, "Unsupported section found"},
	{"type_len 0", 3, 0, 0, EINVAL, "Unsupported section found"},
	{"type_len short", 3, 12, 0, EINVAL, "Unsupported section found"},
	{"type_len long", 3, 20, 0, EINVAL, "Section overlap found"},
	{"str_off with a gap", 4, 20, 4, EINVAL, "Unsupported section found"},
	{"str_off overlaps", 4, 12, 0, EINVAL, "Section overlap found"},
	{"str_off far", 4, 0xfffffff0, 0, EINVAL, "Invalid section offset"},
	{"str_off equal", 4, 0, 0, EINVAL, "Section overlap found"},
	{"str_len 0", 5, 0, 0, EINVAL, "Unsupported section found"},
	{"str_len long", 5, STRINGS + 1, 0, EINVAL, "Total section length too long"},
	{"str_len short", 5, STRINGS - 1, 0, EINVAL, "Unsupported section found"},
	{"strings end without NUL", 5, STRINGS - 1, -1, EINVAL, "Invalid string section"},
	{"something behind", 0, 0x1eb9f, 4, EINVAL, "Unsupported section found"},
	{"cut", 0, 0x1eb9f, -4, EINVAL, "Total section length too long"},
};

static void test_header(void **state)
{
	const uint32_t types[] = {T_INT};
	uint8_t data[4096];
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(header_cases) / sizeof(header_cases[0]); i++) {
		const struct header_case *c = &header_cases[i];
		uint32_t size;

		memset(data, 0, sizeof(data));
		size = put_btf(data, types, sizeof(types), &names, STRINGS);
		memcpy(data + 4 * c->word, &c->value, 4);
		bad += differs(c->name, btf_load(data, size + (uint32_t)c->grow, 1), c->error,
			       c->line);
	}
	assert_int_equal(bad, 0);
}

static void test_short_data(void **state)
{
	const uint32_t types[] = {T_INT};
	uint8_t data[4096];
	int bad = 0;

	(void)state;
	put_btf(data, types, sizeof(types), &names, STRINGS);
	for (uint32_t size = 0; size <= sizeof(struct btf_header); size++) {
		const char *line = size < 8 ? "hdr_len not found" : "btf_header not found";

		if (size == sizeof(struct btf_header))
			line = "No data";
		bad += differs("short", btf_load(data, size, 1), EINVAL, line);
	}
	assert_int_equal(bad, 0);
}

/* A longer header whose tail is zero is fine, whatever that does to the alignment behind it. */
static void test_long_header(void **state)
{
	const uint32_t types[] = {T_INT, PTR(1), STRUCT(N(foo), 1, 8), N(a), 2, 0};
	uint8_t data[4096], longer[4200];
	uint32_t size = put_btf(data, types, sizeof(types), &names, STRINGS);

	(void)state;
	for (uint32_t more = 1; more <= 40; more++) {
		uint32_t len = (uint32_t)sizeof(struct btf_header) + more;
		long fd;

		memset(longer, 0, sizeof(longer));
		memcpy(longer, data, 24);
		memcpy(longer + 4, &len, 4);
		memcpy(longer + len, data + 24, size - 24);
		fd = btf_load(longer, size + more, 0);
		assert_true(fd >= 0);
		close((int)fd);
		longer[len - 1] = 1;
		assert_int_equal(btf_load(longer, size + more, 0), -E2BIG);
	}
}

/* count times "kind -> next id", then an int; or the int first and each refers to the one before.
 */
static long load_chain(uint32_t kind, uint32_t count, int forward)
{
	uint32_t *types = calloc(count + 2, 16), *at = types;
	uint8_t *data = malloc(count * 12 + 4096);
	const uint32_t last[] = {T_INT};
	uint32_t size;
	long ret;

	if (!forward) {
		memcpy(at, last, sizeof(last));
		at += 4;
	}
	for (uint32_t i = 1; i <= count; i++) {
		*at++ = 0;
		*at++ = INFO(kind, 0, 0);
		*at++ = forward ? i + 1 : i;
	}
	if (forward) {
		memcpy(at, last, sizeof(last));
		at += 4;
	}
	size = put_btf(data, types, (uint32_t)((char *)at - (char *)types), &names, STRINGS);
	ret = btf_load(data, size, 0);
	if (ret >= 0)
		close((int)ret);
	free(types);
	free(data);
	return ret < 0 ? ret : 0;
}

static void test_nesting(void **state)
{
	static const uint32_t kinds[] = {PTR, CONST, VOLATILE, RESTRICT};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_int_equal(load_chain(kinds[i], 31, 1), 0);
		assert_int_equal(load_chain(kinds[i], 32, 1), 0);
		assert_int_equal(load_chain(kinds[i], 33, 1), -E2BIG);
		assert_int_equal(load_chain(kinds[i], 1000, 1), -E2BIG);
		assert_int_equal(load_chain(kinds[i], 100000, 0), 0);
	}
}

/* The verdict on one type with these strings. */
static long load_one(const uint32_t *type, uint32_t size, const char *strings, uint32_t len)
{
	uint8_t data[8192];
	long ret = btf_load(data, put_btf(data, type, size, strings, len), 0);

	if (ret >= 0)
		close((int)ret);
	return ret < 0 ? ret : 0;
}

static void test_name_length(void **state)
{
	static const struct {
		uint32_t kind, size, length;
		int error;
	} cases[] = {
		{STRUCT, 4, 512, 0}, {STRUCT, 4, 513, EINVAL},  {DATASEC, 4, 512, 0},
		{FLOAT, 4, 4000, 0}, {DATASEC, 4, 513, EINVAL}, {FWD, 0, 513, EINVAL},
	};
	char strings[4096] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint32_t type[] = {1, INFO(cases[i].kind, 0, 0), cases[i].size};

		memset(strings + 1, 'x', cases[i].length);
		strings[1 + cases[i].length] = '\0';
		assert_int_equal(load_one(type, sizeof(type), strings, cases[i].length + 2),
				 -cases[i].error);
	}
}

/* Which bytes a name may have: an identifier, a section's name, an integer's name. */
static void test_name_bytes(void **state)
{
	static const uint32_t first[] = {STRUCT(1, 0, 4)}, later[] = {ENUM(3, 0, 4)};
	static const uint32_t section[] = {DATASEC(1, 0, 4)}, integer[] = {INT(1, 4, 32)};

	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		const char strings[] = {0, (char)c, 0, 'x', (char)c, 0};
		int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
			     c == '.' || (c >= 0xc0 && c != 0xd7 && c != 0xf7);
		int digit = c >= '0' && c <= '9', print = (c >= 32 && c < 127) || c >= 160;

		assert_int_equal(!load_one(first, sizeof(first), strings, 6), letter);
		assert_int_equal(!load_one(later, sizeof(later), strings, 6), letter || digit);
		assert_int_equal(!load_one(section, sizeof(section), strings, 6), print);
		assert_int_equal(!load_one(integer, sizeof(integer), strings, 6), 1);
	}
}

/* Attribute rules */

static const uint32_t good_types[] = {T_INT, STRUCT(N(foo), 1, 4), N(a), 1, 0};
static const uint32_t bad_types[] = {INT(N(int_), 0, 32)};
static uint8_t good[4096], bad[4096];
static uint32_t good_size, bad_size;

static void set_up(void)
{
	good_size = put_btf(good, good_types, sizeof(good_types), &names, STRINGS);
	bad_size = put_btf(bad, bad_types, sizeof(bad_types), &names, STRINGS);
}

static long load_attr(const struct load_attr *attr, unsigned size)
{
	long ret = bpf_sys(BPF_BTF_LOAD, attr, size);

	if (ret >= 0)
		close((int)ret);
	return ret < 0 ? ret : 0;
}

static struct load_attr good_attr(void)
{
	return (struct load_attr){.btf = ptr64(good), .size = good_size};
}

static void test_log_rules(void **state)
{
	static const struct {
		uint32_t level, size;
		int buffer, error;
	} cases[] = {
		{0, 0, 0, 0},          {1, 0, 0, 0},
		{0, 100, 1, EINVAL},   {1, 0, 1, EINVAL},
		{1, 100, 0, EINVAL},   {0, 0, 1, EINVAL},
		{0, 100, 0, EINVAL},   {16, 4096, 1, EINVAL},
		{17, 4096, 1, EINVAL}, {2, 4096, 1, 0},
		{4, 4096, 1, 0},       {8, 4096, 1, 0},
		{15, 4096, 1, 0},      {0x80000000, 4096, 1, EINVAL},
		{1, 0x3fffffff, 1, 0}, {1, 0x40000000, 1, EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct load_attr attr = good_attr();

		attr.true_size = 77;
		attr.log_level = cases[i].level;
		attr.log_size = cases[i].size;
		attr.log_buf = cases[i].buffer ? ptr64(log_text) : 0;
		assert_int_equal(load_attr(&attr, sizeof(attr)), -cases[i].error);
		if (cases[i].error)
			assert_int_equal(attr.true_size, 77);
		else
			assert_int_equal(attr.true_size != 0, cases[i].level != 0);
	}
}

/* A small buffer keeps the end of the log, with FIXED the beginning; the size is told. */
static void test_log_truncation(void **state)
{
	char full[4096], part[4096];

	(void)state;
	for (int use_bad = 0; use_bad < 2; use_bad++) {
		struct load_attr attr = {.btf = ptr64(use_bad ? bad : good),
					 .size = use_bad ? bad_size : good_size,
					 .log_level = 1,
					 .log_buf = ptr64(full),
					 .log_size = sizeof(full)};
		int verdict = use_bad ? -EINVAL : 0;
		uint32_t need;

		assert_int_equal(load_attr(&attr, sizeof(attr)), verdict);
		need = attr.true_size;
		assert_int_equal(need, strlen(full) + 1);
		attr.log_buf = ptr64(part);
		for (attr.log_size = 1; attr.log_size < need + 2; attr.log_size++) {
			uint32_t shown = attr.log_size < need ? attr.log_size - 1 : need - 1;

			for (attr.log_level = 1; attr.log_level <= 9; attr.log_level += 8) {
				const char *from =
					attr.log_level == 9 ? full : full + need - 1 - shown;

				memset(part, 'Z', sizeof(part));
				assert_int_equal(load_attr(&attr, sizeof(attr)),
						 attr.log_size < need ? -ENOSPC : verdict);
				assert_int_equal(attr.true_size, need);
				assert_memory_equal(part, from, shown);
				assert_int_equal(part[shown], 0);
				assert_int_equal(part[shown + 1], 'Z');
			}
		}
	}
}

static void test_log_faults(void **state)
{
	struct load_attr attr = good_attr();

	(void)state;
	attr.log_level = 1;
	attr.log_buf = 8;
	attr.log_size = 4096;
	assert_int_equal(load_attr(&attr, sizeof(attr)), -EFAULT);
	assert_true(attr.true_size > 100);
	attr.log_buf = ptr64(log_text);
	attr.btf = 8;
	log_text[0] = 'Z';
	assert_int_equal(load_attr(&attr, sizeof(attr)), -EFAULT);
	assert_int_equal(attr.true_size, 0);
	assert_int_equal(log_text[0], 'Z');
}

static void test_attr_rules(void **state)
{
	struct load_attr attr = good_attr();
	int pipes[2];

	(void)state;
	attr.size = 0;
	assert_int_equal(load_attr(&attr, sizeof(attr)), -EINVAL);
	attr.size = (16u << 20) + 1;
	assert_int_equal(load_attr(&attr, sizeof(attr)), -E2BIG);
	attr.log_size = 5; /* a fault that is found later */
	assert_int_equal(load_attr(&attr, sizeof(attr)), -E2BIG);
	attr.flags = 1;
	assert_int_equal(load_attr(&attr, sizeof(attr)), -EINVAL);
	attr = good_attr();
	attr.btf = 0;
	assert_int_equal(load_attr(&attr, sizeof(attr)), -EFAULT);
	attr = good_attr();
	attr.token_fd = 5; /* not looked at without its flag */
	assert_int_equal(load_attr(&attr, sizeof(attr)), 0);
	attr.flags = 1u << 16;
	attr.token_fd = -1;
	assert_int_equal(load_attr(&attr, sizeof(attr)), -EBADF);
	assert_int_equal(pipe(pipes), 0);
	attr.token_fd = pipes[0];
	assert_int_equal(load_attr(&attr, sizeof(attr)), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	for (uint32_t bit = 0; bit < 32; bit++) {
		attr = good_attr();
		attr.flags = 1u << bit;
		assert_int_equal(load_attr(&attr, sizeof(attr)), -EINVAL);
	}
}

static void test_attr_size(void **state)
{
	union test_attr long_attr = {0};
	struct load_attr attr = good_attr();

	(void)state;
	for (unsigned size = 0; size < 20; size += 4)
		assert_int_equal(load_attr(&attr, size), -EINVAL);
	attr.true_size = 77;
	assert_int_equal(load_attr(&attr, 20), 0);
	assert_int_equal(load_attr(&attr, 28), 0);
	assert_int_equal(attr.true_size, 77);
	assert_int_equal(load_attr(&attr, 32), 0);
	assert_int_equal(attr.true_size, 0);
	memcpy(&long_attr, &attr, sizeof(attr));
	assert_int_equal(load_attr((void *)&long_attr, sizeof(long_attr)), 0);
	long_attr.bytes[40] = 1;
	assert_int_equal(load_attr((void *)&long_attr, sizeof(long_attr)), -EINVAL);
	long_attr.bytes[40] = 0;
	long_attr.bytes[200] = 1;
	assert_int_equal(load_attr((void *)&long_attr, sizeof(long_attr)), -E2BIG);
}

/* A buffer that ends in the middle of the data, and one that cannot be read at all. */
static void test_data_faults(void **state)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct load_attr attr = good_attr();

	(void)state;
	assert_true(page != MAP_FAILED);
	assert_int_equal(mprotect(page + 4096, 4096, PROT_NONE), 0);
	memcpy(page + 4096 - good_size, good, good_size);
	attr.btf = ptr64(page + 4096 - good_size);
	assert_int_equal(load_attr(&attr, sizeof(attr)), 0);
	attr.size++;
	assert_int_equal(load_attr(&attr, sizeof(attr)), -EFAULT);
	munmap(page, 8192);
}

/* Objects */

static long get_info(int fd, void *info, uint32_t *len)
{
	union test_attr attr = {
		.a.info = {.bpf_fd = (uint32_t)fd, .info_len = *len, .info = ptr64(info)}};
	long ret = bpf_sys(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr.a));

	*len = attr.a.info.info_len;
	return ret;
}

static int load_good(void)
{
	long fd = btf_load(good, good_size, 0);

	assert_true(fd >= 0);
	return (int)fd;
}

static void test_info(void **state)
{
	uint8_t data[sizeof(good)];
	char name[8] = "ZZZZ";
	struct bpf_btf_info info = {.btf = ptr64(data),
				    .btf_size = sizeof(data),
				    .name = ptr64(name),
				    .name_len = 4,
				    .kernel_btf = 9,
				    .id = 9};
	uint32_t len = sizeof(info);
	int fd = load_good();

	(void)state;
	assert_int_equal(get_info(fd, &info, &len), 0);
	assert_int_equal(len, sizeof(info));
	assert_int_equal(info.btf_size, good_size);
	assert_memory_equal(data, good, good_size);
	assert_true(info.id > 0 && info.id != 9);
	assert_int_equal(info.kernel_btf, 0);
	assert_int_equal(info.name_len, 0);
	assert_string_equal(name, "");
	assert_int_equal(name[1], 'Z');

	memset(data, 'Z', sizeof(data));
	info.btf_size = 10;
	info.name = 0;
	assert_int_equal(get_info(fd, &info, &len), 0);
	assert_int_equal(info.btf_size, good_size);
	assert_memory_equal(data, good, 10);
	assert_int_equal(data[10], 'Z');
	close(fd);
}

static void test_info_rules(void **state)
{
	static const uint32_t lengths[] = {0, 4, 8, 12, 15, 16, 20, 31, 32};
	struct bpf_btf_info info[130] = {{0}};
	uint32_t len;
	int fd = load_good();

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		len = lengths[i];
		memset(info, 0, sizeof(info));
		assert_int_equal(get_info(fd, info, &len), 0);
		assert_int_equal(len, lengths[i]);
		assert_int_equal(info->id != 0, len > offsetof(struct bpf_btf_info, id));
	}
	memset(info, 0, sizeof(info));
	len = 4096;
	assert_int_equal(get_info(fd, info, &len), 0);
	assert_int_equal(len, 32);
	len = 4097;
	assert_int_equal(get_info(fd, info, &len), -E2BIG);
	assert_int_equal(len, 4097);
	((char *)info)[33] = 1;
	len = 40;
	assert_int_equal(get_info(fd, info, &len), -E2BIG);
	info[0] = (struct bpf_btf_info){.name_len = 3};
	len = 32;
	assert_int_equal(get_info(fd, info, &len), -EINVAL);
	info[0] = (struct bpf_btf_info){.name = 8, .name_len = 1};
	assert_int_equal(get_info(fd, info, &len), -EFAULT);
	info[0] = (struct bpf_btf_info){.btf = 8, .btf_size = 1};
	assert_int_equal(get_info(fd, info, &len), -EFAULT);
	info[0] = (struct bpf_btf_info){.btf = 8};
	assert_int_equal(get_info(fd, info, &len), 0);
	assert_int_equal(get_info(fd, NULL, &len), -EFAULT);
	close(fd);
}

static uint32_t id_of(int fd)
{
	struct bpf_btf_info info = {0};
	uint32_t len = sizeof(info);

	assert_int_equal(get_info(fd, &info, &len), 0);
	return info.id;
}

static long fd_by_id(uint32_t id, uint32_t flags, int token)
{
	union test_attr attr = {.a = {.btf_id = id, .open_flags = flags}};

	memcpy(&attr.bytes[12], &token, sizeof(token));
	return bpf_sys(BPF_BTF_GET_FD_BY_ID, &attr, sizeof(attr.a));
}

static long next_id(uint32_t start, uint32_t *next)
{
	union test_attr attr = {.a = {.start_id = start}};
	long ret = bpf_sys(BPF_BTF_GET_NEXT_ID, &attr, sizeof(attr.a));

	*next = attr.a.next_id;
	return ret;
}

static void test_ids(void **state)
{
	int first = load_good(), second = load_good(), again;
	uint32_t a = id_of(first), b = id_of(second), next;

	(void)state;
	assert_true(b > a);
	assert_int_equal(next_id(a - 1, &next), 0);
	assert_int_equal(next, a);
	assert_int_equal(next_id(a, &next), 0);
	assert_true(next > a && next <= b);
	assert_int_equal(next_id(0x7ffffffe, &next), -ENOENT);
	assert_int_equal(next_id(0x7fffffff, &next), -EINVAL);
	assert_int_equal(next_id(0xffffffff, &next), -EINVAL);

	again = (int)fd_by_id(a, 0, 0);
	assert_true(again >= 0);
	assert_int_equal(id_of(again), a);
	close(first);
	assert_int_equal(id_of(again), a);
	close(again);
	assert_int_equal(id_of(second), b);
	close(second);
}

static void test_id_rules(void **state)
{
	int fd = load_good();
	uint32_t id = id_of(fd);
	long other;

	(void)state;
	assert_int_equal(fd_by_id(0, 0, 0), -ENOENT);
	assert_int_equal(fd_by_id(0xffffffff, 0, 0), -ENOENT);
	assert_int_equal(fd_by_id(id, 1, 0), -EINVAL);
	assert_int_equal(fd_by_id(id, BPF_F_RDONLY, 0), -EINVAL);
	assert_int_equal(fd_by_id(id, 1u << 16, -1), -EBADF);
	assert_int_equal(fd_by_id(id, 1u << 16, fd), -EINVAL);
	other = fd_by_id(id, 0, 5);
	assert_true(other >= 0);
	close((int)other);
	close(fd);
}

/* The id goes when the last descriptor goes; the kernel may take a moment. */
static void test_id_goes(void **state)
{
	int fd = load_good();
	uint32_t id = id_of(fd);
	long ret = 0;

	(void)state;
	close(fd);
	for (int i = 0; i < 100 && ret != -ENOENT; i++) {
		ret = fd_by_id(id, 0, 0);
		if (ret >= 0)
			close((int)ret);
		usleep(10000);
	}
	assert_int_equal(ret, -ENOENT);
}

static void test_descriptor(void **state)
{
	char link[64], path[64];
	int fd = load_good();
	ssize_t len;
	union test_attr pin = {0};

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof(link) - 1);
	assert_true(len > 0);
	link[len] = '\0';
	assert_string_equal(link, "anon_inode:btf");
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	pin.a.pathname = ptr64("/sys/fs/bpf/no_btf_here");
	pin.a.bpf_fd = (uint32_t)fd;
	assert_int_equal(bpf_sys(BPF_OBJ_PIN, &pin, sizeof(pin.a)), -EINVAL);
	assert_int_equal(map_lookup(fd, link, link), -EINVAL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),          cmocka_unit_test(test_header),
		cmocka_unit_test(test_short_data),     cmocka_unit_test(test_long_header),
		cmocka_unit_test(test_nesting),        cmocka_unit_test(test_name_length),
		cmocka_unit_test(test_name_bytes),     cmocka_unit_test(test_log_rules),
		cmocka_unit_test(test_log_truncation), cmocka_unit_test(test_log_faults),
		cmocka_unit_test(test_attr_rules),     cmocka_unit_test(test_attr_size),
		cmocka_unit_test(test_data_faults),    cmocka_unit_test(test_info),
		cmocka_unit_test(test_info_rules),     cmocka_unit_test(test_ids),
		cmocka_unit_test(test_id_rules),       cmocka_unit_test(test_id_goes),
		cmocka_unit_test(test_descriptor),
	};

	require_bpf();
	set_up();
	return run_tests(tests);
}
