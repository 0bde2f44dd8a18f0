/*
 * Seam 2 on the host: the log goes to standard error (with HOST_LOG=1) and into a buffer that tests
 * can search; a panic ends the process, its message in memory that the parent sees.
 */
#include "host.h"

#include <base/assert.h>
#include <kernel/glob.h>
#include <kernel/printk.h>
#include <mm/os.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From any thread, with locks of the code under test held: under log_mutex nothing is called back. */
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static char log_text[1 << 16];
static size_t log_bytes;

/* What a test does in the middle of somebody's report; once. */
static struct host_log_hook {
	const char *text; /* atomic */
	void (*fn)(void *arg);
	void *arg;
} hook;

struct host_last_words *host_last_words;

static void call_hook(const char *line)
{
	const char *text = __atomic_load_n(&hook.text, __ATOMIC_ACQUIRE);

	if (!text || !strstr(line, text))
		return;
	/* Of two threads that say it one calls; acquire: fn and arg are those of this text. */
	if (__atomic_compare_exchange_n(&hook.text, &text, NULL, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		hook.fn(hook.arg);
}

void host_log_at(const char *text, void (*fn)(void *arg), void *arg)
{
	hook.fn = fn;
	hook.arg = arg;
	__atomic_store_n(&hook.text, text, __ATOMIC_RELEASE);
}

static void log_line(int level, const char *subsystem, const char *fmt, va_list args)
	__printf_like(3, 0);

static void log_line(int level, const char *subsystem, const char *fmt, va_list args)
{
	char line[512];
	int len;

	len = snprintf(line, sizeof(line), "%s: ", subsystem);
	vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, args);

	if (getenv("HOST_LOG"))
		fprintf(stderr, "<%d> %s\n", level, line);
	len = (int)strlen(line);
	pthread_mutex_lock(&log_mutex);
	if (log_bytes + (size_t)len + 2 > sizeof(log_text))
		log_bytes = 0; /* the oldest goes: tests look for what they just did */
	memcpy(log_text + log_bytes, line, (size_t)len);
	log_bytes += (size_t)len;
	log_text[log_bytes++] = '\n';
	log_text[log_bytes] = '\0';
	pthread_mutex_unlock(&log_mutex);
	call_hook(line);
}

void os_log(enum os_log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line((int)level, subsystem, fmt, args);
	va_end(args);
}

/* No names here: a word that tests can look for. */
void os_describe_caller(uintptr_t call_site, char *buf, size_t size)
{
	snprintf(buf, size, "caller 0x%lx", (unsigned long)call_site);
}

void os_describe_address(const void *address, char *buf, size_t size)
{
	(void)address;
	snprintf(buf, size, "this process's own");
}

/* Of the same words. */
bool os_caller_matches(uintptr_t call_site, const char *glob)
{
	char caller[OS_CALLER_BYTES];

	os_describe_caller(call_site, caller, sizeof(caller));
	return glob_match(glob, strlen(glob), caller);
}

/* The host's debuggers have stacks; here a line that tests can look for. */
void os_backtrace(enum os_log_level level, const char *subsystem)
{
	os_log(level, subsystem, " (a backtrace)");
}

/* The kernel's own log, for the parts of kernel/ that are tested here. */
void klog(enum log_level level, const char *subsystem, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line((int)level, subsystem, fmt, args);
	va_end(args);
}

bool host_log_contains(const char *text)
{
	bool found;

	pthread_mutex_lock(&log_mutex);
	found = strstr(log_text, text) != NULL;
	pthread_mutex_unlock(&log_mutex);
	return found;
}

void host_log_clear(void)
{
	pthread_mutex_lock(&log_mutex);
	log_bytes = 0;
	log_text[0] = '\0';
	pthread_mutex_unlock(&log_mutex);
}

static _Noreturn void die(const char *fmt, va_list args)
{
	char text[sizeof(host_last_words->text)];

	vsnprintf(text, sizeof(text), fmt, args);
	if (host_last_words)
		memcpy(host_last_words->text, text, sizeof(text));
	else
		fprintf(stderr, "panic: %s\n", text);
	fflush(stdout);
	_exit(HOST_EXIT_PANIC);
}

_Noreturn void os_panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	die(fmt, args);
}

_Noreturn void assert_failed(const char *file, int line, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	os_panic("assertion failed at %s:%d: %s", file, line, text);
}
