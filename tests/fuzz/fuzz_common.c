/*
 * The seam to the kernel under fuzzing, and what fuzz.h promises.
 *
 * The log is formatted, so that ASan sees what a message reads, and dropped. A failed assertion or
 * a panic is a finding, unless the target has said which one its input may lead to.
 */
#include "fuzz.h"

#include <arch/restart.h>
#include <base/assert.h>
#include <base/bytes.h>
#include <base/errno.h>
#include <kernel/acpi.h>
#include <kernel/printk.h>
#include <mm/gfp.h>
#include <mm/os.h>
#include <mm/os_task.h>
#include <stdio.h>
#include <stdlib.h>

#define LENGTH_AT   4
#define CHECKSUM_AT 9
#define MAX_TABLES  16

jmp_buf *fuzz_panic_exit;
const char *fuzz_panic_allowed;

void fuzz_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "FUZZ_CHECK at %s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* --- The seam ------------------------------------------------------------------------------- */

static void drop_line(const char *fmt, va_list args) __printf_like(1, 0);

static void drop_line(const char *fmt, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, args);
}

void os_log(enum os_log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list args;

	(void)level;
	(void)subsystem;
	va_start(args, fmt);
	drop_line(fmt, args);
	va_end(args);
}

/* Of object caches, of which there are none: no word leads to one. */
bool load_or_fault(const u64 *addr, u64 *value)
{
	(void)addr;
	(void)value;
	return false;
}

void os_describe_caller(uintptr_t call_site, char *buf, size_t size)
{
	snprintf(buf, size, "0x%lx", (unsigned long)call_site);
}

void os_describe_address(const void *address, char *buf, size_t size)
{
	snprintf(buf, size, "%p", address);
}

bool os_caller_matches(uintptr_t call_site, const char *glob)
{
	(void)call_site;
	(void)glob;
	return false;
}

/* One task, which may have everything and never sleeps. */
struct os_task *os_current(void)
{
	static struct os_task only = {.mems_allowed = ~(nodemask_t)0};

	return &only;
}

bool this_task_may_hit(u32 flags)
{
	return flags < GFP_HIT_END;
}

bool os_in_interrupt(void)
{
	return false;
}

bool os_may_sleep(void)
{
	return false;
}

void os_limits_changed(struct os_task *task)
{
	(void)task;
}

void os_wait_queue_init(struct os_wait_queue *queue, const char *name)
{
	(void)queue;
	(void)name;
}

bool os_wait(struct os_wait_queue *queue, bool (*ready)(void *arg), void *arg, u64 timeout_ns)
{
	(void)queue;
	(void)timeout_ns;
	return ready(arg);
}

u32 os_wake_one(struct os_wait_queue *queue)
{
	(void)queue;
	return 0;
}

u32 os_wake_all(struct os_wait_queue *queue)
{
	(void)queue;
	return 0;
}

/* There are no threads. */
struct os_thread *os_thread_start(const char *name, u32 cpu, void (*fn)(void *arg), void *arg)
{
	(void)name;
	(void)cpu;
	(void)fn;
	(void)arg;
	return NULL;
}

void os_thread_join(struct os_thread *thread)
{
	(void)thread;
}

int os_run_on_cpu(u32 cpu, void (*fn)(void *arg), void *arg)
{
	(void)cpu;
	(void)fn;
	(void)arg;
	return -ENODEV;
}

const char *os_current_name(void)
{
	return "fuzz";
}

void os_backtrace(enum os_log_level level, const char *subsystem)
{
	(void)level;
	(void)subsystem;
}

void klog(enum log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list args;

	(void)level;
	(void)subsystem;
	va_start(args, fmt);
	drop_line(fmt, args);
	va_end(args);
}

static _Noreturn void die(const char *text)
{
	if (fuzz_panic_exit && strncmp(text, fuzz_panic_allowed, strlen(fuzz_panic_allowed)) == 0)
		longjmp(*fuzz_panic_exit, 1);
	fprintf(stderr, "panic: %s\n", text);
	abort();
}

_Noreturn void os_panic(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	die(text);
}

_Noreturn void assert_failed(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int at = snprintf(text, sizeof(text), "assertion failed at %s:%d: ", file, line);

	va_start(args, fmt);
	vsnprintf(text + at, sizeof(text) - (size_t)at, fmt, args);
	va_end(args);
	die(text);
}

/* --- Bytes ---------------------------------------------------------------------------------- */

u8 *fuzz_exact_copy(const void *bytes, size_t len)
{
	u8 *block = malloc(len + 1);

	if (!block)
		abort();
	if (len)
		memcpy(block + 1, bytes, len);
	return block + 1;
}

void fuzz_free(u8 *copy)
{
	free(copy - 1);
}

u64 fuzz_take(struct fuzz_bytes *in, size_t width)
{
	u64 value = 0;

	for (size_t i = 0; i < width && in->left; i++, in->at++, in->left--)
		value |= (u64)*in->at << (8 * i);
	return value;
}

/* --- Tables --------------------------------------------------------------------------------- */

void fuzz_mend_checksum(u8 *bytes, size_t at, size_t len)
{
	u8 sum = 0;

	bytes[at] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (u8)(sum + bytes[i]);
	bytes[at] = (u8)-sum;
}

size_t fuzz_table_bytes(const u8 *bytes, size_t len)
{
	size_t length = len < ACPI_HEADER_BYTES ? 0 : read_le32(bytes + LENGTH_AT);

	return length >= ACPI_HEADER_BYTES && length <= len ? length : 0;
}

/* Changes the table of `len` bytes at data + at, and moves what follows it. Returns the new size. */
static size_t mutate_table(u8 *data, size_t size, size_t max_size, size_t at, size_t len,
			   bool mend_sum)
{
	static u8 table[1 << 16];
	size_t room = len + (max_size - size);
	size_t rest = size - at - len;
	size_t new_len;

	if (room > sizeof(table))
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(table, data + at, len);
	new_len = LLVMFuzzerMutate(table, len, room);
	if (new_len >= ACPI_HEADER_BYTES) {
		u32 length = (u32)new_len;

		memcpy(table + LENGTH_AT, &length, sizeof(length));
		if (mend_sum)
			fuzz_mend_checksum(table, CHECKSUM_AT, new_len);
	}
	memmove(data + at + new_len, data + at + len, rest);
	memcpy(data + at, table, new_len);
	return at + new_len + rest;
}

size_t fuzz_mutate_tables(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t start[MAX_TABLES];
	unsigned int nr = 0, chosen;
	size_t len;

	for (size_t at = 0; nr < MAX_TABLES && at < size; at += len) {
		len = fuzz_table_bytes(data + at, size - at);
		if (len == 0)
			break;
		start[nr++] = at;
	}
	/* One in four stays blind: lengths that lie are input, too. */
	if (nr == 0 || seed % 4 == 0 || size > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	chosen = seed / 8 % nr;
	len = fuzz_table_bytes(data + start[chosen], size - start[chosen]);
	return mutate_table(data, size, max_size, start[chosen], len, seed / 4 % 2);
}
