/*
 * Trace records on their way out: from the CPUs' rings, in frames, over COM2.
 *
 *	rings --trace_read()--> batch --> frame --com2_send()--> UART
 *
 * A stream is sessions, one after the other: BEGIN says what the numbers mean, so that a file can be read
 * without the kernel that wrote it; SITE gives a call site its name, once, and so a cache; RECORDS has
 * records of one CPU; END says how many there should be. Each frame has a length and a checksum. Whatever was lost on the
 * way shows: in a ring, by TRACE_LOST; on the wire, by a checksum, by a gap without TRACE_LOST, or by
 * END's sums.
 *
 * COM2 may stop taking bytes at any moment, and nobody waits for it. What has been begun stays where it
 * is, half a frame in `frame`, a batch in `batch`, and goes on at the next drain; meanwhile the rings fill, and
 * count what they lose. Without COM2 frames are made and dropped, so that the rings keep what is new
 * for `trace dump N`.
 *
 * One drains at a time: whoever sets `draining`. It may be preempted, so another does not wait for
 * it without a limit; a drain has nothing to do that the next one could not.
 *
 * Nothing here allocates or prints: what is traced should not be the tracing.
 */
#include <kernel/trace_stream.h>

#include <arch/cpu.h>
#include <base/assert.h>
#include <base/atomic.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/panic.h>
#include <mm/gfp.h>
#include <mm/numa.h>
#include <mm/page.h>
#include <mm/slab_inspect.h>
#include <mm/trace.h>
#include <x86/com2.h>
#include <x86/time.h>

#define BATCH_RECORDS 64
#define FRAME_BYTES   4096
#define NR_SITES      512 /* a power of two; those beyond stay numbers */
#define SITE_BYTES    96
#define ADLER_BASE    65521

/* For a drain of somebody else's to end: all the rings at COM2's speed take longer, but are rare. */
#define OWN_WAIT_NS 2000000000ull

_Static_assert(sizeof(struct trace_frame_header) + BATCH_RECORDS * sizeof(struct trace_record) <=
		       FRAME_BYTES,
	       "a batch fits a frame");

static bool draining; /* by exchange */

/* Everything below belongs to who drains, or starts or stops while nobody can. */
static u8 frame[FRAME_BYTES];
static u32 frame_bytes, frame_sent;

static struct {
	struct trace_record record[BATCH_RECORDS];
	u32 nr, named; /* records in hand; names looked at, two for each: call site, cache */
} batch;

static u64 sites[NR_SITES]; /* and caches, that were named; 0: free */
static bool com2, begin_wanted, end_wanted;
static struct trace_stream_figures figures;

/* --- Frames --------------------------------------------------------------------------------- */

static void add(const void *bytes, size_t nr)
{
	ASSERT_MSG(frame_bytes + nr <= FRAME_BYTES, "a trace frame of %zu bytes", frame_bytes + nr);
	memcpy(frame + frame_bytes, bytes, nr);
	frame_bytes += (u32)nr;
}

static void add_number(u64 value, size_t bytes)
{
	add(&value, bytes); /* little-endian, as the machine */
}

static void add_text(const char *text)
{
	add(text, strlen(text) + 1);
}

static void adler(u32 *a, u32 *b, const u8 *bytes, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		*a = (*a + bytes[i]) % ADLER_BASE;
		*b = (*b + *a) % ADLER_BASE;
	}
}

/* Leaves room for the header, which frame_close() fills in. */
static void frame_open(void)
{
	frame_sent = 0;
	frame_bytes = sizeof(struct trace_frame_header);
}

static void frame_close(enum trace_frame_kind kind, u32 entries)
{
	struct trace_frame_header header = {
		.magic = TRACE_MAGIC,
		.kind = (u16)kind,
		.entries = (u16)entries,
		.payload_bytes = frame_bytes - (u32)sizeof(header),
	};
	u32 a = 1, b = 0;

	adler(&a, &b, (const u8 *)&header, offsetof(struct trace_frame_header, checksum));
	adler(&a, &b, frame + sizeof(header), header.payload_bytes);
	header.checksum = b << 16 | a;
	memcpy(frame, &header, sizeof(header));
}

/* What COM2 takes of the frame; true if it is gone. */
static bool send_frame(void)
{
	u32 sent;

	if (frame_sent == frame_bytes)
		return true;
	sent = com2 ? com2_send(frame + frame_sent, frame_bytes - frame_sent) : 0;
	figures.bytes += sent;
	frame_sent = com2 ? frame_sent + sent : frame_bytes;
	figures.frames += com2 && frame_sent == frame_bytes;
	figures.stalled = frame_sent < frame_bytes;
	return frame_sent == frame_bytes;
}

static void make_begin(void)
{
	u32 nr_cpus = MIN(numa_topology()->nr_cpus, (u32)MAX_CPUS);

	frame_open();
	add_number(TRACE_VERSION, 2);
	add_number(sizeof(struct trace_record), 2);
	add_number(NR_TRACE_EVENTS, 2);
	add_number(MAX_NR_ZONES, 2);
	add_number(nr_gfp_names, 2);
	add_number(0, 6);
	add_number(time_tsc_khz() * 1000, 8);
	add_number(boot_entry_tsc, 8);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		add_number(cpu, 2);
		add_number((u64)cpu_to_node(cpu), 2);
	}
	for (u32 i = 0; i < NR_TRACE_EVENTS; i++)
		add_text(trace_event_name((enum trace_event)i));
	for (u32 i = 0; i < MAX_NR_ZONES; i++)
		add_text(zone_type_name((enum zone_type)i));
	for (u32 i = 0; i < nr_gfp_names; i++) {
		add_number(gfp_names[i].flags, 4);
		add_text(gfp_names[i].name);
	}
	frame_close(TRACE_FRAME_BEGIN, nr_cpus);
}

