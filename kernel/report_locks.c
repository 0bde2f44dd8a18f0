/*
 * Locks: how often each name was taken and waited for, and which order they are taken in.
 *
 * What had to wait is counted always, the rest only while lockcheck is on. Read without a lock, as it goes.
 */
#include <base/format.h>
#include <kernel/lockcheck.h>
#include <mm/os.h>

#include "commands.h"

/* What the interrupts may be while it is held, as far as was seen. */
static const char *interrupts(const struct lock_class_info *info)
{
	if (info->mutex)
		return "mutex";
	if (info->in_irq)
		return "off, taken in one";
	return info->irqs_on ? "on" : "off";
}

static void print_names(void)
{
	struct lock_class_info info;

	kprintf("name                acquired   contended  wait us  hold us  interrupts\n");
	for (u32 i = 0; lockcheck_class(i, &info); i++)
		kprintf("%-16.16s  %10llu  %10llu  %7llu  %7llu  %s\n", info.name,
			(unsigned long long)info.acquired, (unsigned long long)info.contended,
			(unsigned long long)info.longest_wait_ns / 1000,
			(unsigned long long)info.longest_hold_ns / 1000, interrupts(&info));
}

static void print_orders(void)
{
	struct lock_order order;
	char outer[OS_CALLER_BYTES], inner[OS_CALLER_BYTES];

	kprintf("order, and where it was seen first\n");
	for (u32 i = 0; lockcheck_order(i, &order); i++) {
		if (!order.outer)
			continue;
		os_describe_caller(order.outer_site, outer, sizeof(outer));
		os_describe_caller(order.inner_site, inner, sizeof(inner));
		kprintf("  %s (%s) -> %s (%s)\n", order.outer, outer, order.inner, inner);
	}
}

int command_locks(int argc, char **argv)
{
	struct lockcheck_stats stats = lockcheck_stats();

	if (argc != 1)
		return command_usage(argc, argv, 1);
	if (lockcheck_is_on())
		kprintf("checked: %u names, %u orders, %u reports, %u without room\n",
			stats.classes, stats.orders, stats.reports, stats.unchecked);
	else
		kprintf("lockcheck is off: only what had to wait is known\n");
	print_names();
	if (stats.orders)
		print_orders();
	return 0;
}
