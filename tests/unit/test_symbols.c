/* Addresses to names, with a table of the test's own: the same shape as tools/ksyms.py writes. */
#include <base/string.h>
#include <kernel/panic.h>
#include <kernel/test.h>

/*
 *	0x100      0x180  0x200              0x1000
 *	|  alpha   | b    |  gamma           |
 */
const u64 ksyms_base = 0xffffffff80000000ull;
const u32 ksyms_count = 3;
const u32 ksyms_offsets[] = {0x100, 0x180, 0x200, 0x1000};
const u32 ksyms_name_offsets[] = {0, 6, 8};
const char ksyms_names[] = "alpha\0b\0gamma";

static void expect(struct ktest *t, u64 offset, const char *text)
{
	char symbol[64];

	symbol_format(ksyms_base + offset, symbol, sizeof(symbol));
	EXPECT_STREQ(t, symbol, text);
}

static void addresses_have_names(struct ktest *t)
{
	expect(t, 0x100, "alpha+0x0/0x80");
	expect(t, 0x17f, "alpha+0x7f/0x80");
	expect(t, 0x180, "b+0x0/0x80");
	expect(t, 0x200, "gamma+0x0/0xe00");
	expect(t, 0xfff, "gamma+0xdff/0xe00");
}

static void addresses_outside_are_digits(struct ktest *t)
{
	expect(t, 0xff, "0xffffffff800000ff");
	expect(t, 0x1000, "0xffffffff80001000");
	expect(t, (u64)-1, "0xffffffff7fffffff");
	expect(t, -ksyms_base, "0x0");
	expect(t, -ksyms_base + 0x100, "0x100");
}

/* A call that never returns may be the last instruction: the address behind it is the next's. */
static void return_addresses_are_the_callers(struct ktest *t)
{
	char symbol[64];

	symbol_format_return(ksyms_base + 0x180, symbol, sizeof(symbol));
	EXPECT_STREQ(t, symbol, "alpha+0x80/0x80");
	symbol_format_return(ksyms_base + 0x181, symbol, sizeof(symbol));
	EXPECT_STREQ(t, symbol, "b+0x1/0x80");
	symbol_format_return(ksyms_base + 0x100, symbol, sizeof(symbol));
	EXPECT_STREQ(t, symbol, "0xffffffff80000100");
	symbol_format_return(0, symbol, sizeof(symbol));
	EXPECT_STREQ(t, symbol, "0x0");
}

static void callers_are_called_by_name(struct ktest *t)
{
	EXPECT_STREQ(t, symbol_name_return(ksyms_base + 0x180), "alpha");
	EXPECT_STREQ(t, symbol_name_return(ksyms_base + 0x181), "b");
	EXPECT(t, symbol_name_return(ksyms_base + 0x100) == NULL);
	EXPECT(t, symbol_name_return(ksyms_base + 0x1001) == NULL);
	EXPECT(t, symbol_name_return(0) == NULL);
}

static void short_buffers_are_enough(struct ktest *t)
{
	char symbol[8];

	symbol_format(ksyms_base + 0x101, symbol, sizeof(symbol));
	EXPECT_STREQ(t, symbol, "alpha+0");
}

static const struct ktest_case cases[] = {
	KTEST(addresses_have_names),
	KTEST(addresses_outside_are_digits),
	KTEST(return_addresses_are_the_callers),
	KTEST(callers_are_called_by_name),
	KTEST(short_buffers_are_enough),
};
KTEST_SUITE(symbols, cases);
