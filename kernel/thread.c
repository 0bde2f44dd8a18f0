/*
 * Threads from birth to burial. Who runs when is kernel/sched.c's.
 *
 * A thread is an object of the cache "thread" and a stack, a block of pages, both memory of its CPU's node. It has no
 * constructor: from one thread to the next nothing stays as it was but where its stack is. The stack is mapped into a slot of the stack window, with a hole below, and carries a
 * canary at its lower end besides: a frame larger than the hole could step over it.
 *
 *	 slot    |        hole, 32 KiB        |  canary | ...   <- stack, 32 KiB |
 *	                                      ^ guard hit: a double fault that names the thread
 *
 * Each CPU begins with a thread that nobody has made: the boot CPU with `main`, the others with what
 * becomes their idle thread. Their stacks are the CPU's own, and they never end.
 *
 * Whoever starts a thread joins it. Then thread and stack become a spare for the next on that node:
 * thread_spares.c.
 *
 * Lock order: the list of all threads, then a run queue. The list's is for threads only.
 */
#include <arch/irq.h>
#include <base/assert.h>
#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <mm/fault_inject.h>
#include <mm/gfp.h>
#include <mm/mempolicy.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <x86/machine.h>
#include <x86/paging.h>
#include <x86/smp.h>
#include <x86/switch.h>

#include "sched_internal.h"

#define MAX_THREADS   1024
#define STACK_ORDER   3
#define BITS_PER_WORD 64
#define ALL_NODES     (~(nodemask_t)0)

_Static_assert(PAGE_SIZE << STACK_ORDER == STACK_BYTES, "a stack is one block");

static struct kmem_cache *thread_cache; /* constant after boot */

static struct spinlock all_lock = SPINLOCK_INIT("threads");
/* Guarded by it: */
static struct list_head all = {&all, &all}; /* by id */
static u32 next_id;
static u64 slots_used[MAX_THREADS / BITS_PER_WORD];

/* --- The list -------------------------------------------------------------------------------- */

static void register_locked(struct thread *thread)
{
	thread->id = next_id++;
	list_add_tail(&thread->all_link, &all);
}

static void register_first(struct thread *thread)
{
	spin_lock(&all_lock);
	register_locked(thread);
	spin_unlock(&all_lock);
}

void threads_lock(void)
{
	spin_lock(&all_lock);
}

bool threads_trylock(void)
{
	return spin_trylock(&all_lock);
}

void threads_unlock(void)
{
	spin_unlock(&all_lock);
}

const struct thread *thread_next(const struct thread *thread)
{
	struct list_head *next = thread ? thread->all_link.next : all.next;

	return next == &all ? NULL : list_entry(next, struct thread, all_link);
}

/* Of the stack window; 0: all are in use (it is a CPU's, so no thread's). */
static u32 take_slot(void)
{
	u32 slot = 0;

	spin_lock(&all_lock);
	for (u32 i = 0; i < ARRAY_SIZE(slots_used) && !slot; i++) {
		if (slots_used[i] != ~(u64)0) {
			u32 bit = (u32)__builtin_ctzll(~slots_used[i]);

			slots_used[i] |= (u64)1 << bit;
			slot = FIRST_THREAD_STACK_SLOT + i * BITS_PER_WORD + bit;
		}
	}
	spin_unlock(&all_lock);
	return slot;
}

static void give_slot(u32 slot)
{
	u32 i = slot - FIRST_THREAD_STACK_SLOT;

	spin_lock(&all_lock);
	slots_used[i / BITS_PER_WORD] &= ~((u64)1 << i % BITS_PER_WORD);
	spin_unlock(&all_lock);
}

u64 threads_stack_pages(void)
{
	u64 nr = 0;

	spin_lock(&all_lock);
	for (u32 i = 0; i < ARRAY_SIZE(slots_used); i++)
		for (u64 left = slots_used[i]; left; left &= left - 1)
			nr++;
	spin_unlock(&all_lock);
	return nr << STACK_ORDER;
}

/* --- The first ones ------------------------------------------------------------------------- */

static void set_up(struct thread *thread, const char *name, u32 cpu)
{
	thread->cpu = cpu;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	completion_init(&thread->exited, "thread exit");
}

/* What runs now on this CPU becomes the first thread of its new run queue. */
static struct run_queue *begin_run_queue(const char *name)
{
	struct cpu_area *area = this_cpu();
	struct run_queue *rq = cpu_area_kernel_part(area);
	uintptr_t low, top;

