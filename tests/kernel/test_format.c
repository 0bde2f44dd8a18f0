/*
 * vsnprintf. The expected texts are what ISO C says, so that the same suite holds on the host,
 * where it runs against the C library.
 *
 * Formats are not constants here: else the compiler would warn of what is tested on purpose, or
 * work out the result itself.
 */
#include <base/format.h>
#include <base/string.h>
#include <kernel/test.h>

#define FORMAT(t, expected, fmt, ...)                                                    \
	do {                                                                             \
		const char *volatile fmt_ = (fmt);                                       \
		char text_[128];                                                         \
		int len_ = format_indirectly(text_, sizeof(text_), fmt_, ##__VA_ARGS__); \
                                                                                         \
		EXPECT_STREQ(t, text_, expected);                                        \
		EXPECT_EQ(t, len_, strlen(expected));                                    \
	} while (0)

static int format_indirectly(char *buf, size_t size, const char *fmt, ...)
{
	int (*volatile print)(char *, size_t, const char *, va_list) = vsnprintf;
	va_list args;
	int len;

	va_start(args, fmt);
	len = print(buf, size, fmt, args);
	va_end(args);
	return len;
}

static void integers(struct ktest *t)
{
	FORMAT(t, "0 -1 2147483647 -2147483648", "%d %d %d %i", 0, -1, 2147483647, -2147483647 - 1);
	FORMAT(t, "4294967295 37777777777 ffffffff FFFFFFFF", "%u %o %x %X", ~0u, ~0u, ~0u, ~0u);
	FORMAT(t, "-9223372036854775808 18446744073709551615", "%lld %llu",
	       -9223372036854775807ll - 1, ~0ull);
	FORMAT(t, "1777777777777777777777", "%lo", ~0ul);
}

static void lengths(struct ktest *t)
{
	FORMAT(t, "-1 255 -1 65535", "%hhd %hhu %hd %hu", 0xffff, 0xffff, 0x1ffff, 0x1ffff);
	FORMAT(t, "5000000000 5000000000 5000000000 -5", "%ld %zu %ju %td", 5000000000l,
	       (size_t)5000000000, (uintmax_t)5000000000, (ptrdiff_t)-5);
}

static void flags(struct ktest *t)
{
	FORMAT(t, "+5 -5  5 +0", "%+d %+d % d %+d", 5, -5, 5, 0);
	FORMAT(t, "0x2a 0X2A 052 0 0", "%#x %#X %#o %#x %#o", 42, 42, 42, 0, 0);
	FORMAT(t, "00042|-0042|0x002a", "%05d|%05d|%#06x", 42, -42, 42);
	FORMAT(t, "42   |   42", "%-5d|%5d", 42, 42);
	FORMAT(t, "42   |", "%-05d|", 42); /* '-' beats '0' */
	FORMAT(t, "+5", "%+ d", 5);        /* '+' beats ' ' */
}

static void width_and_precision(struct ktest *t)
{
	FORMAT(t, "  007|007  |", "%5.3d|%-5.3d|", 7, 7);
	FORMAT(t, "  007", "%05.3d", 7); /* a precision beats '0' */
	FORMAT(t, "|", "%.0d|", 0);
	FORMAT(t, "   42|42   |042|42", "%*d|%*d|%.*d|%.*d", 5, 42, -5, 42, 3, 42, -1, 42);
}

static void strings(struct ktest *t)
{
	static const char no_end[3] = {'a', 'b', 'c'};

	FORMAT(t, "abc|  abc|abc  |ab", "%s|%5s|%-5s|%.2s", "abc", "abc", "abc", "abc");
	FORMAT(t, "abc", "%.3s", no_end);
	FORMAT(t, "x|    x|100%", "%c|%5c|100%%", 'x', 'x');
	FORMAT(t, "0x1234", "%p", (void *)0x1234);
}

static void cuts_at_the_size(struct ktest *t)
{
	char buf[8] = "#######";

	EXPECT_EQ(t, format_indirectly(buf, 5, "%s", "abcdefgh"), 8);
	EXPECT(t, memcmp(buf, "abcd\0##", 8) == 0);
	EXPECT_EQ(t, format_indirectly(buf, 1, "%d", 12345), 5);
	EXPECT_EQ(t, buf[0], '\0');
	buf[0] = '#';
	EXPECT_EQ(t, format_indirectly(buf, 0, "%d", 12345), 5);
	EXPECT_EQ(t, buf[0], '#');
	/* A width that no buffer has is counted and costs nothing. */
	EXPECT_EQ(t, format_indirectly(buf, sizeof(buf), "%1000000d", 1), 1000000);
}

static const struct ktest_case cases[] = {
	KTEST(integers), KTEST(lengths),          KTEST(flags), KTEST(width_and_precision),
	KTEST(strings),  KTEST(cuts_at_the_size),
};
KTEST_SUITE(format, cases);
