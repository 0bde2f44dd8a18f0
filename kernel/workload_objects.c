/*
 * A load on one object cache: see include/kernel/workload_objects.h.
 *
 *	         preferred            other nodes
 *	slabs    [xxxx][xxxx]         [xx..][x...]          x: the load's, or others'
 *	          no page              ^^     ^^^  free objects: lists, what is shared, CPUs' stacks
 *
 * It asks for objects that prefer one node, and keeps them, chained through their first words. A slab that a request had
 * made on another node is *needless* if before it there were free objects anywhere but on the preferred node. How
 * many there were is reckoned: objects of all slabs, less those that the load has. So what lies on CPUs' stacks counts
 * as well, and no list is looked at on the way.
 *
 * In a class of kmalloc() others have objects, too. What they had at the beginning is taken as theirs to the end. All caches
 * are shrunk first: so that is no object that lies on a stack, and no page that a cache keeps comes back in the midst.
 *
 * Limits: slabs are the machine's, by the difference of a counter. The load wants a machine on which nothing else runs.
 * A CPU's look at the clock and the keyboard comes every LOOK_EVERY requests.
 */
#include <kernel/workload_objects.h>

#include <base/random.h>
#include <base/string.h>
#include <kernel/monitor.h>
#include <kernel/workload.h>
#include <mm/kmalloc.h>
#include <mm/slab_inspect.h>
#include <mm/vmstat.h>
#include <x86/time.h>

#define LOOK_EVERY 64

struct kept_object {
	struct kept_object *next;
};

/* --- Figures ------------------------------------------------------------------------------------ */

static void take_counters(struct object_figures *f)
{
	*f = (struct object_figures){
		.slabs = vmstat_read(VMSTAT_SLAB_GROW),
		.looks = vmstat_read(VMSTAT_SLAB_FALLBACK_LOOK),
		.found = vmstat_read(VMSTAT_SLAB_FALLBACK_OBJECT),
		.drains = vmstat_read(VMSTAT_SLAB_FALLBACK_DRAIN),
		.retries = vmstat_read(VMSTAT_SLAB_FALLBACK_RETRY),
		.atomic = vmstat_read(VMSTAT_SLAB_FALLBACK_ATOMIC),
		.scanned = vmstat_read(VMSTAT_PGSCAN_DIRECT) + vmstat_read(VMSTAT_PGSCAN_KSWAPD),
		.reclaimed =
			vmstat_read(VMSTAT_PGSTEAL_DIRECT) + vmstat_read(VMSTAT_PGSTEAL_KSWAPD),
	};
}

static void count_since(struct object_figures *f, const struct object_figures *before)
{
	struct object_figures now;

	take_counters(&now);
	f->slabs = now.slabs - before->slabs;
	f->looks = now.looks - before->looks;
	f->found = now.found - before->found;
	f->drains = now.drains - before->drains;
	f->retries = now.retries - before->retries;
	f->atomic = now.atomic - before->atomic;
	f->scanned = now.scanned - before->scanned;
	f->reclaimed = now.reclaimed - before->reclaimed;
}

static void count_objects(struct object_load *load)
{
	struct slab_node_snapshot node;
	int nid;

	for_each_node(nid)
		load->total[nid] = slab_node_snapshot(load->cache, nid, &node) ? node.objects : 0;
}

void object_load_begin(struct object_load *load)
{
	struct slab_cache_snapshot shape;
	struct slab_node_snapshot node;
	int nid;

	kmem_cache_shrink_all();
	slab_cache_snapshot(load->cache, &shape);
	load->order = shape.order;
	load->nr_objects = shape.nr_objects;
	load->kept = NULL;
	for_each_node(nid) {
		bool exists = slab_node_snapshot(load->cache, nid, &node);

		load->active[nid] = 0;
		load->others[nid] = exists ? node.objects - node.free_objects - node.shared : 0;
	}
	count_objects(load);
}

u64 object_load_free_elsewhere(const struct object_load *load)
{
	u64 sum = 0;
	int nid;

	for_each_node(nid) {
		u64 out = load->active[nid] + load->others[nid];

		if (nid != load->nid && load->total[nid] > out)
			sum += load->total[nid] - out;
	}
	return sum;
}

/* --- Requests ----------------------------------------------------------------------------------- */

static void keep(struct object_load *load, void *object)
{
	struct kept_object *kept = object;

	kept->next = load->kept;
	load->kept = kept;
	load->active[virt_to_page(object)->nid]++;
}

static void request(struct object_load *load, int nid, gfp_t gfp, struct object_figures *f)
{
	void *object = load->kmalloc ? kmalloc_node(load->kmalloc, gfp, nid)
				     : kmem_cache_alloc_node(load->cache, gfp, nid);
	u64 made = vmstat_read(VMSTAT_SLAB_GROW) - load->grown;
	int from;

	f->requests++;
	f->failed += object == NULL;
	if (!object)
		return;
	from = virt_to_page(object)->nid;
	f->remote += from != load->nid;
	if (made > 0) {
		if (from != load->nid && object_load_free_elsewhere(load) > 0)
			f->needless += made;
		load->total[from] += made * load->nr_objects;
		load->grown += made;
	}
	keep(load, object);
}

bool object_load_run(struct object_load *load, u64 nr, int nid, gfp_t gfp,
		     struct object_figures *out)
{
	u64 began_ns = time_since_entry_ns();
	struct object_figures before;
	bool ended = false;
	int i;

	take_counters(&before);
	*out = (struct object_figures){0};
	load->grown = before.slabs;
	for (u64 done = 0; done < nr && !ended; done++) {
		request(load, nid, gfp, out);
		ended = done % LOOK_EVERY == 0 &&
			(monitor_interrupted() ||
			 time_since_entry_ns() - began_ns > load->timeout_ns);
	}
	count_since(out, &before);
	out->pages = out->slabs << load->order;
	count_objects(load);
	for_each_node(i) {
		out->active += load->active[i] + load->others[i];
		out->total += load->total[i];
	}
	return !ended;
}

static void give_back(struct object_load *load, struct kept_object *object)
{
	load->active[virt_to_page(object)->nid]--;
	kfree(object);
}

u64 object_load_halve(struct object_load *load, u64 seed)
{
	struct random_state random = workload_seed(seed, 0);
	struct kept_object *all = load->kept, *next;
	u64 given = 0;

	load->kept = NULL;
	for (struct kept_object *object = all; object; object = next) {
		next = object->next;
		if (random_below(&random, 2) == 0) {
			give_back(load, object);
			given++;
			continue;
		}
		object->next = load->kept;
		load->kept = object;
	}
	return given;
}

void object_load_release(struct object_load *load)
{
	while (load->kept) {
		struct kept_object *object = load->kept;

		load->kept = object->next;
		give_back(load, object);
	}
}
