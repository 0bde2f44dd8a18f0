/*
 * Circular doubly linked list, the link inside the element.
 *
 * An empty list is a head that points to itself. A removed element's links are
 * poisoned, so that removing it twice faults at an address that says so.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <base/types.h>

struct list_head {
	struct list_head *next, *prev;
};

/* Non-canonical addresses: any use of a poisoned link faults at once. */
#define LIST_POISON_NEXT ((struct list_head *)0xdead000000000100ULL)
#define LIST_POISON_PREV ((struct list_head *)0xdead000000000122ULL)

static inline void list_init(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_insert_between(struct list_head *entry, struct list_head *prev,
				       struct list_head *next)
{
	next->prev = entry;
	entry->next = next;
	entry->prev = prev;
	prev->next = entry;
}

/* Adds at the front: the list is then a stack. */
static inline void list_add(struct list_head *entry, struct list_head *head)
{
	list_insert_between(entry, head, head->next);
}

/* Adds at the end: the list is then a queue. */
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	list_insert_between(entry, head->prev, head);
}

/* Without the poison: for who marks the element in another way. */
static inline void list_unlink(struct list_head *entry)
{
	struct list_head *next = entry->next, *prev = entry->prev;

	next->prev = prev;
	prev->next = next;
}

static inline void list_del(struct list_head *entry)
{
	list_unlink(entry);
	entry->next = LIST_POISON_NEXT;
	entry->prev = LIST_POISON_PREV;
}

#define list_entry(ptr, type, member)        container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)

#define list_for_each_entry(pos, head, member)                                                 \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

#endif
