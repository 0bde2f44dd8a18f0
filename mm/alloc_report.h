/*
 * What people read of a request that got nothing, private to mm/.
 */
#ifndef MM_ALLOC_REPORT_H
#define MM_ALLOC_REPORT_H

#include "alloc_context.h"

/* One line for the request, one for each zone it could have used; ten requests in five seconds. Any context. */
void report_alloc_failure(const struct alloc_context *ac, uintptr_t call_site);

#endif
