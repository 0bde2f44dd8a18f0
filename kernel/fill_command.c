/*
 * `fill`: memory full of cached pages; `netblk`: the device that dirty ones are written to.
 *
 *	fill 90 dirty      writes as many pages as 90 % of memory has, each once; they stay until
 *	fill off           they are dropped, dirty ones too
 *
 * More than memory can be asked for: then the cache has as much of it as fits, and what came first is gone again.
 * All CPUs fill, each a stretch of the file.
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/netblk.h>
#include <kernel/parse.h>
#include <kernel/workload.h>
#include <mm/vmstat.h>

#include "commands.h"

#define FILL_PERCENT     90
#define FILL_MAX_PERCENT 400
#define FILL_LIMIT_NS    120000000000ull
#define DROP_LIMIT_NS    10000000000ull
#define NS_PER_MS        1000000ull
#define ULL(x)           ((unsigned long long)(x))

/* The monitor's: NULL, nothing is filled. */
static struct cache_file *filled;

bool fill_is_on(void)
{
	return filled != NULL;
}

bool command_interrupted(void *arg)
{
	(void)arg;
	return monitor_interrupted();
}

static int drop(void)
{
	if (filled && cache_file_destroy(filled, DROP_LIMIT_NS) != 0) {
		kprintf("fill: writes do not end within %llu s: `netblk` shows them; again later\n",
			ULL(DROP_LIMIT_NS / 1000 / NS_PER_MS));
		return -EINVAL;
	}
	filled = NULL;
	return 0;
}

static void print_result(u64 percent, bool dirty, const struct workload_result *r)
{
	struct cache_snapshot cache;
	struct vm_totals totals;

	cache_snapshot(filled, &cache);
	vm_totals(&totals);
	kprintf("fill: %llu %% of memory: %llu pages %s by %u CPU%s in %llu ms%s\n", ULL(percent),
		ULL(r->reads + r->writes), dirty ? "written" : "read", r->nr_threads,
		plural(r->nr_threads), ULL(r->ran_ns / NS_PER_MS),
		r->stopped     ? ", interrupted"
		: r->timed_out ? ", out of time"
			       : "");
	kprintf("in the cache: %llu, dirty %llu; free pages: %llu; got none: %llu; wrong: %llu\n",
		ULL(cache.pages), ULL(cache.dirty_pages), ULL(totals.free_pages), ULL(r->no_memory),
		ULL(r->wrong));
}

static int fill(u64 percent, bool dirty)
{
	struct workload_result result;
	struct vm_totals totals;
	u64 pages;
	int err;

	vm_totals(&totals);
	pages = totals.managed_pages * percent / 100;
	if (drop() != 0)
		return -EINVAL;
	filled = cache_file_create("fill", pages, 1);
	err = filled ? workload_run(&(struct workload){.kind = WORKLOAD_FILL,
						       .file = filled,
						       .dirty = dirty,
						       .nr_ops = pages,
						       .gfp = GFP_KERNEL,
						       .timeout_ns = FILL_LIMIT_NS,
						       .stopped = command_interrupted},
				    &result)
		     : -ENOMEM;
	if (err) {
		kprintf("fill: no memory to begin with\n");
		drop();
		return err;
	}
	print_result(percent, dirty, &result);
	return result.wrong || result.stopped || result.timed_out ? -EINVAL : 0;
}

int command_fill(int argc, char **argv)
{
	u64 percent = FILL_PERCENT;
	bool dirty = false, given = false;

	if (argc >= 2 && strcmp(argv[1], "off") == 0)
		return argc == 2 ? drop() : command_usage(argc, argv, 2);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "dirty") == 0 && !dirty) {
			dirty = true;
			continue;
		}
		if (given || strcmp(argv[i], "dirty") == 0)
			return command_usage(argc, argv, i);
		if (!parse_u64(argv[i], &percent) || percent == 0 || percent > FILL_MAX_PERCENT)
			return command_bad(argv[i], "'%.32s': allowed is 1..%d, dirty or off",
					   argv[i], FILL_MAX_PERCENT);
		given = true;
	}
	return fill(percent, dirty);
}

const char *complete_fill(u32 word, u32 i)
{
	static const char *const words[] = {"dirty", "off"};

	return word <= 2 && i < (word == 1 ? 2 : 1) ? words[i] : NULL;
}

/* --- netblk ------------------------------------------------------------------------------------- */

