/* The list of base/list.h. Runs on the host, too. */
#include <base/list.h>
#include <kernel/test.h>

struct item {
	u32 number;
	struct list_head link;
};

/* The numbers in order, as decimal digits: 123 for 1, 2, 3. */
static u32 digits(struct list_head *head)
{
	struct item *item;
	u32 n = 0;

	list_for_each_entry(item, head, link)
		n = n * 10 + item->number;
	return n;
}

static void adds_at_both_ends(struct ktest *t)
{
	struct item one = {.number = 1}, two = {.number = 2}, three = {.number = 3};
	struct list_head head;

	list_init(&head);
	EXPECT(t, list_empty(&head));
	EXPECT_EQ(t, digits(&head), 0);
	list_add(&two.link, &head);
	list_add(&one.link, &head);
	list_add_tail(&three.link, &head);
	EXPECT(t, !list_empty(&head));
	EXPECT_EQ(t, digits(&head), 123);
	EXPECT_EQ(t, list_first_entry(&head, struct item, link)->number, 1);
}

static void deletes_anywhere(struct ktest *t)
{
	struct item items[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
	struct list_head head;

	list_init(&head);
	for (u32 i = 0; i < ARRAY_SIZE(items); i++)
		list_add_tail(&items[i].link, &head);
	list_del(&items[1].link);
	EXPECT_EQ(t, digits(&head), 134);
	list_del(&items[0].link);
	EXPECT_EQ(t, digits(&head), 34);
	list_del(&items[3].link);
	EXPECT_EQ(t, digits(&head), 3);
	list_del(&items[2].link);
	EXPECT(t, list_empty(&head) && head.prev == &head);
	EXPECT(t, items[2].link.next == LIST_POISON_NEXT);
	EXPECT(t, items[2].link.prev == LIST_POISON_PREV);
}

static const struct ktest_case cases[] = {
	KTEST(adds_at_both_ends),
	KTEST(deletes_anywhere),
};
KTEST_SUITE(list, cases);
