/* The monitor's commands, by the file that has them. Private to kernel/. */
#ifndef KERNEL_COMMANDS_H
#define KERNEL_COMMANDS_H

#include <base/types.h>
#include <kernel/printk.h>
#include <mm/gfp.h>
#include <mm/inspect.h>
#include <mm/lru.h>

/*
 * What is wrong with a word of the command that is being run, with its place in the line. `word` is
 * one of argv[], or points into one. Returns -EINVAL.
 */
int command_bad(const char *word, const char *fmt, ...) __printf_like(2, 3);
/* The same by its usage: argv[bad] is a word too many; bad == argc: one is missing. */
int command_usage(int argc, char **argv, int bad);

/* For struct monitor_command.complete: the nodes there are, as node=N; NULL after the last. */
const char *complete_node(u32 i);

/* completion of arguments, beside the commands */
const char *complete_alloc(u32 word, u32 i);
const char *complete_free(u32 word, u32 i);
const char *complete_check(u32 word, u32 i);

/* report_machine.c */
int command_numa(int argc, char **argv);
int command_memblock(int argc, char **argv);
/* Where each page of the firmware's map went, in the log. Panics if the sum is not exact. */
void check_accounting(void);

/* report_cpus.c */
int command_cpus(int argc, char **argv);
int command_irqs(int argc, char **argv);

/* report_threads.c */
int command_threads(int argc, char **argv);

/* report_locks.c */
int command_locks(int argc, char **argv);

/* report_memory.c */
int command_buddyinfo(int argc, char **argv);
int command_pagetypeinfo(int argc, char **argv);
int command_zoneinfo(int argc, char **argv);
int command_meminfo(int argc, char **argv);

/* slab_command.c */
int command_slabinfo(int argc, char **argv);
int command_slab(int argc, char **argv);
const char *complete_slab(u32 word, u32 i);

/* report_vmstat.c */
int command_vmstat(int argc, char **argv);
int command_numastat(int argc, char **argv);
/* "hw_" before the names of events that Linux does not have. */
const char *zone_event_prefix(enum zone_event event);
/* The i-th figure of a node (NUMA_NO_NODE: of all) and its LRUs, by Linux's name; false past the end. */
bool node_figure(int nid, const struct lru_snapshot *lru, u32 i, const char **name, u64 *value);
/* Stacks of CPUs and of threads. */
u64 kernel_stack_pages(void);

/* map_command.c, page_report.c, top.c */
int command_map(int argc, char **argv);
const char *complete_map(u32 word, u32 i);
int command_page(int argc, char **argv);
int command_top(int argc, char **argv);
const char *complete_top(u32 word, u32 i);

/* trace_command.c */
int command_trace(int argc, char **argv);
const char *complete_trace(u32 word, u32 i);

/* policy_command.c */
int command_mempolicy(int argc, char **argv);
const char *complete_mempolicy(u32 word, u32 i);
int command_cpuset(int argc, char **argv);
const char *complete_cpuset(u32 word, u32 i);
struct mempolicy;
/* "bind:0,2"; NULL: "local". */
void mempolicy_format(const struct mempolicy *policy, char *buf, size_t size);

/* fault_command.c */
int command_fault(int argc, char **argv);
const char *complete_fault(u32 word, u32 i);

/* fill_command.c */
int command_fill(int argc, char **argv);
const char *complete_fill(u32 word, u32 i);
int command_netblk(int argc, char **argv);
const char *complete_netblk(u32 word, u32 i);
bool fill_is_on(void);
/* For loads: monitor_interrupted(). */
bool command_interrupted(void *arg);

/* pressure_command.c */
int command_pressure(int argc, char **argv);
const char *complete_pressure(u32 word, u32 i);
bool pressure_is_on(void);
/* For a command that wants memory to itself: says what is in its way, and points at the word. */
bool command_memory_is_quiet(const char *word);

/* experiment.c */
int command_experiment(int argc, char **argv);
const char *complete_experiment(u32 word, u32 i);

/* explain_command.c */
int command_explain(int argc, char **argv);
const char *complete_explain(u32 word, u32 i);

/* commands_memory.c */
int command_alloc(int argc, char **argv);
/* A word of a command as a node that exists, an order, flags: 0, or -EINVAL and said. */
int command_parse_node(const char *text, int *nid);
int command_parse_order(const char *text, u64 *order);
int command_parse_gfp(const char *text, gfp_t *gfp);
int command_free(int argc, char **argv);
int command_check(int argc, char **argv);

#endif
