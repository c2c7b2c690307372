/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * cases_program.c: cases from programs: which helper may be called with which map by which program
 * type, and what the helpers do to maps in every state.
 */
#include "conformance.h"

static const struct {
	const char *name;
	unsigned id;
} helpers[] = {
	{"map_lookup_elem", BPF_FUNC_map_lookup_elem},
	{"map_update_elem", BPF_FUNC_map_update_elem},
	{"map_delete_elem", BPF_FUNC_map_delete_elem},
	{"map_push_elem", BPF_FUNC_map_push_elem},
	{"map_pop_elem", BPF_FUNC_map_pop_elem},
	{"map_peek_elem", BPF_FUNC_map_peek_elem},
	{"map_lookup_percpu_elem", BPF_FUNC_map_lookup_percpu_elem},
	{"redirect_map", BPF_FUNC_redirect_map},
	{"perf_event_read", BPF_FUNC_perf_event_read},
	{"tail_call", BPF_FUNC_tail_call},
	{"ringbuf_output", BPF_FUNC_ringbuf_output},
	{"ringbuf_query", BPF_FUNC_ringbuf_query},
	{"get_local_storage", BPF_FUNC_get_local_storage},
};

static const struct {
	const char *name;
	unsigned id;
} prog_types[] = {{"socket_filter", BPF_PROG_TYPE_SOCKET_FILTER},
		  {"sched_cls", BPF_PROG_TYPE_SCHED_CLS},
		  {"xdp", BPF_PROG_TYPE_XDP},
		  {"syscall", BPF_PROG_TYPE_SYSCALL},
		  {"kprobe", BPF_PROG_TYPE_KPROBE},
		  {"tracepoint", BPF_PROG_TYPE_TRACEPOINT},
		  {"raw_tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT}};

/* Words of the kernel's refusal that do not depend on following values. */
static const char *refusal(char *log)
{
	static const char *const known[] = {"cannot pass map_type",
					    "program of this type cannot use helper",
					    "write into map forbidden", "read from map forbidden"};

	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		for (unsigned i = 0; i < LENGTH(known); i++)
			if (!strncmp(line, known[i], strlen(known[i])))
				return line;
	return "";
}

static void matrix_case(const struct type *type, unsigned prog, unsigned helper, int fd,
			const char *map)
{
	const unsigned id = helpers[helper].id;
	const int at = id == BPF_FUNC_tail_call ? R2 : R1;
	const struct bpf_insn insns[] = {MOV_X(R6, R1),
					 MOV_K(R7, 0),
					 ST_X(DW, R10, -8, R7),
					 ST_X(DW, R10, -16, R7),
					 MOV_X(R2, R10),
					 ALU64_K(ADD, R2, -8),
					 MOV_X(R3, R10),
					 ALU64_K(ADD, R3, -16),
					 MOV_K(R4, 0),
					 MOV_K(R5, 0),
					 LD64_RAW(at, BPF_PSEUDO_MAP_FD, fd, 0),
					 CALL((int)id),
					 MOV_K(R0, 0),
					 EXIT};
	/* These take numbers where others take pointers. */
	const struct bpf_insn numbers[] = {
		MOV_X(R6, R1), MOV_K(R2, 0), MOV_K(R3, 0),
		MOV_K(R4, 0),  MOV_K(R5, 0), LD64_RAW(at, BPF_PSEUDO_MAP_FD, fd, 0),
		CALL((int)id), MOV_K(R0, 0), EXIT};
	const bool plain = id == BPF_FUNC_map_lookup_percpu_elem || id == BPF_FUNC_map_push_elem;
	const bool of_numbers = id == BPF_FUNC_redirect_map || id == BPF_FUNC_perf_event_read ||
				id == BPF_FUNC_ringbuf_query || id == BPF_FUNC_get_local_storage;
	struct bpf_insn program[LENGTH(insns)];
	static char log[65536];
	union test_attr t = {.a = {.prog_type = prog_types[prog].id,
				   .insns = ptr64(of_numbers ? numbers : program),
				   .insn_cnt = of_numbers ? LENGTH(numbers) : LENGTH(insns),
				   .license = ptr64("GPL"),
				   .log_buf = ptr64(log),
				   .log_size = sizeof(log),
				   .log_level = 1}};
	char name[96];
	int loaded;

	memcpy(program, insns, sizeof(insns));
	if (plain) /* R3: flags, a CPU */
		program[6] = program[7] = (struct bpf_insn)MOV_K(R3, 0);
	if (id == BPF_FUNC_tail_call)
		program[9] = (struct bpf_insn)MOV_X(R1, R6);
	if (id == BPF_FUNC_ringbuf_output)
		program[6] = program[7] = (struct bpf_insn)MOV_K(R3, 8);
	if (prog_types[prog].id == BPF_PROG_TYPE_SYSCALL)
		t.a.prog_flags = BPF_F_SLEEPABLE;
	log[0] = '\0';
	loaded = program_load_attr(&t);
	snprintf(name, sizeof(name), "%s %s%s", prog_types[prog].name, helpers[helper].name, map);
	answer(type, "PROG_LOAD", name, "%s %s", result_name(loaded < 0 ? loaded : 0),
	       loaded < 0 ? refusal(log) : "");
	if (loaded >= 0)
		close(loaded);
}

static void matrix_cases(const struct type *type)
{
	static const struct {
		const char *name;
		unsigned flags;
	} maps[] = {
		{"", 0}, {" rdonly_prog", BPF_F_RDONLY_PROG}, {" wronly_prog", BPF_F_WRONLY_PROG}};

	for (unsigned h = 0; h < LENGTH(helpers); h++)
		for (unsigned m = 0; m < LENGTH(maps); m++) {
			int fd = create_small(type, maps[m].flags);

			for (unsigned p = 0; fd >= 0 && p < LENGTH(prog_types); p++)
				matrix_case(type, p, h, fd, maps[m].name);
			if (fd >= 0)
				close(fd);
		}
}

/* Results of helpers */

static const char *const op_names[NR_PROGRAM_OPS] = {
	"lookup", "update", "delete", "store",     "atomic", "for_each", "lookup_percpu",
	"push",   "pop",    "peek",   "spin_lock", "inner",  "redirect"};

static void helper_case(const struct target *target, unsigned op, uint32_t filled, uint32_t key,
			uint32_t argument, uint64_t flags)
{
	int fd = create_small(target->type, 0), prog = program_load(target, fd);
	struct request r = {.ethernet = {[12] = 0x88, 0xb5},
			    .op = op,
			    .argument = argument,
			    .flags = flags,
			    .inner_key = 1};
	char name[96];
	int err;

	fill_small(target->type, fd, filled);
	small_key(target->type, key, r.key);
	memset(r.value, 0x55, sizeof(r.value));
	err = prog < 0 ? prog : program_run(target, prog, &r);
	snprintf(name, sizeof(name), "%s of %u %s key=%x argument=%x flags=%llx",
		 target->prog_type == BPF_PROG_TYPE_XDP ? "xdp" : "syscall", filled, op_names[op],
		 key, argument, (unsigned long long)flags);
	/* The sum over an order that is open, of a walk that is stopped, is no answer. */
	if (op == DO_EACH && argument < SMALL_ENTRIES)
		memset(r.out, 0, sizeof(r.out));
	answer(target->type, "PROG_TEST_RUN", name, "%s %s %s", result_name(err),
	       result_name(r.result), bytes_text(r.out, 16));
	close(prog);
	close(fd);
}

static void helper_cases(const struct type *type, unsigned prog_type)
{
	static const uint64_t flags[] = {0, 1, 2, 3, 4, 8, 1ull << 32, 1ull << 63};
	static const uint32_t filled[] = {0, 2, SMALL_ENTRIES};
	static const uint32_t keys[] = {1, SMALL_ENTRIES, 0xffffffff};
	const struct target target = {.type = type,
				      .key_size = small_key_size(type),
				      .value_size = small_value_size(type),
				      .inner = &types[0],
				      .prog_type = prog_type,
				      .direct = prog_type != BPF_PROG_TYPE_SYSCALL};
	const unsigned ops = program_ops(&target);

	for (unsigned op = 0; op < NR_PROGRAM_OPS; op++)
		for (unsigned f = 0; ops & 1u << op && f < LENGTH(filled); f++)
			for (unsigned k = 0; k < (type->traits & KEYLESS ? 1 : LENGTH(keys)); k++) {
				const bool has_flags = op == DO_UPDATE || op == DO_PUSH ||
						       op == DO_EACH || op == DO_REDIRECT;
				const bool has_argument = op == DO_ATOMIC || op == DO_PERCPU ||
							  op == DO_INNER || op == DO_EACH;

				for (unsigned i = 0; i < (has_flags ? LENGTH(flags) : 1); i++)
					helper_case(&target, op, filled[f], keys[k],
						    op == DO_EACH ? ~0u : 0, flags[i]);
				for (uint32_t i = 1; has_argument && i < 11; i++)
					helper_case(&target, op, filled[f], keys[k], i, 0);
			}
}

/*
 * What the system call sees behind a value of five bytes that a program wrote: into a new element,
 * into one whose memory another one had, over a present one.
 */
static void padding_case(const struct type *type, const char *what, bool first, bool gone)
{
	const struct target target = {
		.type = type, .key_size = 4, .value_size = 5, .prog_type = BPF_PROG_TYPE_SYSCALL};
	struct request r = {.op = DO_UPDATE};
	uint8_t value[MAX_CPUS * 8];
	int fd = map_create(type->id, 4, 5, 1, 0), prog = program_load(&target, fd);

	memset(r.value, 0x55, sizeof(r.value));
	memset(value, 0xaa, sizeof(value));
	if (first)
		map_update(fd, r.key, value, BPF_ANY);
	if (gone)
		map_delete(fd, r.key);
	program_run(&target, prog, &r);
	map_lookup(fd, r.key, value);
	answer(type, "LOOKUP_ELEM", what, "%s", bytes_text(value, 16));
	close(prog);
	close(fd);
}

static void padding_cases(const struct type *type)
{
	padding_case(type, "padding, new", false, false);
	padding_case(type, "padding, used before", true, true);
	padding_case(type, "padding, present", true, false);
}

void program_cases(const struct type *type)
{
	matrix_cases(type);
	if (!(type->traits &
	      (PREFIXES | FILTER | NAMES))) /* which sleepable programs may not use */
		helper_cases(type, BPF_PROG_TYPE_SYSCALL);
	helper_cases(type, BPF_PROG_TYPE_XDP);
	if (type->traits & PER_CPU && !(type->traits & ATTACHED))
		padding_cases(type);
}
