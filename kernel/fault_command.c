/*
 * `fault`: rules that make requests for pages fail.
 *
 *	fault set site=thread_* nth=2      a rule; each key once, in any order
 *	fault                              what the rules have seen and failed
 *	fault off 1 | fault off            one of them gone, or all
 *
 * What they mean is in include/mm/fault_inject.h. A site is a glob of function names, or an address in
 * the function: 0x... alone is that call site, 0x...-0x... a range of them.
 */
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/parse.h>
#include <kernel/thread.h>
#include <mm/fault_inject.h>
#include <mm/page.h>

#include "commands.h"

enum key { SITE, TASK, ORDER, NTH, INTERVAL, PROBABILITY, SEED, TIMES, NR_KEYS };

static const char *const keys[NR_KEYS] = {
	"site=", "task=", "order=", "nth=", "interval=", "probability=", "seed=", "times="};
static const char *const key_values[NR_KEYS] = {
	"a function's name or glob, or 0xADDRESS[-0xADDRESS]",
	"a thread's id: `threads` shows them",
	"0..10",
	"1 or more",
	"1 or more",
	"1..100 percent",
	"a number above 0",
	"1 or more",
};

struct fault_arguments {
	struct fault_rule rule;
	u32 given; /* a bit for each key */
	u64 task;
};

/* --- Showing -------------------------------------------------------------------------------- */

static void print_number(const char *key, u64 value)
{
	if (value)
		kprintf(" %s%llu", key, (unsigned long long)value);
}

static void print_rule(const struct fault_rule_state *state)
{
	const struct fault_rule *rule = &state->rule;

	kprintf("rule %u:", state->id);
	if (rule->site[0])
		kprintf(" site=%s", rule->site);
	if (rule->end)
		kprintf(" site=0x%lx-0x%lx", (unsigned long)rule->from, (unsigned long)rule->end);
	if (rule->of_tasks)
		kprintf(" of one task");
	print_number(keys[ORDER], rule->min_order);
	print_number(keys[NTH], rule->nth);
	print_number(keys[INTERVAL], rule->interval);
	print_number(keys[PROBABILITY], rule->probability);
	print_number(keys[SEED], rule->seed);
	print_number(keys[TIMES], rule->times);
	kprintf(": %llu requests seen, %llu failed\n", (unsigned long long)state->seen,
		(unsigned long long)state->failed);
}

static int show(void)
{
	struct fault_rule_state state;

	if (!fault_rule_describe(0, &state))
		kprintf("no request is made to fail: `fault set` makes a rule\n");
	for (u32 i = 0; fault_rule_describe(i, &state); i++)
		print_rule(&state);
	return 0;
}

/* --- Setting -------------------------------------------------------------------------------- */

/* Which key the word begins with; NR_KEYS: none. */
static enum key find_key(const char *word)
{
	int key = 0;

	while (key < NR_KEYS && strncmp(word, keys[key], strlen(keys[key])) != 0)
		key++;
	return (enum key)key;
}

static bool parse_addresses(const char *text, struct fault_rule *rule)
{
	char first[32];
	const char *dash = strchr(text, '-');
	u64 from, end;

	snprintf(first, sizeof(first), "%.*s", (int)(dash ? (size_t)(dash - text) : strlen(text)),
		 text);
	if (!parse_u64(first, &from) || (dash && !parse_u64(dash + 1, &end)))
		return false;
	rule->from = (uintptr_t)from;
	rule->end = (uintptr_t)(dash ? end : from + 1);
	return rule->from < rule->end;
}

static bool parse_site(const char *text, struct fault_rule *rule)
{
	if (strncmp(text, "0x", 2) == 0)
		return parse_addresses(text, rule);
	if (text[0] == '\0' || strlen(text) >= sizeof(rule->site))
		return false;
	snprintf(rule->site, sizeof(rule->site), "%s", text);
	return true;
}

static bool parse_value(enum key key, const char *text, struct fault_arguments *out)
{
	struct fault_rule *rule = &out->rule;
	u64 n;

	if (key == SITE)
		return parse_site(text, rule);
	/* 0 means "any" in a rule, so it is no value; but there is an order 0, and a thread. */
	if (!parse_u64(text, &n) || (n == 0 && key != ORDER && key != TASK))
		return false;
	switch (key) {
	case TASK:
		out->task = n;
		rule->of_tasks = true;
		return true;
	case ORDER:
		rule->min_order = (u32)n;
		return n <= MAX_ORDER;
	case NTH:
		rule->nth = n;
		return true;
	case INTERVAL:
		rule->interval = (u32)n;
		return n <= UINT32_MAX;
	case PROBABILITY:
		rule->probability = (u32)n;
		return n <= 100;
	case SEED:
		rule->seed = n;
		return true;
	case TIMES:
		rule->times = n;
		return true;
	default:
		return false;
	}
}

static int parse_rule(int argc, char **argv, struct fault_arguments *out)
{
	*out = (struct fault_arguments){0};
	for (int i = 2; i < argc; i++) {
		enum key key = find_key(argv[i]);
		char *value;

		if (key == NR_KEYS)
			return command_bad(argv[i], "'%.32s': Tab shows what a rule may have",
					   argv[i]);
		value = argv[i] + strlen(keys[key]);
		if (out->given & 1u << key)
			return command_bad(argv[i], "'%.32s': %s was given already", argv[i],
					   keys[key]);
		out->given |= 1u << key;
		if (!parse_value(key, value, out))
			return command_bad(value, "'%.32s': allowed is %s", value, key_values[key]);
	}
	return 0;
}

static int set(int argc, char **argv)
{
	struct fault_arguments arguments;
	struct fault_rule_state state;
	int id;

	if (argc == 2)
		return command_bad(argv[1], "which requests? `fault set probability=100` is all");
	if (parse_rule(argc, argv, &arguments) != 0)
		return -EINVAL;
	id = fault_rule_add(&arguments.rule);
	if (id < 0)
		return command_bad(argv[1], "there are %d rules already: `fault off ID`",
				   MAX_FAULT_RULES);
	if (arguments.rule.of_tasks && (arguments.task > UINT32_MAX ||
					!thread_mark_fault_rule((u32)arguments.task, (u32)id))) {
		fault_rule_remove((u32)id);
		kprintf("there is no thread %llu: `threads` shows them\n",
			(unsigned long long)arguments.task);
		return -EINVAL;
	}
	if (fault_rule_state((u32)id, &state))
		print_rule(&state);
	return 0;
}

static int off(int argc, char **argv)
{
	u64 id;

	if (argc > 3)
		return command_usage(argc, argv, 3);
	if (argc == 2) {
		fault_rules_remove_all();
		return 0;
	}
	if (!parse_u64(argv[2], &id) || id > UINT32_MAX || !fault_rule_remove((u32)id))
		return command_bad(argv[2], "'%.32s': there is no such rule", argv[2]);
	return 0;
}

int command_fault(int argc, char **argv)
{
	if (argc == 1 || (argc == 2 && strcmp(argv[1], "show") == 0))
		return show();
	if (strcmp(argv[1], "set") == 0)
		return set(argc, argv);
	if (strcmp(argv[1], "off") == 0)
		return off(argc, argv);
	return command_usage(argc, argv, strcmp(argv[1], "show") == 0 ? 2 : 1);
}

const char *complete_fault(u32 word, u32 i)
{
	static const char *const words[] = {"show", "set", "off"};

	if (word == 1)
		return i < ARRAY_SIZE(words) ? words[i] : NULL;
	return i < NR_KEYS ? keys[i] : NULL;
}
