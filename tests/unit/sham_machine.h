/* A machine with the sham (tests/reclaim/sham.h), for the suites that have one. */
#ifndef TESTS_SHAM_MACHINE_H
#define TESTS_SHAM_MACHINE_H

#include "host.h"

/* Boots it, and the sham is empty, with room for SHAM_MAX_PAGES. */
void sham_machine_boot(const struct host_machine *machine);

#endif
