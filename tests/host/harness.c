/*
 * The runner's surroundings on the host. Each case runs in a process of its own, so that it boots
 * its own machine, may end in a panic, and leaves nothing behind.
 */
#define _GNU_SOURCE
#include "host.h"

#include <kernel/lockcheck.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Written by the case's process, read by its parent. */
struct shared_result {
	struct ktest t;
	struct host_last_words last_words;
};
static struct shared_result *shared;

void ktest_write(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

static void describe_end(struct ktest *t, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		ktest_fail(t, __FILE__, __LINE__, "ran over its time limit");
	else if (WIFSIGNALED(status))
		ktest_fail(t, __FILE__, __LINE__, "ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == HOST_EXIT_PANIC)
		ktest_fail(t, __FILE__, __LINE__, "panic: %s", shared->last_words.text);
	else if (WEXITSTATUS(status) != 0)
		ktest_fail(t, __FILE__, __LINE__, "ended with exit code %d: see above",
			   WEXITSTATUS(status));
}

bool ktest_env_interrupted(void)
{
	return false; /* Ctrl-C ends the process */
}

void ktest_env_run(const struct ktest_case *c, struct ktest *t)
{
	unsigned int limit = c->limit_seconds ? c->limit_seconds : KTEST_DEFAULT_LIMIT_SECONDS;
	int status;
	pid_t pid;

	shared->t = *t;
	shared->last_words.text[0] = '\0';
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	if (pid == 0) {
		alarm(limit);
		host_last_words = &shared->last_words;
		c->run(&shared->t);
		fflush(NULL);
		exit(0); /* not _exit: the leak checker has its say */
	}
	if (waitpid(pid, &status, 0) != pid) {
		perror("waitpid");
		exit(2);
	}
	*t = shared->t;
	describe_end(t, status);
}

void expect_panic(struct ktest *t, void (*fn)(void *arg), void *arg, const char *text)
{
	struct host_last_words *words = mmap(NULL, sizeof(*words), PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	if (words == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		host_last_words = words;
		fn(arg);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("fork");
		exit(2);
	}
	EXPECT_MSG(t, WIFEXITED(status) && WEXITSTATUS(status) == HOST_EXIT_PANIC,
		   "no panic (status 0x%x), expected \"%s\"", (unsigned int)status, text);
	EXPECT_MSG(t, strstr(words->text, text) != NULL, "panic \"%s\", expected \"%s\"",
		   words->text, text);
	munmap(words, sizeof(*words));
}

/* tests-asan [GLOBS [SEED]] */
int main(int argc, char **argv)
{
	const char *globs = argc > 1 ? argv[1] : NULL;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct ktest_summary summary;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	lockcheck_start();
	summary = ktest_run(globs, seed);
	return summary.failed ? 1 : 0;
}
