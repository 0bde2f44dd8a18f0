/*
 * Tracing from outside: on, off, and the records on their way over COM2. docs/tracing.md has the
 * format; kernel/trace_stream.c the theory.
 */
#ifndef KERNEL_TRACE_STREAM_H
#define KERNEL_TRACE_STREAM_H

#include <base/types.h>

#define TRACE_MAGIC   0x52545748u /* "HWTR" */
#define TRACE_VERSION 1

enum trace_frame_kind {
	TRACE_FRAME_BEGIN = 1, /* what the numbers in records mean */
	TRACE_FRAME_SITE, /* the name of a call site or a cache, before the first record with it */
	TRACE_FRAME_RECORDS, /* of one CPU, in order */
	TRACE_FRAME_END      /* what each CPU wrote and lost, so that the rest can be counted */
};

/* Little-endian, as all of it. The checksum is Adler-32 of the 12 bytes before it and the payload. */
struct trace_frame_header {
	u32 magic;
	u16 kind;
	u16 entries; /* RECORDS: records; BEGIN, END: CPUs */
	u32 payload_bytes;
	u32 checksum;
};
_Static_assert(sizeof(struct trace_frame_header) == 16, "the decoder's format");

/*
 * Thread, interrupts on, one at a time. Start: 0; -EEXIST: it is on; -ENOMEM: no memory for a ring;
 * -EBUSY: a drain does not end. Stop: no CPU writes a record when it returns, and those in the rings
 * are sent, as far as COM2 takes them; 0; -ENOENT: it is off.
 */
int trace_start(void);
int trace_stop(void);
u64 trace_ring_pages(void); /* of rings, which stay for the next start */

/*
 * Sends what the rings hold, as much as COM2 takes without being waited for. Thread, interrupts on, any
 * CPU: made for a thread that does it now and then while trace_wants_drain(). True if all is sent;
 * false, too, if somebody else is at it.
 */
bool trace_drain(void);
bool trace_drain_now(void); /* the same, after waiting for somebody else's: at most some seconds */
bool trace_wants_drain(void);

struct trace_stream_figures {
	bool com2;          /* there is one */
	bool stalled;       /* it has taken a part of a frame, and then no more */
	u64 frames, bytes;  /* sent since the start */
	u64 records;        /* taken out of the rings since then */
	u32 unsent_records; /* in hand, beside those in the rings */
};
void trace_stream_figures(struct trace_stream_figures *out);

/* Between trace_control.c and trace_stream.c: the words of a session, sent by the next drains. */
bool trace_stream_begin(void);
bool trace_stream_end(void);

#endif
