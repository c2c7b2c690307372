/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_btf_info.c: func_info and line_info of PROG_LOAD: what is accepted, and the errno and the
 * first words of the log for what is not, as Linux 6.18 answers.
 */
#include "run.h"

#include "../maps/btf_cases.h"

#define LOG_ROOM 65536

static int btf_fd, map_fd;

/* Linkage BTF_FUNC_GLOBAL. */
#define GLOBAL(name, type) name, INFO(FUNC, 1, 0), type

/* Types: what functions may return, a prototype for each, a function for each. */
/* clang-format off */
enum {
	ID_INT = 1, ID_PTR, ID_STRUCT, ID_BIG, ID_ENUM, ID_FLOAT, ID_TYPEDEF, ID_ENUM64,
	P_INT, P_VOID, P_PTR, P_STRUCT, P_BIG, P_ENUM, P_FLOAT, P_TYPEDEF, P_ENUM64,
	F_INT, F_VOID, F_PTR, F_STRUCT, F_BIG, F_ENUM, F_FLOAT, F_TYPEDEF, F_ENUM64,
	G_INT, G_VOID, G_PTR,
};
static const uint32_t types[] = {
	T_INT, PTR(0), STRUCT(N(s), 0, 4), INT(N(b), 16, 128), ENUM(N(e), 0, 4), FLOAT(N(f), 4),
	TYPEDEF(N(t), ID_INT), ENUM64(N(q), 0, 8),
	PROTO(ID_INT, 0), PROTO(0, 0), PROTO(ID_PTR, 0), PROTO(ID_STRUCT, 0), PROTO(ID_BIG, 0),
	PROTO(ID_ENUM, 0), PROTO(ID_FLOAT, 0), PROTO(ID_TYPEDEF, 0), PROTO(ID_ENUM64, 0),
	FUNC(N(a), P_INT), FUNC(N(b), P_VOID), FUNC(N(c), P_PTR), FUNC(N(d), P_STRUCT),
	FUNC(N(e), P_BIG), FUNC(N(f), P_ENUM), FUNC(N(h), P_FLOAT), FUNC(N(l), P_TYPEDEF),
	FUNC(N(m), P_ENUM64),
	GLOBAL(N(a), P_INT), GLOBAL(N(b), P_VOID), GLOBAL(N(c), P_PTR),
};
/* clang-format on */

/* Programs */
static const struct bpf_insn one[] = {MOV_K(R0, 0), EXIT, {0}};
static const struct bpf_insn two[] = {CALL_LOCAL(1), EXIT, MOV_K(R0, 0), EXIT, {0}};
static const struct bpf_insn three[] = {CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, MOV_K(R0, 0),
					EXIT,          {0}};
static const struct bpf_insn wide[] = {RAW(0x18, R1, 0, 0, 5), {0}, MOV_K(R0, 0), EXIT, {0}};
static const struct bpf_insn broken[] = {EXIT, {0}};
static const struct bpf_insn ld_abs[] = {CALL_LOCAL(1), EXIT, MOV_X(R6, R1),
					 LDABS(B, 0),   EXIT, {0}};
static const struct bpf_insn main_abs[] = {MOV_X(R6, R1), LDABS(B, 0), EXIT, {0}};
static struct bpf_insn tail_call[] = {CALL_LOCAL(1), EXIT,         RAW(0x18, R2, 1, 0, 0),
				      {0},           MOV_K(R3, 0), CALL(BPF_FUNC_tail_call),
				      MOV_K(R0, 0),  EXIT,         {0}};

struct records {
	uint32_t count; /* of words */
	const uint32_t *words;
};
#define FUNCS(...)                                                              \
	{                                                                       \
		sizeof((const uint32_t[]){__VA_ARGS__}) / 4, (const uint32_t[]) \
		{                                                               \
			__VA_ARGS__                                             \
		}                                                               \
	}
#define LINES FUNCS
#define LINE(off) off, N(a), N(foo), 1 << 10
#define NONE            \
	{               \
		0, NULL \
	}

