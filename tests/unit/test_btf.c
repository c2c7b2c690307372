/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_btf.c: parsing by itself: the questions that others ask of BTF, damaged files, and seeded
 * mutations of the cases of btf_cases.h. Where the kernel is new enough and may be asked, its
 * verdict and its log on every mutation must be the same.
 */
#include "bpf_test.h"

#include <linux/btf.h>
#include <sys/utsname.h>

#include "btf/btf.h"
#include "maps/btf_cases.h"

#define MUTATIONS 20000
#define BLOB_MAX 8192
#define LOG_ROOM 65536
#define STRINGS sizeof(struct names)

/* A log in memory. */
struct capture {
	struct text_sink sink;
	size_t len;
	char text[LOG_ROOM];
};

static void capture_write(struct text_sink *sink, const char *text, size_t len)
{
	struct capture *capture = (struct capture *)sink;

	len = MIN(len, sizeof(capture->text) - 1 - capture->len);
	memcpy(capture->text + capture->len, text, len);
	capture->len += len;
	capture->text[capture->len] = '\0';
}

static struct capture captured = {.sink = {capture_write}};

static uint32_t put_btf(uint8_t *data, const uint32_t *types, uint32_t size)
{
	struct btf_header header = {.magic = BTF_MAGIC,
				    .version = BTF_VERSION,
				    .hdr_len = sizeof(header),
				    .type_len = size,
				    .str_off = size,
				    .str_len = STRINGS};

	memcpy(data, &header, sizeof(header));
	memcpy(data + sizeof(header), types, size);
	memcpy(data + sizeof(header) + size, &names, STRINGS);
	return (uint32_t)(sizeof(header) + size + STRINGS);
}

/*
 * Parses a copy that ends where its memory ends, so that a sanitizer sees every byte read beyond.
 * *copy is to be freed after the BTF.
 */
static int parse(struct btf *btf, const uint8_t *data, uint32_t size, uint8_t **copy)
{
	uint32_t padding = btf_padding(data, size);

	captured.len = 0;
	captured.text[0] = '\0';
	*copy = malloc(padding + size);
	if (size)
		memcpy(*copy + padding, data, size);
	return btf_parse(btf, *copy + padding, size, &captured.sink);
}

/* Asks everything of every type, and of some that do not exist. */
static uint64_t ask_everything(const struct btf *btf)
{
	uint64_t sum = 0;

	for (uint32_t id = 0; id < btf->nr_types + 3; id++) {
		const struct btf_type *t = btf_type(btf, id);
		const char *name = t ? btf_name(btf, t->name_off) : NULL;

		sum += (uint64_t)btf_size(btf, id) + btf_is_int32(btf, id);
		sum += btf_resolve(btf, id) != NULL;
		sum += name ? strlen(name) : 0;
	}
	return sum;
}

static void test_questions(void **state)
{
	static const uint32_t types[] = {
		T_INT,            /* 1 */
		TYPEDEF(N(t), 1), /* 2 */
		CONST(2),         /* 3 */
		PTR(0),           /* 4 */
		ARRAY(3, 1, 5),   /* 5: 20 bytes */
		ARRAY(5, 1, 3),   /* 6: 60 bytes */
		STRUCT(N(s), 1, 24),
		N(a),
		5,
		0,               /* 7 */
		VAR(N(v), 3, 0), /* 8 */
		DATASEC(N(_data), 1, 4),
		8,
		0,
		4,                     /* 9 */
		FWD(N(f), 0),          /* 10 */
		PROTO(0, 0),           /* 11 */
		FUNC(N(foo), 11),      /* 12 */
		INT(N(c), 4, 31),      /* 13 */
		ENUM64(N(e), 0, 8),    /* 14 */
		TYPE_TAG(N(u), 7),     /* 15 */
		CONST(0),              /* 16 */
		ARRAY(6, 1, 0),        /* 17: empty */
		INT(N(o), 4, 0x80010), /* 18 */
	};
	static const int64_t sizes[] = {-EINVAL, 4,  4,       4,       8,       20,      60,
					24,      4,  4,       -EINVAL, -EINVAL, -EINVAL, 4,
					8,       24, -EINVAL, 0,       4,       -EINVAL, -EINVAL};
	static const uint32_t int32s = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 8;
	uint8_t data[BLOB_MAX], *copy;
	struct btf btf;

	(void)state;
	assert_int_equal(parse(&btf, data, put_btf(data, types, sizeof(types)), &copy), 0);
	assert_int_equal(btf.nr_types, 19);
	for (uint32_t id = 0; id < 21; id++) {
		assert_int_equal(btf_size(&btf, id), sizes[id]);
		assert_int_equal(btf_is_int32(&btf, id), int32s >> id & 1);
	}
	assert_ptr_equal(btf_resolve(&btf, 3), btf_type(&btf, 1));
	assert_ptr_equal(btf_resolve(&btf, 15), btf_type(&btf, 7));
	assert_ptr_equal(btf_resolve(&btf, 12), btf_type(&btf, 12));
	assert_null(btf_resolve(&btf, 0));
	assert_null(btf_resolve(&btf, 16));
	assert_null(btf_resolve(&btf, 19));
	assert_null(btf_type(&btf, 19));
	assert_non_null(btf_type(&btf, 0));
	assert_string_equal(btf_name(&btf, 0), "");
	assert_string_equal(btf_name(&btf, N(foo)), "foo");
	assert_null(btf_name(&btf, STRINGS));
	btf_clear(&btf);
	free(copy);
}

