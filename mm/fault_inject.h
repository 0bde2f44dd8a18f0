/*
 * Fault injection, private to mm/: the question that a request asks. See mm/fault_inject.c.
 */
#ifndef MM_FAULT_INJECT_PRIVATE_H
#define MM_FAULT_INJECT_PRIVATE_H

#include <base/atomic.h>
#include <mm/fault_inject.h>
#include <mm/gfp.h>

/* Relaxed: who misses the change by a moment was there before it. */
extern bool fault_rules_exist;

/* Out of line: the request has looked at fault_rules_exist. */
bool fault_hits_request(gfp_t gfp, unsigned int order, uintptr_t call_site);

/* Shall this request fail? Any context. A request that must not fail never does. */
static inline bool fault_injected(gfp_t gfp, unsigned int order, uintptr_t call_site)
{
	return unlikely(load_relaxed(&fault_rules_exist)) &&
	       fault_hits_request(gfp, order, call_site);
}

#endif