static const struct info_case {
	const char *name;
	const struct bpf_insn *prog;
	struct records funcs; /* insn_off, type_id */
	struct records lines; /* insn_off, file_name_off, line_off, line_col */
	int error;
	const char *text; /* the log begins so */
} cases[] = {
	{"nothing", one, NONE, NONE, 0, NULL},
	{"one function", one, FUNCS(0, F_INT), NONE, 0, NULL},
	{"two functions", two, FUNCS(0, F_INT, 2, F_INT), NONE, 0, NULL},
	{"global sub", two, FUNCS(0, F_INT, 2, G_INT), NONE, 0, NULL},
	{"global sub returns nothing", two, FUNCS(0, F_INT, 2, G_VOID), NONE, EINVAL, NULL},
	{"global sub returns a pointer", two, FUNCS(0, F_INT, 2, G_PTR), NONE, EINVAL, NULL},
	{"sub returns nothing", two, FUNCS(0, F_INT, 2, F_VOID), NONE, 0, NULL},
	{"global main returns nothing", one, FUNCS(0, G_VOID), NONE, 0, NULL},
	{"main returns nothing", one, FUNCS(0, F_VOID), NONE, 0, NULL},
	{"main returns a struct", one, FUNCS(0, F_STRUCT), NONE, 0, NULL},
	{"sub returns a struct", two, FUNCS(0, F_INT, 2, F_STRUCT), NONE, 0, NULL},
	{"sub not described", two, FUNCS(0, F_INT), NONE, EINVAL,
	 "number of funcs in func_info doesn't match number of subprogs\n"},
	{"more than there are", one, FUNCS(0, F_INT, 1, F_INT), NONE, EINVAL,
	 "number of funcs in func_info doesn't match number of subprogs\n"},
	{"first not at 0", one, FUNCS(1, F_INT), NONE, EINVAL,
	 "nonzero insn_off 1 for the first func info record"},
	{"twice the same", two, FUNCS(0, F_INT, 0, F_INT), NONE, EINVAL,
	 "same or smaller insn offset (0) than previous func info record (0)"},
	{"descending", three, FUNCS(0, F_INT, 4, F_INT, 2, F_INT), NONE, EINVAL,
	 "same or smaller insn offset (2) than previous func info record (4)"},
	{"not where a sub is", two, FUNCS(0, F_INT, 3, F_INT), NONE, EINVAL,
	 "func_info BTF section doesn't match subprog layout in BPF program\n"},
	{"beyond the program", two, FUNCS(0, F_INT, 300, F_INT), NONE, EINVAL,
	 "func_info BTF section doesn't match subprog layout in BPF program\n"},
	{"void", one, FUNCS(0, 0), NONE, EINVAL, "invalid type id 0 in func info"},
	{"an int", one, FUNCS(0, ID_INT), NONE, EINVAL, "invalid type id 1 in func info"},
	{"a prototype", one, FUNCS(0, P_INT), NONE, EINVAL, "invalid type id 9 in func info"},
	{"no type", one, FUNCS(0, 999), NONE, EINVAL, "invalid type id 999 in func info"},
	{"a huge type", one, FUNCS(0, 0xffffffff), NONE, EINVAL, "invalid type id -1 in func info"},
	{"before the program itself", broken, FUNCS(1, F_INT), NONE, EINVAL,
	 "nonzero insn_off 1 for the first func info record"},

	{"LD_ABS, int", ld_abs, FUNCS(0, F_INT, 2, F_INT), NONE, 0, NULL},
	{"LD_ABS, enum", ld_abs, FUNCS(0, F_INT, 2, F_ENUM), NONE, 0, NULL},
	{"LD_ABS, enum64", ld_abs, FUNCS(0, F_INT, 2, F_ENUM64), NONE, 0, NULL},
	{"LD_ABS, typedef", ld_abs, FUNCS(0, F_INT, 2, F_TYPEDEF), NONE, 0, NULL},
	{"LD_ABS, void", ld_abs, FUNCS(0, F_INT, 2, F_VOID), NONE, EINVAL,
	 "LD_ABS is only allowed in functions that return 'int'.\n"},
	{"LD_ABS, pointer", ld_abs, FUNCS(0, F_INT, 2, F_PTR), NONE, EINVAL,
	 "LD_ABS is only allowed in functions that return 'int'.\n"},
	{"LD_ABS, struct", ld_abs, FUNCS(0, F_INT, 2, F_STRUCT), NONE, EINVAL,
	 "LD_ABS is only allowed in functions that return 'int'.\n"},
	{"LD_ABS, 128 bits", ld_abs, FUNCS(0, F_INT, 2, F_BIG), NONE, EINVAL,
	 "LD_ABS is only allowed in functions that return 'int'.\n"},
	{"LD_ABS, float", ld_abs, FUNCS(0, F_INT, 2, F_FLOAT), NONE, EINVAL,
	 "LD_ABS is only allowed in functions that return 'int'.\n"},
	{"LD_ABS, undescribed", ld_abs, NONE, NONE, EINVAL,
	 "LD_ABS is not allowed in subprogs without BTF\n"},
	{"LD_ABS, only lines", ld_abs, NONE, LINES(LINE(0), LINE(2)), EINVAL,
	 "LD_ABS is not allowed in subprogs without BTF\n"},
	{"LD_ABS in main, void", main_abs, FUNCS(0, F_VOID), NONE, 0, NULL},
	{"tail call, void", tail_call, FUNCS(0, F_INT, 2, F_VOID), NONE, EINVAL,
	 "tail_call is only allowed in functions that return 'int'.\n"},
	{"tail call, undescribed", tail_call, NONE, NONE, EINVAL,
	 "tail_call is not allowed in subprogs without BTF\n"},

	{"one line", one, NONE, LINES(LINE(0)), 0, NULL},
	{"two lines", one, FUNCS(0, F_INT), LINES(LINE(0), LINE(1)), 0, NULL},
	{"lines of two functions", two, NONE, LINES(LINE(0), LINE(2)), 0, NULL},
	{"no names", one, NONE, LINES(0, 0, 0, 0xffffffff), 0, NULL},
	{"first line late", one, NONE, LINES(LINE(1)), EINVAL,
	 "missing bpf_line_info for func#0\n"},
	{"line of the sub late", two, NONE, LINES(LINE(0), LINE(3)), EINVAL,
	 "missing bpf_line_info for func#1\n"},
	{"no line of the sub", two, NONE, LINES(LINE(0)), EINVAL,
	 "missing bpf_line_info for 1 funcs starting from func#1\n"},
	{"no line of two subs", three, NONE, LINES(LINE(0), LINE(1)), EINVAL,
	 "missing bpf_line_info for 2 funcs starting from func#1\n"},
	{"last sub late", three, NONE, LINES(LINE(0), LINE(2), LINE(5)), EINVAL,
	 "missing bpf_line_info for func#2\n"},
	{"same line twice", one, NONE, LINES(LINE(0), LINE(0)), EINVAL,
	 "Invalid line_info[1].insn_off:0 (prev_offset:0 prog->len:2)\n"},
	{"beyond the end", one, NONE, LINES(LINE(0), LINE(2)), EINVAL,
	 "Invalid line_info[1].insn_off:2 (prev_offset:0 prog->len:2)\n"},
	{"second half", wide, NONE, LINES(LINE(0), LINE(1)), EINVAL,
	 "Invalid insn code at line_info[1].insn_off\n"},
	{"behind it", wide, NONE, LINES(LINE(0), LINE(2)), 0, NULL},
	{"file name beyond", one, NONE, LINES(0, N_BAD, N(a), 0), EINVAL,
	 "Invalid line_info[0].line_off or .file_name_off\n"},
	{"line beyond", one, NONE, LINES(0, N(a), N_BAD, 0), EINVAL,
	 "Invalid line_info[0].line_off or .file_name_off\n"},
	{"line just beyond", one, NONE, LINES(0, N(a), sizeof(names), 0), EINVAL,
	 "Invalid line_info[0].line_off or .file_name_off\n"},
	{"at the last byte", one, NONE, LINES(0, N(a), sizeof(names) - 1, 0), 0, NULL},
	{"functions before lines", one, FUNCS(1, F_INT), LINES(LINE(1)), EINVAL,
	 "nonzero insn_off 1 for the first func info record"},
};

