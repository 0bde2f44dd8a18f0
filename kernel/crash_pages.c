/*
 * Ending the kernel on purpose by misuse of pages. See kernel/crash.c; who notices each is mm/page_free.c, or, where
 * there are none left, mm/oom.c.
 */
#include <arch/page.h>
#include <mm/page_alloc.h>
#include <x86/image.h>

#include "crash_internal.h"

/* For larger blocks nobody is killed (docs/request.md). */
#define LARGEST_ORDER_TO_KILL_FOR 3

void crash_double_free(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 0);

	__free_pages(page, 0);
	__free_pages(page, 0);
}

void crash_wrong_order(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 2);

	__free_pages(page, 1);
}

void crash_free_reserved(void)
{
	__free_pages(pfn_to_page(pfn_down(image_to_phys(__text_start))), 0);
}

/*
 * With oom=panic the request that finds nobody to kill does not come back. Else all is given back: a block says
 * where the one before it is.
 */
void crash_out_of_memory(void)
{
	struct page *page, *last = NULL;

	while ((page = alloc_pages(GFP_KERNEL, LARGEST_ORDER_TO_KILL_FOR)) != NULL) {
		*(struct page **)page_address(page) = last;
		last = page;
	}
	while ((page = last) != NULL) {
		last = *(struct page **)page_address(page);
		__free_pages(page, LARGEST_ORDER_TO_KILL_FOR);
	}
}
