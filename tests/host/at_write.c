/*
 * Something that happens at a certain instruction: the first that writes into a page.
 *
 *	host_at_write(place, fn, arg)      the page of `place` becomes read-only
 *	code under test: loads ...         go on as ever
 *	code under test: first store       faults; the page becomes writable again, fn(arg) runs,
 *	                                   and the store is done as if for the first time
 *
 * So a race between two CPUs need not be waited for: what the other one does comes at the place where
 * it does the most harm, each time. fn runs in the thread that stores, in a signal's handler, and
 * says by itself which CPU it plays. A read-modify-write that is one instruction is done after fn as a
 * whole; a load and a store have fn between them.
 *
 * Anything else on the page that is written first is taken for it: tests choose a quiet one.
 */
#define _GNU_SOURCE
#include "host.h"

#include <arch/page.h>
#include <base/assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Of the one that waits for its write; one at a time. */
static struct {
	char *page; /* NULL: nobody waits */
	void (*fn)(void *arg);
	void *arg;
	struct sigaction before; /* the sanitizer's */
} awaited;

static void set_writable(char *page, bool writable)
{
	if (mprotect(page, PAGE_SIZE, writable ? PROT_READ | PROT_WRITE : PROT_READ) != 0)
		abort();
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	char *page = awaited.page;

	(void)signal;
	(void)context;
	/* Once; and a fault elsewhere is the sanitizer's, when the instruction is repeated. */
	sigaction(SIGSEGV, &awaited.before, NULL);
	awaited.page = NULL;
	set_writable(page, true);
	if ((uintptr_t)info->si_addr - (uintptr_t)page < PAGE_SIZE)
		awaited.fn(awaited.arg);
}

void host_at_write(void *place, void (*fn)(void *arg), void *arg)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	ASSERT(!awaited.page);
	awaited.page = (char *)place - (uintptr_t)place % PAGE_SIZE;
	awaited.fn = fn;
	awaited.arg = arg;
	if (sigaction(SIGSEGV, &action, &awaited.before) != 0)
		abort();
	set_writable(awaited.page, false);
}

bool host_write_awaited(void)
{
	return awaited.page != NULL;
}
