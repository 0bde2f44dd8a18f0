# Tools and flags.

# Debian's Python first: another one on PATH lacks the modules that Debian's packages bring.
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)

has = $(shell command -v $(1) 2>/dev/null)

# A cross toolchain if there is one, else the native one by its long or its short name.
ifeq ($(origin CROSS_COMPILE),undefined)
CROSS_COMPILE := $(if $(call has,x86_64-elf-gcc),x86_64-elf-,$(if \
		    $(call has,x86_64-linux-gnu-gcc),x86_64-linux-gnu-))
endif
ifeq ($(filter-out default undefined,$(origin CC)),)
CC := $(CROSS_COMPILE)gcc
endif
HOSTCC  ?= gcc
LD      := $(CROSS_COMPILE)ld
NM      := $(CROSS_COMPILE)nm
OBJCOPY := $(CROSS_COMPILE)objcopy
NASM    ?= nasm
# Without -g: gdb 13 stumbles over NASM's line tables.
NASMFLAGS := -f elf64

GRUB_MKRESCUE ?= $(notdir $(or $(call has,grub-mkrescue),$(call has,grub2-mkrescue),grub-mkrescue))

# Each compiler has its objects to itself.
ifneq ($(findstring clang,$(notdir $(firstword $(CC)))),)
KERNEL_CC := $(CC) --target=x86_64-elf
KBUILD    := $(BUILD)/kernel-clang
else
KERNEL_CC := $(CC)
KBUILD    := $(BUILD)/kernel
endif

# Warnings are errors in `make lint` only: a newer compiler's new warning stops nobody else.
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wimplicit-fallthrough
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

# No red zone: interrupts use the stack below rsp. No FPU or SSE: their state is not saved. The
# kernel code model puts symbols into the top 2 GiB, and knows no position independence. No sibling
# calls: a jump in place of a call leaves no frame, and a backtrace would name the wrong caller.
KERNEL_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mcmodel=kernel \
		 -mgeneral-regs-only -fcf-protection=none -fno-asynchronous-unwind-tables \
		 -fno-strict-aliasing -fno-stack-protector -fno-omit-frame-pointer \
		 -fno-optimize-sibling-calls -Iinclude -Iarch/x86_64/include $(WARNINGS)
# 4 KiB file alignment keeps the multiboot2 header within the 32 KiB that a loader searches.
KERNEL_LDFLAGS := -nostdlib -static -z max-page-size=0x1000 -z noexecstack --build-id=none

# Tests look at private headers by their path: "mm/zone.h".
HOST_CFLAGS := -std=gnu11 -g -O1 -fno-omit-frame-pointer \
	       -Iinclude -Itests/host/include -Itests/host -iquote . $(WARNINGS)
ASAN_FLAGS  := -fsanitize=address,undefined -fno-sanitize-recover=all

# $(call if-changed,text): recipe that rewrites $@ only if the text differs, so that what depends
# on it is built again when a flag, a compiler or a list of files changes.
if-changed = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || \
	     printf '%s\n' '$(subst ','\'',$(1))' >$@
