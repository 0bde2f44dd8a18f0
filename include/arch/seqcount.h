/*
 * Sequence counters: readers that take nothing and write nothing, and look again if they must.
 *
 * For a few words that belong together, are read often and seldom changed. The writer holds a lock, as
 * against other writers; the counter is odd while it is at it. A reader that saw an odd number, or
 * another one afterwards, has seen a mixture and starts again:
 *
 *	writer, with the lock               reader
 *	seq_write_begin(&s)      4 -> 5     do {
 *	seq_store(&a, 1)                            start = seq_read_begin(&s);     waits for even
 *	seq_store(&b, 2)                            x = seq_load(&a);
 *	seq_write_end(&s)        5 -> 6             y = seq_load(&b);
 *	                                    } while (seq_read_retry(&s, start));
 *
 * The words are read and written by seq_load() and seq_store() only, since both happen at the same time.
 *
 * Memory order. A reader must not take words of a write and not see its number. Every seq_store() is
 * a release, of the odd number before it; every seq_load() an acquire. So who reads a new word sees
 * at least the odd number at the end, which is another one than the even one it began with. The other
 * way round seq_write_end() is a release and seq_read_begin() an acquire: who begins with the even
 * number sees every word of that write. The number at the end is read relaxed: it comes after the loads
 * before it because those are acquires. This is the variant without fences, which ThreadSanitizer
 * understands; on x86-64 all of these are plain moves.
 *
 * A reader waits for a writer, which therefore keeps its CPU: a spinlock sees to that. An interrupt that
 * reads what its own CPU writes would wait for ever: then the writer takes the lock with irqsave.
 * The number wraps after 2^31 writes; a reader would have to sleep through exactly as many.
 *
 * Source: Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012; the
 * idea is Lameter's and Arcangeli's, in Linux since 2.5.
 */
#ifndef ARCH_SEQCOUNT_H
#define ARCH_SEQCOUNT_H

#include <arch/spinlock.h>

struct seqcount {
	u32 number;                  /* odd: a writer is at it. Written with the lock held */
	const struct spinlock *lock; /* the writers' */
};

#define SEQCOUNT_INIT(its_lock)    \
	{                          \
		.lock = (its_lock) \
	}

#define seq_load(ptr)         load_acquire(ptr)
#define seq_store(ptr, value) store_release(ptr, value)

static inline void seqcount_init(struct seqcount *seq, const struct spinlock *lock)
{
	seq->number = 0;
	seq->lock = lock;
}

static inline void seq_write_begin(struct seqcount *seq)
{
	ASSERT_MSG(spin_is_held(seq->lock) && seq->number % 2 == 0,
		   "a write to what '%s' guards: lock %s, number %u", seq->lock->name,
		   spin_is_held(seq->lock) ? "held" : "not held", seq->number);
	/* Relaxed: the stores that follow release it. Only the holder of the lock writes it. */
	store_relaxed(&seq->number, seq->number + 1);
}

static inline void seq_write_end(struct seqcount *seq)
{
	store_release(&seq->number, seq->number + 1);
}

static inline u32 seq_read_begin(const struct seqcount *seq)
{
	u32 number;

	while (unlikely((number = load_acquire(&seq->number)) % 2)) {
		ASSERT_MSG(!spin_is_held(seq->lock), "CPU %u reads what it writes, under '%s'",
			   smp_processor_id(), seq->lock->name);
		cpu_relax();
	}
	return number;
}

/* Was it in vain? */
static inline bool seq_read_retry(const struct seqcount *seq, u32 start)
{
	return unlikely(load_relaxed(&seq->number) != start);
}

#endif