static void make_end(void)
{
	u32 nr_cpus = MIN(numa_topology()->nr_cpus, (u32)MAX_CPUS);

	frame_open();
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		struct trace_state state;

		trace_state(cpu, &state);
		add_number(cpu, 4);
		add_number((u32)(state.head + state.lost), 4); /* the next record's sequence */
		add_number(state.lost, 8);
	}
	frame_close(TRACE_FRAME_END, nr_cpus);
}

/* --- Names of call sites and of caches ------------------------------------------------------ */

/* True if it has no name yet and now has a place in the table. */
static bool site_is_new(u64 site)
{
	u32 at = (u32)((site * 0x9e3779b97f4a7c15ull) >> 32);

	for (u32 probe = 0; site && probe < 8; probe++) {
		u64 *slot = &sites[(at + probe) & (NR_SITES - 1)];

		if (*slot == site)
			return false;
		if (*slot == 0) {
			*slot = site;
			return true;
		}
	}
	return false;
}

static void make_site(u64 site, bool is_cache)
{
	char name[SITE_BYTES];

	if (!is_cache)
		symbol_format_return((uintptr_t)site, name, sizeof(name));
	else if (!slab_cache_name_at((const void *)(uintptr_t)site, name))
		snprintf(name, sizeof(name), "destroyed 0x%llx", (unsigned long long)site);
	frame_open();
	add_number(site, 8);
	add_text(name);
	frame_close(TRACE_FRAME_SITE, 1);
}

/* --- Draining ------------------------------------------------------------------------------- */

/* The batch in hand: first the names, then the records. */
static bool send_batch(void)
{
	while (batch.named < 2 * batch.nr) {
		const struct trace_record *r = &batch.record[batch.named / 2];
		bool is_cache = batch.named++ % 2;
		u64 site = !is_cache ? r->call_site : trace_is_about_cache(r->event) ? r->id : 0;

		if (!site_is_new(site))
			continue;
		make_site(site, is_cache);
		if (!send_frame())
			return false;
	}
	if (batch.nr == 0)
		return true;
	frame_open();
	add(batch.record, batch.nr * sizeof(batch.record[0]));
	frame_close(TRACE_FRAME_RECORDS, batch.nr);
	figures.records += batch.nr;
	batch.nr = batch.named = 0;
	return send_frame();
}

/* At most what the ring holds: who fills it as fast as it is emptied does not keep us here. */
static bool send_ring(u32 cpu)
{
	struct trace_state state;

	trace_state(cpu, &state);
	for (u32 left = state.size, nr; left > 0; left -= nr) {
		batch.nr = nr = trace_read(cpu, batch.record, MIN(left, (u32)BATCH_RECORDS));
		if (nr == 0)
			break;
		if (!send_batch())
			return false;
	}
	return true;
}

static bool drain(void)
{
	if (!send_frame())
		return false;
	if (begin_wanted) {
		make_begin();
		begin_wanted = false;
		if (!send_frame())
			return false;
	}
	if (!send_batch())
		return false;
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		if (!send_ring(cpu))
			return false;
	if (end_wanted) {
		make_end();
		end_wanted = false;
	}
	return send_frame();
}

/* Acquire and release: what the last one left half done is seen by the next. */
static bool own_stream(u64 wait_ns)
{
	u64 begin = arch_timestamp();

	while (__atomic_exchange_n(&draining, true, __ATOMIC_ACQUIRE)) {
		if (arch_timestamp_to_ns(arch_timestamp() - begin) >= wait_ns)
			return false;
		cpu_relax();
	}
	return true;
}

static void disown_stream(void)
{
	store_release(&draining, false);
}

static bool drain_within(u64 wait_ns)
{
	bool sent;

	if (!own_stream(wait_ns))
		return false;
	sent = drain();
	disown_stream();
	return sent;
}

bool trace_drain(void)
{
	return drain_within(0);
}

bool trace_drain_now(void)
{
	return drain_within(OWN_WAIT_NS);
}

/* Relaxed: a hint. Who looks again later misses nothing. */
bool trace_wants_drain(void)
{
	return load_relaxed(&trace_enabled) || load_relaxed(&end_wanted) ||
	       load_relaxed(&frame_sent) != load_relaxed(&frame_bytes);
}

/* --- Sessions ------------------------------------------------------------------------------- */

bool trace_stream_begin(void)
{
	if (!own_stream(OWN_WAIT_NS))
		return false;
	com2 = com2_init();
	begin_wanted = true;
	end_wanted = false;
	batch.nr = batch.named = 0; /* of a session that COM2 never took */
	memset(sites, 0, sizeof(sites));
	figures = (struct trace_stream_figures){.com2 = com2};
	disown_stream();
	return true;
}

bool trace_stream_end(void)
{
	if (!own_stream(OWN_WAIT_NS))
		return false;
	end_wanted = true;
	disown_stream();
	return true;
}

void trace_stream_figures(struct trace_stream_figures *out)
{
	*out = figures; /* torn where somebody drains: for people */
	out->unsent_records = batch.nr;
}