/* Types that refer to each other in a file changed after the check: no crash, no endless loop. */
static void test_damaged_file(void **state)
{
	static const uint32_t loops[] = {T_INT,          CONST(3),       TYPEDEF(N(t), 2),
					 ARRAY(5, 1, 2), ARRAY(4, 1, 2), CONST(99),
					 VAR(N(v), 2, 0)};
	uint8_t data[BLOB_MAX], *copy;
	uint32_t size = put_btf(data, loops, sizeof(loops));
	struct btf btf;

	(void)state;
	assert_int_equal(btf_index(&btf, data, size), 0);
	assert_int_equal(btf_size(&btf, 2), -EINVAL);
	assert_int_equal(btf_size(&btf, 4), -EINVAL);
	assert_int_equal(btf_size(&btf, 6), -EINVAL);
	ask_everything(&btf);
	btf_clear(&btf);

	for (uint32_t cut = 1; cut <= size; cut++) {
		copy = malloc(size - cut + 1);
		memcpy(copy, data, size - cut);
		assert_int_equal(btf_index(&btf, copy, size - cut), -EINVAL);
		free(copy);
	}
	data[24 + 7] = STRUCT; /* of an int with vlen 0: the rest shifts */
	data[24 + 4] = 200;
	assert_int_equal(btf_index(&btf, data, size), -EINVAL);
}

/* The types stay aligned behind a header of any length. */
static void test_long_header(void **state)
{
	static const uint32_t types[] = {T_INT, STRUCT(N(s), 1, 4), N(a), 1, 0};
	uint8_t data[BLOB_MAX], *copy;
	struct btf btf, again;

	(void)state;
	for (uint32_t more = 1; more < 9; more++) {
		uint32_t size = put_btf(data, types, sizeof(types)), length = 24 + more;

		memmove(data + length, data + 24, size - 24);
		memset(data + 24, 0, more);
		memcpy(data + 4, &length, 4);
		assert_int_equal(parse(&btf, data, size + more, &copy), 0);
		assert_int_equal((uintptr_t)btf_type(&btf, 1) % 4, 0);
		assert_int_equal(btf_index(&again, btf.data, btf.size), 0);
		assert_int_equal(btf_size(&again, 2), 4);
		btf_clear(&again);
		btf_clear(&btf);
		free(copy);
	}
}

/* Structs of two structs of two structs: found to hold no lock without looking at each copy. */
static void test_no_explosion(void **state)
{
	uint32_t types[512] = {
		T_INT, STRUCT(N(bpf_spin_lock), 1, 4), N(x), 1, 0, STRUCT(N(a), 0, 0)};
	uint32_t at = 13, id = 3;
	uint8_t data[BLOB_MAX], *copy;
	struct btf btf;

	(void)state;
	for (; id < 30; id++) {
		const uint32_t two[] = {STRUCT(N(b), 2, 0), N(a), id, 0, N(b), id, 0};

		memcpy(types + at, two, sizeof(two));
		at += sizeof(two) / 4;
	}
	{
		const uint32_t last[] = {STRUCT(N(v), 2, 8), N(a), id, 0, N(l), 2, 0};

		memcpy(types + at, last, sizeof(last));
		at += sizeof(last) / 4;
	}
	assert_int_equal(parse(&btf, data, put_btf(data, types, at * 4), &copy), 0);
	btf_clear(&btf);
	free(copy);
}

/* Mutations */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 20) % n;
}

static uint32_t random_word(uint32_t old)
{
	static const uint32_t likely_words[] = {
		0,  1,   2,   3,      4,       5,        8,          16,         32,
		64, 128, 255, 0xffff, 0xfffff, 0x100000, 0x7fffffff, 0x80000000, 0xffffffff};

	switch (random_below(5)) {
	case 0:
		return likely_words[random_below(sizeof(likely_words) / 4)];
	case 1:
		return random_below(12);
	case 2:
		return old + random_below(17) - 8;
	case 3:
		return INFO(random_below(21), random_below(3), random_below(4) == 0);
	default:
		return old ^ 1u << random_below(32);
	}
}