static char log_text[LOG_ROOM];

/* Loads prog with records as wide as said; words not given are zero. */
struct loading {
	const struct bpf_insn *prog;
	int btf_fd;
	uint64_t funcs, lines;
	uint32_t nr_funcs, func_size, nr_lines, line_size;
};

static long load(const struct loading *l)
{
	union test_attr t = {.a = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				   .insns = ptr64(l->prog),
				   .insn_cnt = insn_count(l->prog),
				   .license = ptr64("GPL"),
				   .log_level = 1,
				   .log_buf = ptr64(log_text),
				   .log_size = sizeof(log_text),
				   .prog_btf_fd = (uint32_t)l->btf_fd,
				   .func_info = l->funcs,
				   .func_info_cnt = l->nr_funcs,
				   .func_info_rec_size = l->func_size,
				   .line_info = l->lines,
				   .line_info_cnt = l->nr_lines,
				   .line_info_rec_size = l->line_size}};
	long ret;

	log_text[0] = '\0';
	ret = bpf_sys(BPF_PROG_LOAD, &t, sizeof(t.a));
	if (ret >= 0)
		close((int)ret);
	return ret < 0 ? ret : 0;
}

static struct loading loading_of(const struct info_case *c)
{
	return (struct loading){.prog = c->prog,
				.btf_fd = btf_fd,
				.funcs = ptr64(c->funcs.words),
				.lines = ptr64(c->lines.words),
				.nr_funcs = c->funcs.count / 2,
				.nr_lines = c->lines.count / 4,
				.func_size = c->funcs.count ? 8 : 0,
				.line_size = c->lines.count ? 16 : 0};
}

