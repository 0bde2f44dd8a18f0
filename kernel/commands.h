/* The monitor's commands, by the file that has them. Private to kernel/. */
#ifndef KERNEL_COMMANDS_H
#define KERNEL_COMMANDS_H

#include <base/types.h>
#include <kernel/printk.h>

/* One line for a wrong argument, and what the command then returns. */
int command_usage(const char *name);

/* report_machine.c */
int command_numa(int argc, char **argv);
int command_memblock(int argc, char **argv);
/* Where each page of the firmware's map went, in the log. Panics if the sum is not exact. */
void check_accounting(void);

/* report_cpus.c */
int command_cpus(int argc, char **argv);
int command_irqs(int argc, char **argv);

/* report_memory.c */
int command_buddyinfo(int argc, char **argv);
int command_zoneinfo(int argc, char **argv);
int command_meminfo(int argc, char **argv);

/* commands_memory.c */
int command_alloc(int argc, char **argv);
int command_free(int argc, char **argv);
int command_check(int argc, char **argv);

#endif
