/*
 * numa-inspect: what this kernel would build from a machine's firmware tables.
 *
 *	numa-inspect [--json | --raw] [--boot-apic-id N] [--ram BASE-END[,BASE-END...]] FILE...
 *
 * The tables go through the kernel's own parsers. Only what the kernel learns elsewhere must be
 * told: the CPU it boots on (else the first enabled one), and what RAM there is (else ranges are
 * shown as the tables have them). Exit: 0; 1 for bad arguments or files; 2 if what came out
 * breaks the kernel's invariants, which is a bug in the kernel.
 */
#include <mm/memblock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

struct options {
	bool json, raw;
	s64 boot_apic_id;
	const char *ram;
};

static const char usage[] =
	"usage: numa-inspect [--json | --raw] [--boot-apic-id N] [--ram BASE-END[,...]] FILE...\n"
	"  FILE             a table (acpidump -b, iasl), the text of acpidump, or a directory\n"
	"  --json           the topology as JSON\n"
	"  --raw            the entries of the tables as the parsers read them, as JSON\n"
	"  --boot-apic-id   the CPU that boots; else the first that the MADT has enabled\n"
	"  --ram            what RAM there is, END being the first byte after it\n";

/* A number in C's notation; moves *text behind it. */
static bool take_number(const char **text, u64 *value)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	*value = strtoull(*text, &end, 0);
	*text = end;
	return true;
}

static bool add_ram(const char *text)
{
	u64 base, end;

	do {
		if (!take_number(&text, &base) || *text++ != '-' || !take_number(&text, &end) ||
		    base >= end || memblock_add(base, end - base) != 0)
			return false;
	} while (*text++ == ',');
	return text[-1] == '\0';
}

static bool bad_argument(const char *argument)
{
	fprintf(stderr, "numa-inspect: '%s': not understood\n%s", argument, usage);
	return false;
}

static bool value_option(struct options *options, const char *name, const char *value)
{
	const char *text = value;
	u64 id;

	if (strcmp(name, "--ram") == 0) {
		options->ram = value;
		return add_ram(value) || bad_argument(value);
	}
	if (!take_number(&text, &id) || *text || id > 0xffffffffu)
		return bad_argument(value);
	options->boot_apic_id = (s64)id;
	return true;
}

/* Options in any place; what is left are the files, moved to the front of argv. */
static bool parse_arguments(struct options *options, int argc, char **argv, int *nr_files)
{
	*nr_files = 0;
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "--json") == 0) {
			options->json = true;
		} else if (strcmp(word, "--raw") == 0) {
			options->raw = true;
		} else if (strcmp(word, "--ram") == 0 || strcmp(word, "--boot-apic-id") == 0) {
			if (i + 1 == argc)
				return bad_argument(word);
			if (!value_option(options, word, argv[++i]))
				return false;
		} else if (word[0] == '-') {
			return bad_argument(word);
		} else {
			argv[(*nr_files)++] = argv[i];
		}
	}
	if (*nr_files == 0 || (options->json && options->raw)) {
		fputs(usage, stderr);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct machine machine; /* hundreds of kibibytes */
	struct options options = {.boot_apic_id = BOOT_CPU_BY_MADT};
	struct table_set set = {0};
	int nr_files, code = 0;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(usage, stdout) < 0;
	if (!parse_arguments(&options, argc, argv, &nr_files))
		return 1;
	for (int i = 0; i < nr_files && code == 0; i++)
		code = read_tables(&set, argv[i]) ? 0 : 1;
	if (code == 0) {
		machine.boot_apic_id = options.boot_apic_id;
		machine.have_ram = options.ram != NULL;
		if (!build_machine(&machine, &set)) {
			fprintf(stderr,
				"numa-inspect: the topology breaks the kernel's invariants\n");
			code = 2;
		}
		if (options.raw)
			show_raw(&machine);
		else if (options.json)
			show_json(&machine);
		else
			show_text(&machine, &set);
	}
	free_tables(&set);
	return code;
}
