/*
 * A fuzz target without libFuzzer: runs it over files, for compilers that have no fuzzer.
 *
 *	replay-srat FILE|DIRECTORY...
 *
 * Each file is one input; a directory stands for the files in it. Nothing is mutated: this is how
 * inputs that found something once are tried again on any machine with gcc and ASan. A finding
 * ends it as it would end the fuzzer; else it says how many inputs there were, so that none at
 * all does not look like success.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define MAX_INPUT_BYTES (1u << 20) /* no target takes more than some ten thousand */

static unsigned int nr_inputs;

/* The targets' own mutators end here; nobody calls them. */
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size)
{
	(void)data;
	(void)max_size;
	return size;
}

static _Noreturn void give_up(const char *path)
{
	perror(path);
	exit(1);
}

static void replay_file(const char *path, FILE *file)
{
	static u8 input[MAX_INPUT_BYTES];
	size_t size = fread(input, 1, sizeof(input), file);

	if (ferror(file))
		give_up(path);
	/* Before it runs: if it ends in a report, this is the last line above it. */
	printf("%s: %zu bytes\n", path, size);
	fflush(stdout);
	LLVMFuzzerTestOneInput(input, size);
	nr_inputs++;
}

static void replay(const char *path)
{
	DIR *dir = opendir(path);
	FILE *file;

	if (dir) {
		for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
			char name[4096];

			snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
			if (entry->d_name[0] != '.')
				replay(name);
		}
		closedir(dir);
		return;
	}
	file = fopen(path, "rb");
	if (!file)
		give_up(path);
	replay_file(path, file);
	fclose(file);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%u inputs\n", nr_inputs);
	return nr_inputs ? 0 : 1;
}
