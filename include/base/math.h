/*
 * Arithmetic on whole numbers that more than one file needs.
 */
#ifndef BASE_MATH_H
#define BASE_MATH_H

#include <base/types.h>

/* The largest r with r * r <= n. By bits, from the top: 32 steps. */
static inline u64 integer_sqrt(u64 n)
{
	u64 root = 0;

	for (u64 bit = (u64)1 << 31; bit; bit >>= 1) {
		if ((root | bit) * (root | bit) <= n)
			root |= bit;
	}
	return root;
}

/* By pairs, by fours, by bytes; the product adds these up. (The compiler's own would call a library.) */
static inline u32 count_bits(u64 word)
{
	word -= word >> 1 & 0x5555555555555555ull;
	word = (word & 0x3333333333333333ull) + (word >> 2 & 0x3333333333333333ull);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (u32)(word * 0x0101010101010101ull >> 56);
}

#endif
