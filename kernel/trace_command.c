/*
 * `trace`: tracing by hand.
 *
 * What goes over COM2 is for tools/trace.py. `trace dump N` shows the newest records here: those in the
 * rings, sent or not, until something else is written over them, in the order of their time. On a
 * machine without COM2 that is all there is.
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/panic.h>
#include <kernel/parse.h>
#include <kernel/trace_stream.h>
#include <mm/gfp.h>
#include <mm/numa.h>
#include <mm/page.h>
#include <mm/reclaim.h>
#include <mm/slab_inspect.h>
#include <mm/trace.h>
#include <x86/smp.h>
#include <x86/time.h>

#include "commands.h"

#define MAX_SHOWN  10000
#define TEXT_BYTES 96

/* --- Showing -------------------------------------------------------------------------------- */

static void print_block(const struct trace_record *r)
{
	kprintf(" pfn 0x%llx order %u node %u zone %s", (unsigned long long)r->id, r->order, r->nid,
		zone_type_name((enum zone_type)r->zone));
}

static void print_place(const struct trace_record *r)
{
	kprintf(" order %u node %u zone %s", r->order, r->nid,
		zone_type_name((enum zone_type)r->zone));
}

static void print_caller(const struct trace_record *r)
{
	char text[TEXT_BYTES];

	if (r->gfp) {
		gfp_format(r->gfp, text, sizeof(text));
		kprintf(" gfp %s", text);
	}
	symbol_format_return((uintptr_t)r->call_site, text, sizeof(text));
	kprintf(" by %s\n", text);
}

/* By its name, if there is still one at that address. */
static void print_cache(const struct trace_record *r)
{
	char name[SLAB_NAME_BYTES];

	if (slab_cache_name_at((const void *)(uintptr_t)r->id, name))
		kprintf(" cache %s", name);
	else
		kprintf(" cache 0x%llx", (unsigned long long)r->id);
}

/* False: it is no event of the slab layer. */
static bool print_slab_record(const struct trace_record *r)
{
	unsigned long long arg = r->arg;

	switch (r->event) {
	case TRACE_SLAB_ALLOC:
	case TRACE_SLAB_FREE:
		kprintf(" object 0x%llx bytes %llu node %u", (unsigned long long)r->id, arg,
			r->nid);
		print_caller(r);
		break;
	case TRACE_SLAB_REFILL:
	case TRACE_SLAB_FLUSH:
	case TRACE_SLAB_REAP:
		print_cache(r);
		kprintf(" objects %llu node %u\n", arg, r->nid);
		break;
	case TRACE_SLAB_GROW:
	case TRACE_SLAB_GIVE:
		print_cache(r);
		kprintf(" pfn 0x%llx order %u node %u\n", arg, r->order, r->nid);
		break;
	case TRACE_SLAB_FALLBACK:
		print_cache(r);
		kprintf(" step %s node %u", slab_fallback_step_name(arg), r->nid);
		print_caller(r);
		break;
	default:
		return false;
	}
	return true;
}

static void print_record(const struct trace_record *r)
{
	u64 us = arch_timestamp_to_ns(r->timestamp - boot_entry_tsc) / 1000;
	unsigned long long arg = r->arg;

	kprintf("[%5llu.%06llu] cpu %-2u %-17s", (unsigned long long)(us / 1000000),
		(unsigned long long)(us % 1000000), r->cpu,
		trace_event_name((enum trace_event)r->event));
	switch (r->event) {
	case TRACE_PAGE_ALLOC:
	case TRACE_PAGE_FREE:
		print_block(r);
		print_caller(r);
		break;
	case TRACE_PAGE_ALLOC_FAILED:
		print_place(r);
		print_caller(r);
		break;
	case TRACE_PCP_REFILL:
	case TRACE_PCP_DRAIN:
		print_place(r);
		kprintf(" pages %llu\n", arg);
		break;
	case TRACE_ZONE_SPLIT:
		print_block(r);
		kprintf(" to %llu\n", arg);
		break;
	case TRACE_ZONE_MERGE:
		print_block(r);
		kprintf(" from %llu\n", arg);
		break;
	case TRACE_SCHED_SWITCH:
		kprintf(" thread %llu before %llu\n", (unsigned long long)r->id, arg);
		break;
	case TRACE_SCHED_WAKE:
		kprintf(" thread %llu of %llu", (unsigned long long)r->id, arg);
		print_caller(r);
		break;
	case TRACE_FAULT_INJECTED:
		kprintf(" rule %llu request %llu order %u", (unsigned long long)r->id, arg,
			r->order);
		print_caller(r);
		break;
	case TRACE_OOM_KILL:
		kprintf(" victim %llu badness %llu order %u node %u zone %s",
			(unsigned long long)r->id, arg, r->order, r->nid,
			zone_type_name((enum zone_type)r->zone));
		print_caller(r);
		break;
	case TRACE_KSWAPD_WAKE:
		kprintf(" node %u wanted 0x%llx\n", r->nid, arg);
		break;
	case TRACE_KSWAPD_SLEEP:
		kprintf(" node %u freed %llu %s\n", r->nid, arg,
			kswapd_state_name((enum kswapd_state)r->id));
		break;
	case TRACE_RECLAIM_BEGIN:
		print_place(r);
		kprintf(" wanted %llu\n", arg);
		break;
	case TRACE_RECLAIM_END:
		print_place(r);
		kprintf(" scanned %llu freed %llu\n", (unsigned long long)r->id, arg);
		break;
	case TRACE_RECLAIM_BLOCK:
		print_block(r);
		kprintf(" evicted %llu whole %llu\n", arg >> 1, arg & 1);
		break;
	case TRACE_LOST:
		kprintf(" %llu found the ring full\n", arg);
		break;
	default:
		if (!print_slab_record(r))
			kprintf(" id %llu arg %llu\n", (unsigned long long)r->id, arg);
		break;
	}
}

