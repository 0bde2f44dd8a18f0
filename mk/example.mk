# examples/minimal: another kernel that takes mm/ as it is. Of this one's sources it uses mm/ and two
# files of C library functions; its headers are include/{base,arch,mm} and its own <asm/>.

EXAMPLE_C      := $(sort $(wildcard examples/minimal/*.c mm/*.c)) kernel/lib/string.c kernel/lib/format.c
EXAMPLE_ASM    := examples/minimal/boot.asm
EBUILD         := $(KBUILD:$(BUILD)/kernel%=$(BUILD)/example%)
EXAMPLE_OBJ    := $(EXAMPLE_C:%.c=$(EBUILD)/%.o) $(EXAMPLE_ASM:%=$(EBUILD)/%.o)
EXAMPLE_CFLAGS := $(filter-out -mcmodel=kernel -Iarch/%,$(KERNEL_CFLAGS)) -Iexamples/minimal/include

EXAMPLE := $(BUILD)/minimal.elf

$(EBUILD)/flags: FORCE | deps
	$(call if-changed,$(NASM) $(NASMFLAGS) $(KERNEL_CC) $(EXAMPLE_CFLAGS) $(EXAMPLE_OBJ) \
		$(shell $(CC) --version 2>&1 | head -n 1))

$(EBUILD)/%.o: %.c $(EBUILD)/flags | deps
	$(note) CC 'minimal: $<'
	@mkdir -p $(@D)
	$(Q)$(KERNEL_CC) $(EXAMPLE_CFLAGS) -MMD -MP -c $< -o $@

$(EBUILD)/%.asm.o: %.asm $(EBUILD)/flags | deps
	$(note) NASM 'minimal: $<'
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASMFLAGS) -MD $(@:.o=.d) -MP -MT $@ -o $@ $<

-include $(patsubst %.o,%.d,$(EXAMPLE_OBJ))

$(EBUILD)/minimal.elf: $(EXAMPLE_OBJ) examples/minimal/linker.ld $(EBUILD)/flags
	$(note) LD $@
	$(Q)$(LD) $(KERNEL_LDFLAGS) -T examples/minimal/linker.ld -o $@ $(EXAMPLE_OBJ)

$(EXAMPLE): $(EBUILD)/minimal.elf FORCE
	@cmp -s $< $@ || cp $< $@

# Every compiler of `make lint` sees these files, too.
lint-objects: $(EXAMPLE_OBJ)

example_qemu = qemu-system-x86_64 -accel $(ACCEL) -m 64M -nodefaults -display none -no-reboot \
	       -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=0x04 -kernel $(EXAMPLE)

needs_example := build run

.PHONY: example
example: $(EXAMPLE) ## Build examples/minimal, another kernel around mm/, and run it
	@set -- $(example_qemu) $${HIGHWATER_CMDLINE:+-append "$$HIGHWATER_CMDLINE"}; echo "$$*"; \
	timeout --foreground 60 "$$@" </dev/null; code=$$?; [ $$code -eq 33 ] || { \
		echo "minimal: QEMU ended with $$code, success is 33"; exit 1; }