/* Duplicates or removes some words of the type section, and keeps the header right. */
static uint32_t shift_types(uint8_t *data, uint32_t size)
{
	struct btf_header *header = (struct btf_header *)data;
	uint32_t words = header->type_len / 4, from = random_below(words);
	uint32_t count = MIN(1 + random_below(6), words - from), bytes = count * 4;
	uint8_t *at = data + sizeof(*header) + from * 4, *end = data + size;

	if (random_below(2) && words > count) {
		memmove(at, at + bytes, (size_t)(end - at) - bytes);
		header->type_len -= bytes;
		header->str_off -= bytes;
		return size - bytes;
	}
	memmove(at + bytes, at, (size_t)(end - at));
	header->type_len += bytes;
	header->str_off += bytes;
	return size + bytes;
}

static uint32_t mutate(uint8_t *data)
{
	const struct btf_case *c = &btf_cases[random_below(BTF_CASES)];
	uint32_t size = put_btf(data, c->types, c->size), word;
	uint32_t length = 24 + c->size; /* of header and types: names change the log only */

	if (random_below(4) == 0)
		size = shift_types(data, size);
	for (uint32_t n = 1 + random_below(3); n; n--) {
		uint32_t at = random_below(16) ? 24 + random_below((length - 24) / 4) * 4
					       : random_below(length / 4) * 4;

		memcpy(&word, data + at, 4);
		word = random_word(word);
		memcpy(data + at, &word, 4);
	}
	if (random_below(50) == 0)
		size -= random_below(size);
	return size;
}

/* Two counters in one struct make the kernel print a warning, once; some systems stop at that. */
static bool warnings_are_fatal(void)
{
	FILE *file = fopen("/proc/sys/kernel/panic_on_warn", "r");
	bool fatal = file && fgetc(file) != '0';

	if (file)
		fclose(file);
	return fatal;
}

/* Older kernels know fewer rules. */
static bool kernel_answers(void)
{
	struct utsname uts;
	unsigned major = 0, minor = 0;

	uname(&uts);
	sscanf(uts.release, "%u.%u", &major, &minor);
	return (major > 6 || (major == 6 && minor >= 18)) && !warnings_are_fatal() &&
	       bpf_sys(BPF_BTF_LOAD, "", 0) != -EPERM;
}

static int ask_kernel(const uint8_t *data, uint32_t size, char *log)
{
	union test_attr attr = {.a = {.btf = ptr64(data),
				      .btf_size = size,
				      .btf_log_buf = ptr64(log),
				      .btf_log_size = LOG_ROOM,
				      .btf_log_level = 1}};
	long ret;

	log[0] = '\0';
	ret = bpf_sys(BPF_BTF_LOAD, &attr, 28);
	if (ret < 0)
		return (int)ret;
	close((int)ret);
	return 0;
}

/* The one thing that cannot be known here: which types the kernel has, and how it frees them. */
static bool about_kernel_types(int ours, int kernel)
{
	return !ours && kernel == -ENOENT && strstr(captured.text, "TYPE_TAG kptr");
}

static void test_mutations(void **state)
{
	static char log[LOG_ROOM];
	bool oracle = kernel_answers();
	uint32_t accepted = 0, different = 0;

	(void)state;
	random_state = 0x9e3779b97f4a7c15u;
	for (uint32_t i = 0; i < MUTATIONS; i++) {
		static uint8_t data[BLOB_MAX];
		uint32_t size = mutate(data);
		uint8_t *copy;
		struct btf btf;
		int err = parse(&btf, data, size, &copy);
		int kernel = oracle ? ask_kernel(data, size, log) : err;

		if (oracle && (kernel != err || strcmp(log, captured.text)) &&
		    !about_kernel_types(err, kernel)) {
			different++;
			print_error("mutation %u: ours %d %s\nkernel: %d %s\n", i, err,
				    captured.text, kernel, log);
		}
		if (!err) {
			struct btf again;

			accepted++;
			assert_int_equal(btf_index(&again, btf.data, size), 0);
			assert_int_equal(again.nr_types, btf.nr_types);
			assert_int_equal(ask_everything(&again), ask_everything(&btf));
			btf_clear(&again);
			btf_clear(&btf);
		}
		free(copy);
	}
	print_message("# %u of %u mutations accepted, kernel %s, %u different\n", accepted,
		      MUTATIONS, oracle ? "asked" : "not asked", different);
	assert_true(accepted > MUTATIONS / 100);
	assert_int_equal(different, 0);
}

/* The largest BTF there is, if it can be read. */
static void test_kernel_btf(void **state)
{
	FILE *file = fopen("/sys/kernel/btf/vmlinux", "rb");
	uint32_t room = 16u << 20, size;
	uint8_t *data;
	struct btf btf;

	(void)state;
	if (!file)
		skip();
	data = malloc(room);
	size = (uint32_t)fread(data, 1, room, file);
	fclose(file);
	assert_int_equal(btf_parse(&btf, data, size, NULL), 0);
	assert_true(btf.nr_types > 10000);
	ask_everything(&btf);
	btf_clear(&btf);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),   cmocka_unit_test(test_damaged_file),
		cmocka_unit_test(test_long_header), cmocka_unit_test(test_no_explosion),
		cmocka_unit_test(test_mutations),   cmocka_unit_test(test_kernel_btf),
	};

	return run_tests(tests);
}