static void test_cases(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct loading l = loading_of(&cases[i]);
		long ret = load(&l);

		if (ret == -cases[i].error &&
		    (!cases[i].text || !strncmp(log_text, cases[i].text, strlen(cases[i].text))))
			continue;
		print_error("%s: %ld \"%s\"\n", cases[i].name, ret, log_text);
		bad++;
	}
	assert_int_equal(bad, 0);
}

/* Records of other sizes: longer ones are fine while what is behind the known part is zero. */
static void test_record_sizes(void **state)
{
	static const uint32_t sizes[] = {0,  1,  4,  7,  8,   9,   12,  15,  16,      17,
					 20, 24, 64, 96, 252, 253, 254, 256, 0x10000, 0xffffffff};
	uint32_t room[256] = {0};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t size = sizes[i];
		int ok = size % 4 == 0 && size <= 252;
		struct loading l = {one, btf_fd, ptr64(room), 0, 1, size, 0, 0};

		room[1] = F_INT;
		assert_int_equal(load(&l), ok && size >= 8 ? 0 : -EINVAL);
		snprintf(text, sizeof(text), "invalid func info rec size %u\n", size);
		if (!ok || size < 8)
			assert_memory_equal(log_text, text, strlen(text));
		l = (struct loading){one, btf_fd, 0, ptr64(room), 0, 0, 1, size};
		assert_int_equal(load(&l), ok && size >= 16 ? 0 : -EINVAL);
	}
}

static void test_reason_for_global(void **state)
{
	static const uint32_t funcs[] = {0, F_INT, 2, G_VOID};
	struct loading l = {two, btf_fd, ptr64(funcs), 0, 2, 8, 0, 0};

	(void)state;
	assert_int_equal(load(&l), -EINVAL);
	assert_non_null(strstr(log_text,
			       "Global function b() doesn't return scalar. Only those are supported.\n"
			       "Caller passes invalid args into func#1 ('b')\n"));
}

/* Nine functions, each calling the next; global ones are not counted along with their callers. */
static void test_depth(void **state)
{
	struct bpf_insn chain[] = {CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT,
				   CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT,
				   CALL_LOCAL(1), EXIT, CALL_LOCAL(1), EXIT, MOV_K(R0, 0),  EXIT, {0}};
	uint32_t funcs[18];
	struct loading l = {chain, btf_fd, ptr64(funcs), 0, 9, 8, 0, 0};

	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		funcs[2 * i] = 2 * i;
		funcs[2 * i + 1] = F_INT;
	}
	assert_int_equal(load(&l), -E2BIG);
	assert_non_null(strstr(log_text, "the call stack of 9 frames is too deep\n"));
	funcs[2 * 5 + 1] = G_INT;
	assert_int_equal(load(&l), -E2BIG);
	assert_non_null(strstr(log_text, "the call stack of 8 frames is too deep !\n"));
}

