/*
 * What the fuzz targets share.
 *
 * A target is one file, fuzz_NAME.c, with LLVMFuzzerTestOneInput(): it gets bytes of any content,
 * feeds them to the code under test and states what must hold whatever they are. A crash is
 * only the bluntest of those statements: FUZZ_CHECK() is the others. Each target is a program
 * of its own (mk/fuzz.mk), linked with what it needs of mm/ and kernel/ and nothing else.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <base/string.h>
#include <base/types.h>
#include <setjmp.h>

/* libFuzzer's side: it calls the first two and offers the third. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size);

/* Says what does not hold and aborts: libFuzzer keeps the input. */
_Noreturn void fuzz_fail(const char *file, int line, const char *fmt, ...) __printf_like(3, 4);

/* FUZZ_CHECK(cond, fmt, ...): must hold on any input; the message gives the values. */
#define FUZZ_CHECK(cond, ...)                                       \
	do {                                                        \
		if (unlikely(!(cond)))                              \
			fuzz_fail(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

/* FUZZ_SAME(a, b): two integers that must be equal. */
#define FUZZ_SAME(a, b)                                                                   \
	FUZZ_CHECK((a) == (b), "%s is %llu, %s is %llu", #a, (unsigned long long)(a), #b, \
		   (unsigned long long)(b))

/*
 * The bytes alone, in a block of their own at an odd address: ASan sees any read past them, UBSan a
 * cast to something wider. Give it back with fuzz_free().
 */
u8 *fuzz_exact_copy(const void *bytes, size_t len);
void fuzz_free(u8 *copy);

/* --- Small numbers out of the input --------------------------------------------------------- */

/* Reads past the end are zeros, so that every input is a whole one. */
struct fuzz_bytes {
	const u8 *at;
	size_t left;
};
u64 fuzz_take(struct fuzz_bytes *in, size_t width);

/* --- ACPI tables ---------------------------------------------------------------------------- */

/*
 * LLVMFuzzerCustomMutator() of inputs that are ACPI tables one after another: mostly changes one
 * table and mends its length and checksum, since blind changes rarely leave a length that is right.
 */
size_t fuzz_mutate_tables(u8 *data, size_t size, size_t max_size, unsigned int seed);

/* Makes [0, len) add up to 0 by the byte at `at`. */
void fuzz_mend_checksum(u8 *bytes, size_t at, size_t len);

/*
 * The table at `bytes`, if its header is one and its length within `len`: its length. Else 0.
 */
size_t fuzz_table_bytes(const u8 *bytes, size_t len);

/* --- Panics --------------------------------------------------------------------------------- */

/* Where a panic whose message starts so goes instead of ending the process; NULL: nowhere. */
extern jmp_buf *fuzz_panic_exit;
extern const char *fuzz_panic_allowed;

#endif