/* Where each CPU's records to be shown begin and end. Only the monitor uses it, and there is one. */
static struct {
	u64 at, end;
} window[MAX_CPUS];

/* The CPU whose next record, or next older one, is first or last in time; MAX_CPUS: none has one. */
static u32 pick(bool oldest, struct trace_record *out)
{
	u32 best = MAX_CPUS, cpu;

	for_each_online_cpu(cpu) {
		struct trace_record r;
		bool have = oldest ? window[cpu].at < window[cpu].end &&
					     trace_at(cpu, window[cpu].at, &r)
				   : window[cpu].at > 0 && trace_at(cpu, window[cpu].at - 1, &r);

		if (have && (best == MAX_CPUS || (oldest ? r.timestamp < out->timestamp
							 : r.timestamp > out->timestamp))) {
			best = cpu;
			*out = r;
		}
	}
	return best;
}

/* Goes back nr records over all CPUs, then shows them forward. */
static void show_newest(u64 nr)
{
	struct trace_record r;
	u32 cpu;

	for_each_online_cpu(cpu) {
		struct trace_state state;

		trace_state(cpu, &state);
		window[cpu].at = window[cpu].end = state.head;
	}
	while (nr-- > 0 && (cpu = pick(false, &r)) < MAX_CPUS)
		window[cpu].at--;
	while (!monitor_interrupted() && (cpu = pick(true, &r)) < MAX_CPUS) {
		window[cpu].at++;
		print_record(&r);
	}
}

/* One line about the stream. */
static void print_stream(void)
{
	struct trace_stream_figures f;
	u64 unread = 0;
	u32 cpu;

	trace_stream_figures(&f);
	for_each_online_cpu(cpu) {
		struct trace_state state;

		trace_state(cpu, &state);
		unread += state.head - state.tail;
	}
	if (!f.com2)
		kprintf("trace: this machine has no COM2: records stay here, `trace dump N` shows "
			"them\n");
	else if (f.stalled)
		kprintf("trace: COM2 takes no bytes: %llu records wait\n",
			(unsigned long long)(unread + f.unsent_records));
	else
		kprintf("trace: %llu records in %llu frames, %llu bytes, sent over COM2\n",
			(unsigned long long)f.records, (unsigned long long)f.frames,
			(unsigned long long)f.bytes);
}

static int show_status(void)
{
	u32 cpu;

	kprintf("tracing is %s\n", trace_enabled ? "on" : "off");
	kprintf("cpu node    size   written    unsent      lost\n");
	for_each_online_cpu(cpu) {
		struct trace_state state;

		trace_state(cpu, &state);
		kprintf("%3u %4d %7u %9llu %9llu %9llu\n", cpu, cpu_to_node(cpu), state.size,
			(unsigned long long)state.head,
			(unsigned long long)(state.head - state.tail),
			(unsigned long long)state.lost);
	}
	print_stream();
	return 0;
}

/* --- The command ---------------------------------------------------------------------------- */

static int start(void)
{
	int err = trace_start();

	if (err == -EEXIST)
		kprintf("trace: it is on already\n");
	else if (err == -ENOMEM)
		kprintf("trace: no memory for the CPUs' rings: tracing stays off\n");
	else if (err)
		kprintf("trace: the last records are still being sent: tracing stays off\n");
	else
		trace_drain_now(); /* who reads learns at once what will come */
	return err ? -EINVAL : 0;
}

static int stop(void)
{
	if (trace_stop() != 0) {
		kprintf("trace: it is off already\n");
		return -EINVAL;
	}
	print_stream();
	return 0;
}

static int dump(int argc, char **argv)
{
	u64 nr = 0;

	if (argc == 3 && (!parse_u64(argv[2], &nr) || nr == 0 || nr > MAX_SHOWN))
		return command_bad(argv[2], "'%.32s': allowed is 1..%d", argv[2], MAX_SHOWN);
	trace_drain_now();
	if (argc == 3)
		show_newest(nr);
	else
		print_stream();
	return 0;
}

int command_trace(int argc, char **argv)
{
	if (argc == 1)
		return command_usage(argc, argv, 1);
	if (strcmp(argv[1], "dump") == 0)
		return argc > 3 ? command_usage(argc, argv, 3) : dump(argc, argv);
	if (argc > 2)
		return command_usage(argc, argv, 2);
	if (strcmp(argv[1], "on") == 0)
		return start();
	if (strcmp(argv[1], "off") == 0)
		return stop();
	if (strcmp(argv[1], "status") == 0)
		return show_status();
	return command_bad(argv[1], "'%.32s': there is on, off, dump and status", argv[1]);
}

const char *complete_trace(u32 word, u32 i)
{
	static const char *const words[] = {"on", "off", "dump", "status"};

	return word == 1 && i < ARRAY_SIZE(words) ? words[i] : NULL;
}