	spin_lock_init(&rq->lock, "run queue");
	list_init(&rq->runnable);
	list_init(&rq->sleepers);
	set_up(&rq->first, name, area->cpu);
	rq->first.task.mems_allowed = ALL_NODES;
	rq->first.state = THREAD_RUNNING;
	rq->first.runs = 1;
	paging_stack_bounds(area->stack_top - 1, &low, &top);
	rq->first.canary = (u64 *)low;
	*rq->first.canary = THREAD_CANARY;
	rq->current = &rq->first;
	rq->switched_at = arch_timestamp();
	area->run_queue = rq;
	area->current = &rq->first;
	/* It has no limits. Until now the word was 0: requests went their whole way. */
	area->hit_bound = GFP_HIT_END;
	return rq;
}

void threads_init(void)
{
	begin_run_queue("main");
	register_first(thread_current());
}

void threads_init_cpu(void)
{
	char name[THREAD_NAME_BYTES];
	struct run_queue *rq;

	snprintf(name, sizeof(name), "idle/%u", smp_processor_id());
	rq = begin_run_queue(name);
	rq->idle = &rq->first;
	rq->idle->idle = true;
	register_first(rq->idle);
}

/* --- Making one ------------------------------------------------------------------------------ */

void thread_free(struct thread *thread)
{
	if (thread->stack_slot)
		give_slot(thread->stack_slot);
	if (thread->stack)
		__free_pages(thread->stack, STACK_ORDER);
	kmem_cache_free(thread_cache, thread);
}

/* Memory of the node, and a place in the stack window. NULL: one of them is missing. */
static struct thread *alloc_thread(int nid)
{
	struct thread *thread =
		kmem_cache_alloc_node(thread_cache, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, nid);

	if (!thread)
		return NULL;
	thread->stack = alloc_pages_node(nid, GFP_KERNEL | __GFP_NOWARN, STACK_ORDER);
	thread->stack_slot = thread->stack ? take_slot() : 0;
	if (thread->stack_slot)
		thread->stack_top =
			paging_map_stack(thread->stack_slot, page_to_phys(thread->stack));
	if (!thread->stack_top) {
		thread_free(thread);
		return NULL;
	}
	thread->nid = nid;
	return thread;
}

/* --- Starting one ---------------------------------------------------------------------------- */

static _Noreturn void thread_begin(void)
{
	struct thread *self;

	sched_finish_switch();
	irq_restore(RFLAGS_IF);
	self = thread_current();
	self->fn(self->arg);
	thread_exit();
}

static struct thread *make(const char *name, u32 cpu, void (*fn)(void *arg), void *arg)
{
	struct thread *thread = NULL;

	if (cpu_online(cpu))
		thread = thread_take_spare(cpu_to_node(cpu));
	if (cpu_online(cpu) && !thread)
		thread = alloc_thread(cpu_to_node(cpu));
	if (!thread) {
		klog(LOG_WARN, "threads", "'%s' is not started: %s %u", name,
		     cpu_online(cpu) ? "no memory or no stack slot for it on CPU"
				     : "there is no CPU",
		     cpu);
		return NULL;
	}
	set_up(thread, name, cpu);
	thread->fn = fn;
	thread->arg = arg;
	task_inherit(&thread->task);
	thread->canary = (u64 *)(thread->stack_top - STACK_BYTES);
	*thread->canary = THREAD_CANARY;
	thread->stack_pointer = switch_prepare(thread->stack_top, thread_begin);
	return thread;
}

struct thread *thread_start(const char *name, u32 cpu, void (*fn)(void *arg), void *arg)
{
	struct thread *thread;

	sched_might_sleep(os_call_site());
	thread = make(name, cpu, fn, arg);
	if (!thread)
		return NULL;
	/* In one: who looks finds it in the list and on its queue, or in neither. */
	spin_lock(&all_lock);
	register_locked(thread);
	sched_start(thread);
	spin_unlock(&all_lock);
	return thread;
}

static void idle(void *arg)
{
	(void)arg;
	for (;;)
		machine_idle();
}

void threads_start_idle(void)
{
	struct run_queue *rq = run_queue_of(0);
	struct thread *thread;
	unsigned long flags;

	thread_cache = kmem_cache_create("thread", sizeof(*thread), 0, SLAB_HWCACHE_ALIGN, NULL);
	ASSERT_MSG(thread_cache, "no memory for the cache of threads");
	thread = make("idle/0", 0, idle, NULL);
	ASSERT_MSG(thread, "no memory for the boot CPU's idle thread");
	thread->idle = true;
	register_first(thread);
	flags = spin_lock_irqsave(&rq->lock);
	thread->state = THREAD_RUNNABLE;
	rq->idle = thread;
	spin_unlock_irqrestore(&rq->lock, flags);
	thread_spares_init();
}

