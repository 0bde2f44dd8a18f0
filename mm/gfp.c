/*
 * gfp flags as text: for the monitor, for reports, for whoever reads a log.
 */
#include <mm/gfp.h>

#include <base/errno.h>
#include <base/format.h>
#include <base/string.h>

/* Bundles before their parts, larger before smaller: gfp_format() takes the first that fits. */
const struct gfp_name gfp_names[] = {
	{"GFP_KERNEL", GFP_KERNEL},
	{"GFP_ATOMIC", GFP_ATOMIC},
	{"GFP_NOWAIT", GFP_NOWAIT},
	{"GFP_DMA", GFP_DMA},
	{"GFP_DMA32", GFP_DMA32},
	{"__GFP_RECLAIM", __GFP_RECLAIM},
	{"__GFP_DMA", __GFP_DMA},
	{"__GFP_DMA32", __GFP_DMA32},
	{"__GFP_HIGH", __GFP_HIGH},
	{"__GFP_DIRECT_RECLAIM", __GFP_DIRECT_RECLAIM},
	{"__GFP_KSWAPD_RECLAIM", __GFP_KSWAPD_RECLAIM},
	{"__GFP_NOWARN", __GFP_NOWARN},
	{"__GFP_ZERO", __GFP_ZERO},
	{"__GFP_THISNODE", __GFP_THISNODE},
};
const u32 nr_gfp_names = ARRAY_SIZE(gfp_names);

void gfp_format(gfp_t gfp, char *buf, size_t size)
{
	gfp_t left = gfp;
	size_t at = 0;

	if (size == 0)
		return;
	buf[0] = '\0';
	for (u32 i = 0; i < nr_gfp_names && left && at < size; i++) {
		if ((left & gfp_names[i].flags) != gfp_names[i].flags)
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? "|" : "",
				       gfp_names[i].name);
		left &= ~gfp_names[i].flags;
	}
	if ((left || gfp == 0) && at < size)
		snprintf(buf + at, size - at, "%s0x%x", at ? "|" : "", left);
}

static bool name_is(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && strncmp(name, text, len) == 0;
}

int gfp_parse(const char *text, gfp_t *gfp)
{
	gfp_t flags = 0;

	for (;;) {
		size_t len = 0;
		u32 i = 0;

		while (text[len] && !strchr("|,+", text[len]))
			len++;
		while (i < nr_gfp_names && !name_is(gfp_names[i].name, text, len))
			i++;
		if (i == nr_gfp_names)
			return -EINVAL;
		flags |= gfp_names[i].flags;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*gfp = flags;
	return 0;
}
