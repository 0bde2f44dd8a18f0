/* Control registers, the bits of them that the kernel uses, and CPUID. Source: Intel SDM volume
 * 3A, "Control Registers". */
#ifndef X86_REGS_H
#define X86_REGS_H

#include <base/types.h>

#define CR4_MCE  (1UL << 6)
#define CR4_PGE  (1UL << 7)
#define CR4_UMIP (1UL << 11)
#define CR4_SMEP (1UL << 20)
#define CR4_SMAP (1UL << 21)

static inline u64 read_cr0(void)
{
	u64 value;

	__asm__ volatile("movq %%cr0, %0" : "=r"(value));
	return value;
}

static inline u64 read_cr2(void)
{
	u64 value;

	__asm__ volatile("movq %%cr2, %0" : "=r"(value));
	return value;
}

static inline u64 read_cr3(void)
{
	u64 value;

	__asm__ volatile("movq %%cr3, %0" : "=r"(value));
	return value;
}

static inline void write_cr3(u64 value)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

static inline u64 read_cr4(void)
{
	u64 value;

	__asm__ volatile("movq %%cr4, %0" : "=r"(value));
	return value;
}

static inline void write_cr4(u64 value)
{
	__asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

/* Why there was a debug exception. Bits stay until they are cleared; some are always set. */
#define DR6_STEP  (1UL << 14)
#define DR6_CLEAR 0xffff0ff0UL

static inline u64 read_dr6(void)
{
	u64 value;

	__asm__ volatile("movq %%dr6, %0" : "=r"(value));
	return value;
}

static inline void write_dr6(u64 value)
{
	__asm__ volatile("movq %0, %%dr6" : : "r"(value));
}

static inline void invlpg(uintptr_t virt)
{
	__asm__ volatile("invlpg (%0)" : : "r"(virt) : "memory");
}

#define MSR_APIC_BASE 0x1bu
#define MSR_GS_BASE   0xc0000101u

static inline u64 read_msr(u32 msr)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return ((u64)high << 32) | low;
}

static inline void write_msr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(u32 leaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(0));
	return r;
}

#endif