/* --- Its end --------------------------------------------------------------------------------- */

_Noreturn void thread_exit(void)
{
	const struct thread *self = thread_current();

	sched_might_sleep(os_call_site());
	ASSERT_MSG(self->nr_mutexes == 0, "thread '%s' ends and holds %u mutex%s", self->name,
		   self->nr_mutexes, self->nr_mutexes == 1 ? "" : "es");
	sched_exit();
}

void thread_join(struct thread *thread)
{
	sched_might_sleep(os_call_site());
	ASSERT_MSG(thread != thread_current(), "thread '%s' waits for its own end", thread->name);
	wait_for_completion(&thread->exited, OS_WAIT_FOREVER);
	thread_become_spare(thread);
}

/* --- For who looks --------------------------------------------------------------------------- */

struct thread *thread_current(void)
{
	return this_cpu_load_ptr(CPU_AREA_CURRENT);
}

const char *thread_name(const struct thread *thread)
{
	return thread->name;
}

const char *thread_state_name(enum thread_state state)
{
	static const char *const names[NR_THREAD_STATES] = {
		[THREAD_RUNNABLE] = "runnable",
		[THREAD_RUNNING] = "running",
		[THREAD_SLEEPING] = "sleeping",
		[THREAD_DEAD] = "dead",
	};

	return state < NR_THREAD_STATES ? names[state] : "?";
}

static void describe(const struct thread *thread, struct thread_info *out)
{
	struct run_queue *rq = run_queue_of(thread->cpu);
	unsigned long flags = spin_lock_irqsave(&rq->lock);
	u64 ticks = thread->ran_ticks;

	if (thread->state == THREAD_RUNNING)
		ticks += arch_timestamp() - rq->switched_at;
	*out = (struct thread_info){
		.id = thread->id,
		.cpu = thread->cpu,
		.state = thread->state,
		.idle = thread->idle,
		.runs = thread->runs,
		.ran_ns = arch_timestamp_to_ns(ticks),
		.wait_site = thread->wait_site,
		.deadline_ns = thread->deadline_ns,
		/* Relaxed: words for people; of a policy that is just changing one may be the old. */
		.mems_allowed = load_relaxed(&thread->task.mems_allowed),
		.mempolicy = {load_relaxed(&thread->task.mempolicy.mode),
			      load_relaxed(&thread->task.mempolicy.nodes)},
	};
	memcpy(out->name, thread->name, sizeof(out->name));
	spin_unlock_irqrestore(&rq->lock, flags);
}

bool thread_describe(u32 i, struct thread_info *out)
{
	const struct thread *thread;

	threads_lock();
	thread = thread_next(NULL);
	while (thread && i-- > 0)
		thread = thread_next(thread);
	if (thread)
		describe(thread, out);
	threads_unlock();
	return thread != NULL;
}

int thread_set_mems_allowed(u32 id, nodemask_t nodes)
{
	struct thread *thread;
	int err = -ENOENT;

	spin_lock(&all_lock);
	list_for_each_entry(thread, &all, all_link) {
		if (thread->id == id)
			err = task_set_mems_allowed(&thread->task, nodes);
	}
	spin_unlock(&all_lock);
	return err;
}

bool thread_mark_fault_rule(u32 id, u32 rule)
{
	struct thread *thread;
	bool found = false;

	spin_lock(&all_lock);
	list_for_each_entry(thread, &all, all_link) {
		if (thread->id != id)
			continue;
		fault_rule_mark(&thread->task, rule);
		found = true;
	}
	spin_unlock(&all_lock);
	return found;
}

const char *thread_name_on_cpu(u32 cpu)
{
	const struct cpu_area *area = cpu_area(cpu);
	/* Relaxed: what there is, of a CPU that may be at work. */
	const struct thread *current = area ? load_relaxed(&area->current) : NULL;

	return current ? current->name : NULL;
}

/* Of a CPU whose own stack it is not: by what runs there, as nobody else's stack can overflow. */
const char *thread_name_of_stack(u32 slot)
{
	const struct thread *current = thread_current();

	return current && current->stack_slot == slot ? current->name : NULL;
}
