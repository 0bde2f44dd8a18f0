/*
 * Calibration on a machine that is taken away now and then: what is said to be certain is, wherever that
 * happens, and a busy host costs exactness within limits, not truth.
 */
#include "host.h"

#include "arch/x86_64/calibrate.h"

#define COUNT      11931   /* of the counter: 10 ms */
#define TICKS_EACH 1676ull /* of the clock, for one of the counter: 2 GHz */

/* Time goes on where something is done, and nowhere else. */
struct machine {
	struct random_state random;
	u64 time;      /* ticks of the clock */
	u64 end;       /* when the counter is at its end */
	u64 step;      /* what an access takes */
	u32 one_in;    /* so many accesses it is away once, before or after the effect; 0: never */
	u64 away;      /* for up to so many ticks */
	u64 next_away; /* time; 0: as above */
	u64 slice;     /* it runs for so long and is then away as long as `away`; 0: as above */
	bool dead;     /* the counter never ends */
	u32 shots;
};

static void maybe_away(struct machine *m)
{
	if (m->slice && m->time >= m->next_away) {
		m->time += m->away;
		m->next_away = m->time + m->slice;
	}
	if (m->one_in && host_random_below(&m->random, m->one_in) == 0)
		m->time += host_random_below(&m->random, m->away);
}

static u64 now(void *arg)
{
	struct machine *m = arg;
	u64 time;

	maybe_away(m);
	time = m->time++;
	maybe_away(m);
	return time;
}

static void start(void *arg, u32 count)
{
	struct machine *m = arg;

	m->time += m->step;
	maybe_away(m);
	m->end = m->time + count * TICKS_EACH;
	m->shots++;
	maybe_away(m);
	m->time += m->step;
}

static bool ended(void *arg)
{
	struct machine *m = arg;
	bool is;

	m->time += m->step;
	maybe_away(m);
	is = !m->dead && m->time >= m->end;
	maybe_away(m);
	m->time += m->step;
	return is;
}

static struct one_shot counter_of(struct machine *m)
{
	return (struct one_shot){now, start, ended, m};
}

static u64 per_mille_off(const struct calibration *c)
{
	u64 right = c->count * TICKS_EACH;

	return (c->ticks > right ? c->ticks - right : right - c->ticks) * 1000 / right;
}

static void a_quiet_machine_takes_one(struct ktest *t)
{
	struct machine m = {.random = {1}, .step = 500};
	struct one_shot shot = counter_of(&m);
	struct calibration c = calibrate(&shot, COUNT);

	EXPECT_EQ(t, m.shots, 1);
	EXPECT_EQ(t, c.count, COUNT);
	EXPECT_EQ(t, per_mille_off(&c), 0);
}

static void what_is_certain_is_true(struct ktest *t)
{
	struct machine m = {
		.random = {t->seed + 1}, .step = 500, .one_in = 20000, .away = 20 * 1000 * 1000};
	struct one_shot shot = counter_of(&m);
	u64 right = COUNT * TICKS_EACH;
	u32 wide = 0, tight = 0;

	for (u32 i = 0; i < 400; i++) {
		struct took took = one_shot_measure(&shot, COUNT);

		if (!EXPECT_MSG(t, took.least <= right && right <= took.most,
				"shot %u: %llu is not within %llu .. %llu", i,
				(unsigned long long)right, (unsigned long long)took.least,
				(unsigned long long)took.most))
			return;
		wide += took.most - took.least > right / 10;
		tight += took.most - took.least < right / 1000;
	}
	/* Both kinds came, else nothing was tried. */
	EXPECT(t, wide > 20 && tight > 20);
}

/* The last "no" was read before the end, and the CPU was away before anybody could ask again. */
static void away_behind_the_last_no(struct ktest *t)
{
	struct machine m = {
		.random = {1}, .step = 500, .away = 5000000, .slice = COUNT * TICKS_EACH - 400};
	struct one_shot shot = counter_of(&m);
	struct took took;

	m.next_away = m.slice;
	took = one_shot_measure(&shot, COUNT);
	EXPECT(t, took.least <= COUNT * TICKS_EACH);
	EXPECT(t, took.most >= COUNT * TICKS_EACH + m.away / 2);
}

/* A fifth of a CPU, in slices of 3 ms: whatever phase it begins with. */
static void a_busy_host(struct ktest *t)
{
	for (u32 phase = 0; phase < 100; phase++) {
		struct machine m = {
			.random = {1}, .step = 1000, .slice = 6000000, .away = 24000000};
		struct one_shot shot = counter_of(&m);
		struct calibration c;

		m.next_away = phase * 60000;
		c = calibrate(&shot, COUNT);
		EXPECT_MSG(t, per_mille_off(&c) <= 10, "phase %u: %llu per mille off", phase,
			   (unsigned long long)per_mille_off(&c));
	}
}

static void a_counter_that_is_not_there(struct ktest *t)
{
	struct machine m = {.random = {1}, .step = 1000000, .dead = true};
	struct one_shot shot = counter_of(&m);
	struct calibration c = calibrate(&shot, COUNT);

	EXPECT_EQ(t, c.ticks, 0);
}

static const struct ktest_case cases[] = {
	KTEST(a_quiet_machine_takes_one),   KTEST(what_is_certain_is_true),
	KTEST(away_behind_the_last_no),     KTEST(a_busy_host),
	KTEST(a_counter_that_is_not_there),
};
KTEST_SUITE(calibrate, cases);
