/*
 * Words that several CPUs, or a CPU and its own interrupts, read and write without a lock.
 *
 * A plain access may be torn, repeated or left out by the compiler, and is undefined when another
 * CPU writes meanwhile; these are single accesses. The name says the order, and each use says in
 * a comment why that order is enough:
 *
 *   relaxed   nothing but this word: figures, hints, words that one CPU alone writes
 *   acquire   what follows is not done before; pairs with a release of the same word
 *   release   what came before is done first
 *
 * Read-modify-write is the compiler's __atomic_* with the order spelled out. No typeof tricks: one
 * macro each, any integer or pointer.
 */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#define load_relaxed(ptr)         __atomic_load_n((ptr), __ATOMIC_RELAXED)
#define load_acquire(ptr)         __atomic_load_n((ptr), __ATOMIC_ACQUIRE)
#define store_relaxed(ptr, value) __atomic_store_n((ptr), (value), __ATOMIC_RELAXED)
#define store_release(ptr, value) __atomic_store_n((ptr), (value), __ATOMIC_RELEASE)

/* Between code and what interrupts it on the same CPU: the compiler keeps the order. */
#define barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif
