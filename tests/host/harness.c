/*
 * The runner's surroundings on the host. Each case runs in a process of its own, so that it boots
 * its own machine, may end in a panic, and leaves nothing behind.
 */
#define _GNU_SOURCE
#include "host.h"

#include <arch/cpu.h>
#include <kernel/glob.h>
#include <kernel/lockcheck.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Written by the case's process, read by its parent. */
struct shared_result {
	struct ktest t;
	struct host_last_words last_words;
	u32 nr_threads; /* atomic */
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

void host_count_thread(void)
{
	/* Relaxed: a figure. */
	__atomic_fetch_add(&shared->nr_threads, 1, __ATOMIC_RELAXED);
}

bool host_has_threads(void)
{
	return __atomic_load_n(&shared->nr_threads, __ATOMIC_RELAXED) > 0;
}

/* With HOST_TIMES=1: what the case cost, its children included. tests/qemu/test_host.py reads it. */
static void note_times(struct ktest *t, const struct rusage *used, u64 ns)
{
	u64 us = (u64)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000 +
		 (u64)(used->ru_utime.tv_usec + used->ru_stime.tv_usec);

	if (getenv("HOST_TIMES"))
		ktest_note(t, "%lu ms of CPU in %lu ms, %u threads", us / 1000, ns / 1000000,
			   shared->nr_threads);
}

bool ktest_env_interrupted(void)
{
	return false; /* Ctrl-C ends the process */
}

void ktest_env_run(const struct ktest_case *c, struct ktest *t)
{
	unsigned int limit = c->limit_seconds ? c->limit_seconds : KTEST_DEFAULT_LIMIT_SECONDS;
	u64 started = arch_timestamp();
	struct rusage used;
	int status;
	pid_t pid;

	shared->t = *t;
	shared->last_words.text[0] = '\0';
	shared->nr_threads = 0;
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
	if (wait4(pid, &status, 0, &used) != pid) {
		perror("wait4");
		exit(2);
	}
	*t = shared->t;
	note_times(t, &used, arch_timestamp() - started);
	describe_end(t, status);
}

/* What fn(arg) says in its panic, in a process of its own; false: it did not end in one. */
static bool panic_of(void (*fn)(void *arg), void *arg, char *message, size_t size)
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
	snprintf(message, size, "%s", words->text);
	munmap(words, sizeof(*words));
	return WIFEXITED(status) && WEXITSTATUS(status) == HOST_EXIT_PANIC;
}

void expect_panic(struct ktest *t, void (*fn)(void *arg), void *arg, const char *text)
{
	char message[sizeof(((struct host_last_words *)NULL)->text)];

	EXPECT_MSG(t, panic_of(fn, arg, message, sizeof(message)), "no panic, expected \"%s\"",
		   text);
	EXPECT_MSG(t, strstr(message, text) != NULL, "panic \"%s\", expected \"%s\"", message,
		   text);
}

void expect_panic_like(struct ktest *t, void (*fn)(void *arg), void *arg, const char *glob)
{
	char message[sizeof(((struct host_last_words *)NULL)->text)];

	EXPECT_MSG(t, panic_of(fn, arg, message, sizeof(message)), "no panic, expected \"%s\"",
		   glob);
	EXPECT_MSG(t, glob_match(glob, strlen(glob), message), "panic \"%s\", expected \"%s\"",
		   message, glob);
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
