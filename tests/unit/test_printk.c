/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * test_printk.c: the text that the printing helpers write. Lengths and refusals are compared with
 * the kernel in tests/vm/test_helpers.c; the words here were read from its trace_pipe.
 */
#include "bpf_test.h"

#include "vm/printk.h"

static const char text[] = "text";
static const unsigned char address[] = {192, 168, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

struct printk_case {
	const char *format;
	uint64_t args[3];
	const char *expected; /* NULL: -EINVAL */
};

static const struct printk_case cases[] = {
	{"", {0}, ""},
	{"plain\ttext\n", {0}, "plain\ttext\n"},
	{"100%%", {0}, "100%"},
	{"%d %u %x", {65, (uint64_t)-66, 67}, "65 4294967230 43"},
	{"%d %i", {(uint64_t)-1, 1ull << 32}, "-1 0"},
	{"%ld %lld %lX", {(uint64_t)-1, 1ull << 32, 0xabcdef0123}, "-1 4294967296 ABCDEF0123"},
	{"%5d|%-5d|%05d", {65, (uint64_t)-66, 67}, "   65|-66  |00067"},
	{"% d %+d", {5, 6}, " 5 +6"},
	{"%c%c|%3c", {'a', 'b', 'c'}, "ab|  c"},
	{"%s|%6s|%-6s|", {(uintptr_t)text, (uintptr_t)text, (uintptr_t)text},
	 "text|  text|text  |"},
	{"%s|%pks|%pus|", {0, 1, 2}, "|||"},
	{"%05s|%-05c|%02c", {(uintptr_t)text, 'a', 'b'}, " text|a    | b"},
	{"%+05ld|%- 5i|%0-4d|", {65, 66, 67}, "+0065| 66  |67  |"},
	{"%05d|% 05d|%+x", {(uint64_t)-66, 5, 6}, "-0066| 0005|6"},
	{"%5px|%-5px|%020px", {0x41, 0x42, 0x43}, "   41|42   |00000000000000000043"},
	{"%5ps|%-6pS|%9pB|", {1, 2, 3}, "  0x1|0x2   |0x3|"},
	{"%pI4 %pi4", {(uintptr_t)address, (uintptr_t)address}, "192.168.0.7 192.168.000.007"},
	{"%pI6", {(uintptr_t)address}, "c0a8:0007:0000:0000:0000:0000:0000:0001"},
	{"%pi6", {(uintptr_t)address}, "c0a80007000000000000000000000001"},
	{"%pI4", {8}, "0.0.0.0"},
	{"%px %p", {0x1234, 0}, "0000000000001234 0000000000000000"},
	{"%ps %pS,%pB.", {0x41, (uint64_t)-66, 1}, "0x41 0xffffffffffffffbe,0x1."},
	{"caf\xc3\xa9", {0}, "caf\xc3\xa9"},
	{"%", {0}, NULL},
	{"%5", {0}, NULL},
	{"%5%", {0}, NULL},
	{"%l", {0}, NULL},
	{"%llld", {0}, NULL},
	{"%ls", {0}, NULL},
	{"%hd", {0}, NULL},
	{"%zu", {0}, NULL},
	{"%f", {0}, NULL},
	{"%o", {0}, NULL},
	{"%n", {0}, NULL},
	{"%#x", {0}, NULL},
	{"%.3d", {0}, NULL},
	{"%*d", {0}, NULL},
	{"%pX", {0}, NULL},
	{"%pI5", {0}, NULL},
	{"%d %d %d %d", {0}, NULL},
	{"bell\a", {0}, NULL},
	{"delete\177", {0}, NULL},
};

static bool is_as_expected(const struct printk_case *c)
{
	char out[128];
	int len = printk_format(out, sizeof(out), c->format, strlen(c->format) + 1, c->args, 3);

	if (c->expected ? len == (int)strlen(c->expected) && !strcmp(out, c->expected)
			: len == -EINVAL)
		return true;
	print_error("\"%s\": result %d, \"%s\"\n", c->format, len, len >= 0 ? out : "");
	return false;
}

/* The length is that of the whole text, however wide; what has room is there. */
static void wide_fields(void **state)
{
	static const char format[] = "%4d|%0900000X";
	const uint64_t args[] = {5, 0xabc};
	char out[12];

	(void)state;
	memset(out, 'x', sizeof(out));
	assert_int_equal(printk_format(out, 10, format, sizeof(format), args, 2), 900005);
	assert_string_equal(out, "   5|0000");
	assert_int_equal(out[10], 'x');
	assert_int_equal(printk_format(out, 5, format, sizeof(format), args, 2), 900005);
	assert_string_equal(out, "   5");
	assert_int_equal(printk_format(NULL, 0, format, sizeof(format), args, 2), 900005);
}

static void formats(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		wrong += !is_as_expected(&cases[i]);
	assert_int_equal(wrong, 0);
}

static void format_must_end(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(printk_format(out, sizeof(out), "abc", 3, NULL, 0), -EINVAL);
	assert_int_equal(printk_format(out, sizeof(out), "abc", 4, NULL, 0), 3);
}

static void small_buffers_are_cut_and_ended(void **state)
{
	const uint64_t arg = 123456;
	char out[8] = "#######";

	(void)state;
	assert_int_equal(printk_format(out, 4, "%d", 3, &arg, 1), 6);
	assert_memory_equal(out, "123\0###", 8);
	assert_int_equal(printk_format(out, 1, "%d", 3, &arg, 1), 6);
	assert_memory_equal(out, "\00023\0###", 8);
	assert_int_equal(printk_format(NULL, 0, "%d", 3, &arg, 1), 6);
}

/* Widths wrap at 32 bits and end at 8388607. The kernel, where they came from, warns about them. */
static void the_widest(void **state)
{
	static const struct {
		const char *format;
		int len;
	} wide[] = {
		{"%8388608d", 8388607},   {"%2147483646d%9d", 8388616}, {"%-9999999s|", 8388608},
		{"%9999999px", 8388607},  {"%2147483648d", 2},          {"%4294967295d", 2},
		{"%4294967301d", 5},      {"%4294967295px", 16},        {"%2147483648px", 2},
		{"%9999999ld%9999999ld", 16777214},
	};
	const uint64_t args[] = {65, 66};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++)
		assert_int_equal(printk_format(out, sizeof(out), wide[i].format,
					       strlen(wide[i].format) + 1, args, 2),
				 wide[i].len);
}