enum key { DELAY, LOSS, RESEND, RESENDS, MAX_WRITES, SEED, NR_KEYS };

static const char *const keys[NR_KEYS] = {
	"delay=", "loss=", "resend=", "resends=", "max=", "seed="};
static const char *const key_values[NR_KEYS] = {
	"MS or MS-MS, to 60000",
	"0..1000 packets of a thousand",
	"1..60000 ms",
	"a number of times; 0: without end",
	"writes at a time; 0: as memory allows",
	"a number",
};
#define MAX_MS 60000

static int show_netblk(void)
{
	struct netblk_options o;
	struct netblk_snapshot s;

	netblk_options_now(&o);
	netblk_snapshot(&s);
	kprintf("netblk: delay=%llu-%llu ms loss=%u of 1000 resend=%llu ms resends=%u max=%u "
		"seed=%llu\n",
		ULL(o.min_delay_ns / NS_PER_MS), ULL(o.max_delay_ns / NS_PER_MS), o.lost_permille,
		ULL(o.resend_after_ns / NS_PER_MS), o.max_resends, o.max_in_flight, ULL(o.seed));
	kprintf("writes: %llu submitted, %llu refused, %llu completed, %llu failed, %llu under "
		"way\n",
		ULL(s.submitted), ULL(s.refused), ULL(s.completed), ULL(s.failed),
		ULL(s.in_flight));
	kprintf("packets: %llu sent, %llu lost, %llu sent again, %llu corrupt; %llu pages held "
		"now\n",
		ULL(s.sent), ULL(s.lost), ULL(s.resent), ULL(s.corrupt), ULL(s.packet_pages));
	kprintf("for want of memory: %llu acknowledgements dropped, %llu packets not sent again\n",
		ULL(s.acks_dropped), ULL(s.resends_without_memory));
	return 0;
}

static bool parse_ms(const char *text, size_t len, u64 least, u64 *ns)
{
	char copy[24];
	u64 ms;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!parse_u64(copy, &ms) || ms < least || ms > MAX_MS)
		return false;
	*ns = ms * NS_PER_MS;
	return true;
}

static bool parse_value(enum key key, const char *text, struct netblk_options *o)
{
	const char *dash = strchr(text, '-');
	size_t len = strlen(text);
	u64 n = 0;

	if (key == DELAY)
		return parse_ms(text, dash ? (size_t)(dash - text) : len, 0, &o->min_delay_ns) &&
		       parse_ms(dash ? dash + 1 : text, strlen(dash ? dash + 1 : text), 0,
				&o->max_delay_ns) &&
		       o->min_delay_ns <= o->max_delay_ns;
	if (key == RESEND)
		return parse_ms(text, len, 1, &o->resend_after_ns);
	if (!parse_u64(text, &n))
		return false;
	if (key == SEED)
		o->seed = n;
	else if (key == LOSS)
		o->lost_permille = (u32)n;
	else if (key == RESENDS)
		o->max_resends = (u32)n;
	else
		o->max_in_flight = (u32)n;
	return key == SEED || n <= (key == LOSS ? 1000 : UINT32_MAX);
}

int command_netblk(int argc, char **argv)
{
	struct netblk_options options;
	u32 given = 0;

	netblk_options_now(&options);
	for (int i = 1; i < argc; i++) {
		u32 key = 0;

		while (key < NR_KEYS && strncmp(argv[i], keys[key], strlen(keys[key])) != 0)
			key++;
		if (key == NR_KEYS)
			return command_bad(argv[i], "'%.32s': Tab shows what can be set", argv[i]);
		if (given & 1u << key)
			return command_bad(argv[i], "'%.32s': %s was given already", argv[i],
					   keys[key]);
		given |= 1u << key;
		if (!parse_value((enum key)key, argv[i] + strlen(keys[key]), &options))
			return command_bad(argv[i] + strlen(keys[key]), "'%.32s': allowed is %s",
					   argv[i] + strlen(keys[key]), key_values[key]);
	}
	if (given) {
		int err = netblk_configure(&options);

		if (err)
			kprintf("netblk: %s\n",
				err == -EBUSY ? "writes are under way: later"
					      : "no write would ever end: only with resends=");
		if (err)
			return err;
	}
	return show_netblk();
}

const char *complete_netblk(u32 word, u32 i)
{
	(void)word;
	return i < NR_KEYS ? keys[i] : NULL;
}
