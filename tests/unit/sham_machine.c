/*
 * Memory of the host is not the machine's: there the sham has as many slots as any test wants.
 */
#include "sham_machine.h"

#include "tests/reclaim/sham.h"

void sham_machine_boot(const struct host_machine *machine)
{
	static struct page *slots[SHAM_MAX_PAGES];

	host_machine_boot(machine);
	sham_start(slots, SHAM_MAX_PAGES);
}
