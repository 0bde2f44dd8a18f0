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
	{"GFP_NOIO", GFP_NOIO},
	{"GFP_ATOMIC", GFP_ATOMIC},
	{"GFP_NOWAIT", GFP_NOWAIT},
	{"GFP_DMA", GFP_DMA},
	{"GFP_DMA32", GFP_DMA32},
	{"__GFP_RECLAIM", __GFP_RECLAIM},
	{"__GFP_DMA", __GFP_DMA},
	{"__GFP_DMA32", __GFP_DMA32},
	{"__GFP_MOVABLE", __GFP_MOVABLE},
	{"__GFP_THISNODE", __GFP_THISNODE},
	{"__GFP_HIGH", __GFP_HIGH},
	{"__GFP_MEMALLOC", __GFP_MEMALLOC},
	{"__GFP_NOMEMALLOC", __GFP_NOMEMALLOC},
	{"__GFP_DIRECT_RECLAIM", __GFP_DIRECT_RECLAIM},
	{"__GFP_KSWAPD_RECLAIM", __GFP_KSWAPD_RECLAIM},
	{"__GFP_IO", __GFP_IO},
	{"__GFP_NORETRY", __GFP_NORETRY},
	{"__GFP_RETRY_MAYFAIL", __GFP_RETRY_MAYFAIL},
	{"__GFP_NOFAIL", __GFP_NOFAIL},
	{"__GFP_ZERO", __GFP_ZERO},
	{"__GFP_NOWARN", __GFP_NOWARN},
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

/* Two zones, two answers to the same question, or a promise that cannot be kept. */
const char *gfp_contradiction(gfp_t gfp, unsigned int order)
{
	if ((gfp & __GFP_DMA) && (gfp & __GFP_DMA32))
		return "__GFP_DMA with __GFP_DMA32";
	if ((gfp & __GFP_NORETRY) && (gfp & __GFP_RETRY_MAYFAIL))
		return "__GFP_NORETRY with __GFP_RETRY_MAYFAIL";
	if (!(gfp & __GFP_NOFAIL))
		return NULL;
	if (gfp & __GFP_NORETRY)
		return "__GFP_NOFAIL with __GFP_NORETRY";
	if (gfp & __GFP_RETRY_MAYFAIL)
		return "__GFP_NOFAIL with __GFP_RETRY_MAYFAIL";
	if (!(gfp & __GFP_DIRECT_RECLAIM))
		return "__GFP_NOFAIL without __GFP_DIRECT_RECLAIM";
	return order > GFP_NOFAIL_MAX_ORDER ? "__GFP_NOFAIL above order 1" : NULL;
}
