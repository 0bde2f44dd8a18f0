/*
 * A pause is a wait for what never comes, with a limit: os_wait() is all of sleeping that seam 2 has.
 */
#include "pause.h"

#include <mm/os_task.h>

static bool never(void *arg)
{
	(void)arg;
	return false;
}

void pause_ns(u64 ns)
{
	struct os_wait_queue nobody;

	os_wait_queue_init(&nobody, "pause");
	os_wait(&nobody, never, NULL, ns);
}