/* Widths and strings beyond any buffer. */
static void nothing_is_too_long(void **state)
{
	const uint64_t arg = 1;
	static char format[4096], out[64];

	(void)state;
	assert_true(printk_format(out, sizeof(out), "%999999999d", 12, &arg, 1) > 0);
	memset(format, '0', sizeof(format) - 1);
	format[0] = '%';
	format[sizeof(format) - 2] = 'd';
	assert_true(printk_format(out, sizeof(out), format, sizeof(format), &arg, 1) > 0);
	memset(format, 'x', sizeof(format) - 1);
	assert_int_equal(printk_format(out, sizeof(out), format, sizeof(format), &arg, 1),
			 sizeof(format) - 1);
	assert_int_equal(strlen(out), sizeof(out) - 1);
}

static void trace_line(void **state)
{
	const char expected[] =
		"            comm-4711    [001] b..11    12.000345: bpf_trace_printk: hello\n";
	char out[128];

	(void)state;
	assert_int_equal(printk_trace_line(out, sizeof(out), "comm", 4711, 1, 12000345678, "hello"),
			 sizeof(expected) - 1);
	assert_string_equal(out, expected);
	assert_int_equal(printk_trace_line(out, 16, "comm", 4711, 1, 0, "hello"), 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(wide_fields),
		cmocka_unit_test(the_widest),
		cmocka_unit_test(format_must_end),
		cmocka_unit_test(small_buffers_are_cut_and_ended),
		cmocka_unit_test(nothing_is_too_long),
		cmocka_unit_test(trace_line),
	};

	return run_tests(tests);
}
