/*
 * What this CPU can do, and switching it on.
 *
 * Long mode and no-execute pages are required, and boot/entry.asm has refused CPUs without them.
 * All else is optional. SMEP, SMAP and UMIP concern user code, of which there is none: they cost
 * nothing and turn a stray mapping with the user bit into a fault. MCE makes a machine check an
 * exception of ours instead of a shutdown.
 *
 * Source: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
 */
#include <x86/cpu_features.h>
#include <x86/regs.h>

#define LEAF_BASIC      0x00000001u
#define LEAF_STRUCTURED 0x00000007u
#define LEAF_EXTENDED   0x80000001u
#define LEAF_ADDRESS    0x80000008u

/* What a CPU has that does not tell. */
#define DEFAULT_PHYS_BITS 36

static bool has_leaf(u32 leaf)
{
	return cpuid(leaf & 0x80000000u).eax >= leaf;
}

struct cpu_features cpu_features(void)
{
	struct cpu_features f = {.phys_bits = DEFAULT_PHYS_BITS};
	struct cpuid_result basic = cpuid(LEAF_BASIC);

	f.apic = basic.edx & (1u << 9);
	f.mce = basic.edx & (1u << 7);
	f.pge = basic.edx & (1u << 13);
	if (has_leaf(LEAF_STRUCTURED)) {
		struct cpuid_result r = cpuid(LEAF_STRUCTURED);

		f.smep = r.ebx & (1u << 7);
		f.smap = r.ebx & (1u << 20);
		f.umip = r.ecx & (1u << 2);
	}
	f.pages_1g = cpuid(LEAF_EXTENDED).edx & (1u << 26);
	if (has_leaf(LEAF_ADDRESS))
		f.phys_bits = cpuid(LEAF_ADDRESS).eax & 0xff;
	return f;
}

void cpu_enable_features(void)
{
	struct cpu_features f = cpu_features();
	u64 cr4 = read_cr4();

	cr4 |= (f.mce ? CR4_MCE : 0) | (f.pge ? CR4_PGE : 0) | (f.smep ? CR4_SMEP : 0);
	cr4 |= (f.smap ? CR4_SMAP : 0) | (f.umip ? CR4_UMIP : 0);
	write_cr4(cr4);
}