static void test_record_tails(void **state)
{
	static const char func_text[] = "nonzero tailing record in func info";
	static const char line_text[] = "nonzero tailing record in line_info";
	uint32_t funcs[] = {0, F_INT, 0, 2, F_INT, 0}, lines[] = {LINE(0), 0, LINE(2), 0};
	struct loading f = {two, btf_fd, ptr64(funcs), 0, 2, 12, 0, 0};
	struct loading l = {two, btf_fd, 0, ptr64(lines), 0, 0, 2, 20};

	(void)state;
	assert_int_equal(load(&f), 0);
	funcs[5] = 1 << 24;
	assert_int_equal(load(&f), -E2BIG);
	assert_memory_equal(log_text, func_text, strlen(func_text));
	assert_int_equal(load(&l), 0);
	lines[9] = 1;
	assert_int_equal(load(&l), -E2BIG);
	assert_memory_equal(log_text, line_text, strlen(line_text));
}

static void test_counts_and_pointers(void **state)
{
	static const uint32_t funcs[] = {0, F_INT}, lines[] = {LINE(0)};
	struct loading f = {one, btf_fd, ptr64(funcs), 0, 1, 8, 0, 0};
	struct loading l = {one, btf_fd, 0, ptr64(lines), 0, 0, 1, 16};

	(void)state;
	f.nr_funcs = 0x7fffffff;
	assert_int_equal(load(&f), -ENOMEM);
	l.nr_lines = 0x8000000;
	assert_int_equal(load(&l), -EINVAL);
	l.nr_lines = 0xffffffff;
	assert_int_equal(load(&l), -EINVAL);
	f.nr_funcs = l.nr_lines = 1;
	f.funcs = l.lines = 8;
	assert_int_equal(load(&f), -EFAULT);
	assert_int_equal(load(&l), -EFAULT);
	f.funcs = l.lines = 0;
	assert_int_equal(load(&f), -EFAULT);
	assert_int_equal(load(&l), -EFAULT);
}

/* The descriptor is looked at only when there are records. */
static void test_btf_descriptor(void **state)
{
	static const uint32_t funcs[] = {0, F_INT};
	struct loading with = {one, 9999, ptr64(funcs), 0, 1, 8, 0, 0};
	struct loading without = {one, 9999, 0, 0, 0, 0, 0, 0};

	(void)state;
	assert_int_equal(load(&with), -EBADF);
	assert_int_equal(load(&without), 0);
	with.btf_fd = map_fd;
	assert_int_equal(load(&with), -EINVAL);
	/* Sizes and pointers without a count mean nothing. */
	without = (struct loading){one, btf_fd, 8, 8, 0, 7, 0, 7};
	assert_int_equal(load(&without), 0);
}

static int load_types(void)
{
	struct {
		struct btf_header {
			uint16_t magic;
			uint8_t version, flags;
			uint32_t hdr_len, type_off, type_len, str_off, str_len;
		} header;
		uint32_t types[sizeof(types) / 4];
		struct names names;
	} data = {
		.header = {.magic = 0xeb9f,
			   .version = 1,
			   .hdr_len = sizeof(data.header),
			   .type_len = sizeof(types),
			   .str_off = sizeof(types),
			   .str_len = sizeof(names)},
		.names = names,
	};
	union test_attr t = {
		.a = {.btf = ptr64(&data),
		      .btf_size = (uint32_t)(sizeof(data.header) + sizeof(types) + sizeof(names))}};

	memcpy(data.types, types, sizeof(types));
	return (int)bpf_sys(BPF_BTF_LOAD, &t, 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),          cmocka_unit_test(test_record_sizes),
		cmocka_unit_test(test_record_tails),   cmocka_unit_test(test_counts_and_pointers),
		cmocka_unit_test(test_btf_descriptor), cmocka_unit_test(test_reason_for_global),
		cmocka_unit_test(test_depth),
	};

	require_bpf();
	btf_fd = load_types();
	map_fd = map_create(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0);
	if (map_fd < 0)
		map_fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
	tail_call[2].imm = map_fd;
	if (btf_fd < 0)
		return 1;
	return run_tests(tests);
}
