/*
 * base/string.h. Runs on the host, too, where it is the C library's. Lengths and alignments go
 * around the word sizes that a fast implementation distinguishes.
 */
#include <base/string.h>
#include <kernel/test.h>

#define BYTES 96

static u8 area[BYTES], source[BYTES];

static void fill(void)
{
	for (u32 i = 0; i < BYTES; i++) {
		area[i] = 0xee;
		source[i] = (u8)(i + 1);
	}
}

/* How many bytes of `area` are not as they should be: want(i) for i in [at, at + n). */
static u32 count_wrong(u32 at, u32 n, u32 source_at)
{
	u32 wrong = 0;

	for (u32 i = 0; i < BYTES; i++) {
		u8 want = i >= at && i < at + n ? (u8)(source_at + i - at + 1) : 0xee;

		wrong += area[i] != want;
	}
	return wrong;
}

static void copies(struct ktest *t)
{
	for (u32 at = 0; at < 9; at++)
		for (u32 n = 0; n < 70; n++) {
			fill();
			EXPECT_EQ(t, (uintptr_t)memcpy(area + at, source + 3, n),
				  (uintptr_t)(area + at));
			EXPECT_EQ(t, count_wrong(at, n, 3), 0);
		}
}

static void moves_over_itself(struct ktest *t)
{
	for (u32 from = 0; from < 20; from++)
		for (u32 n = 0; n < 40; n++) {
			u32 wrong = 0;

			fill();
			memcpy(area, source, BYTES);
			memmove(area + 10, area + from, n);
			for (u32 i = 0; i < BYTES; i++)
				wrong += area[i] !=
					 (i >= 10 && i < 10 + n ? from + (i - 10) + 1 : i + 1);
			EXPECT_EQ(t, wrong, 0);
		}
}

static void sets(struct ktest *t)
{
	for (u32 at = 0; at < 9; at++)
		for (u32 n = 0; n < 40; n++) {
			u32 wrong = 0;

			fill();
			memset(area + at, 0x1a5, n); /* only the low byte counts */
			for (u32 i = 0; i < BYTES; i++)
				wrong += area[i] != (i >= at && i < at + n ? 0xa5 : 0xee);
			EXPECT_EQ(t, wrong, 0);
		}
}

static void compares(struct ktest *t)
{
	EXPECT_EQ(t, memcmp("abc", "abd", 2), 0);
	EXPECT(t, memcmp("abc", "abd", 3) < 0);
	EXPECT(t, memcmp("\xff", "\x01", 1) > 0); /* bytes are unsigned */
	EXPECT_EQ(t, strcmp("abc", "abc"), 0);
	EXPECT(t, strcmp("abc", "ab") > 0 && strcmp("", "a") < 0);
	EXPECT(t, strcmp("\xff", "\x01") > 0);
	EXPECT_EQ(t, strncmp("abcx", "abcy", 3), 0);
	EXPECT(t, strncmp("abcx", "abcy", 4) < 0);
	EXPECT_EQ(t, strncmp("ab", "ab", 100), 0);
	EXPECT_EQ(t, strncmp("x", "y", 0), 0);
}

static void measures_and_finds(struct ktest *t)
{
	const char *text = "one two";

	EXPECT_EQ(t, strlen(""), 0);
	EXPECT_EQ(t, strlen(text), 7);
	EXPECT_EQ(t, strnlen(text, 3), 3);
	EXPECT_EQ(t, strnlen(text, 8), 7);
	EXPECT(t, strchr(text, 'o') == text && strchr(text, 'w') == text + 5);
	EXPECT(t, strchr(text, 'x') == NULL && strchr(text, '\0') == text + 7);
	EXPECT(t, strstr(text, "two") == text + 4 && strstr(text, "") == text);
	EXPECT(t, strstr(text, "twox") == NULL && strstr("aab", "ab") != NULL);
}

static const struct ktest_case cases[] = {
	KTEST(copies),   KTEST(moves_over_itself),  KTEST(sets),
	KTEST(compares), KTEST(measures_and_finds),
};
KTEST_SUITE(string, cases);
