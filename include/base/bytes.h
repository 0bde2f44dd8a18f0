/*
 * Little-endian integers out of bytes that somebody else laid out: no alignment is asked for.
 *
 * The caller has checked that the bytes are there. memcpy of a constant size becomes one load;
 * a cast of the pointer would be undefined where the address is odd. Both architectures
 * are little-endian, so no bytes are swapped.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <base/string.h>
#include <base/types.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the readers below do not swap");

static inline u16 read_le16(const void *bytes)
{
	u16 value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static inline u32 read_le32(const void *bytes)
{
	u32 value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static inline u64 read_le64(const void *bytes)
{
	u64 value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

#endif
