/*
 * A timing wheel (Varghese and Lauck, SOSP 1987): WHEEL_SLOTS lists, a millisecond each, by due time.
 *
 * Each walk goes from where the last one stopped to now. What is due later than a lap stays in its slot and is
 * passed over, once in each lap.
 *
 *	slot   0    1    2    3  ...  255
 *	            ^cursor   ^now          walked: 1, 2, 3; the next walk begins at 3
 *
 * Adding is a few instructions whatever is on it, and a walk costs what it meets. It may stop amidst a slot:
 * to_look_at is how many of its writes are left. Those that stay go to the end of the slot, behind those, so none is
 * looked at twice; one that comes meanwhile and is due with them is one more.
 */
#include "wheel.h"

#define SLOT_NS ((u64)1000000)

static struct wheel_slot *slot_at(struct wheel *wheel, u64 number)
{
	return &wheel->slots[number % WHEEL_SLOTS];
}

static void append(struct wheel *wheel, struct netblk_write *write)
{
	struct wheel_slot *slot = slot_at(wheel, MAX(write->due_ns / SLOT_NS, wheel->cursor));

	write->next = NULL;
	if (slot->last)
		slot->last->next = write;
	else
		slot->first = write;
	slot->last = write;
	slot->nr++;
}

/* Into the slot that is half walked, it is walked with it: else it would wait for a lap. */
void wheel_add(struct wheel *wheel, struct netblk_write *write)
{
	append(wheel, write);
	if (wheel->to_look_at > 0 && write->due_ns / SLOT_NS <= wheel->cursor)
		wheel->to_look_at++;
}

static struct netblk_write *take_first(struct wheel_slot *slot)
{
	struct netblk_write *write = slot->first;

	slot->first = write->next;
	if (!slot->first)
		slot->last = NULL;
	slot->nr--;
	return write;
}

void wheel_begin(struct wheel *wheel, u64 now_ns)
{
	u64 end = now_ns / SLOT_NS;

	/* After a long silence: once round is enough. */
	if (end >= WHEEL_SLOTS && wheel->cursor < end - (WHEEL_SLOTS - 1)) {
		wheel->cursor = end - (WHEEL_SLOTS - 1);
		wheel->to_look_at = 0;
	}
	if (wheel->to_look_at == 0)
		wheel->to_look_at = slot_at(wheel, wheel->cursor)->nr;
}

struct netblk_write *wheel_next(struct wheel *wheel, u64 now_ns, u32 *budget)
{
	while (*budget > 0) {
		struct netblk_write *first;

		if (wheel->to_look_at == 0) {
			if (wheel->cursor >= now_ns / SLOT_NS)
				return NULL;
			wheel->cursor++;
			wheel->to_look_at = slot_at(wheel, wheel->cursor)->nr;
			continue;
		}
		first = take_first(slot_at(wheel, wheel->cursor));
		wheel->to_look_at--;
		--*budget;
		if (first->due_ns <= now_ns)
			return first;
		append(wheel, first);
	}
	return NULL;
}
