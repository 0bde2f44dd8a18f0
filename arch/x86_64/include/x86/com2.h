/* COM2, a 16550 at 115200 8N1: bytes out, for trace records. Nothing waits long if nobody reads. */
#ifndef X86_COM2_H
#define X86_COM2_H

#include <base/types.h>

bool com2_init(void); /* is there one? May be asked again. One user at a time, here as below. */
/*
 * Sends up to nr bytes and returns how many were taken: fewer if the UART has stopped taking them. It
 * is given a moment the first time, and none until it takes bytes again.
 */
u32 com2_send(const void *bytes, u32 nr);

#endif
