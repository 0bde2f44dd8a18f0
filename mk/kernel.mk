# The kernel: every .c and .asm file of its rooms, linked twice so that it carries its own symbols.

KERNEL_C   := $(sort $(shell find arch/x86_64 bench boot kernel mm tests/cache tests/kernel tests/reclaim tests/soak tests/stress tests/sweep -name '*.c'))
KERNEL_ASM := $(sort $(shell find arch/x86_64 boot -name '*.asm'))
KERNEL_OBJ := $(KERNEL_C:%.c=$(KBUILD)/%.o) $(KERNEL_ASM:%=$(KBUILD)/%.o)

ELF := $(BUILD)/highwater.elf

$(KBUILD)/flags: FORCE | deps
	$(call if-changed,$(NASM) $(NASMFLAGS) $(KERNEL_CC) $(KERNEL_CFLAGS) \
		$(shell $(CC) --version 2>&1 | head -n 1))

$(KBUILD)/%.o: %.c $(KBUILD)/flags | deps
	$(note) CC $<
	@mkdir -p $(@D)
	$(Q)$(KERNEL_CC) $(KERNEL_CFLAGS) -MMD -MP -c $< -o $@

$(KBUILD)/%.asm.o: %.asm $(KBUILD)/flags | deps
	$(note) NASM $<
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASMFLAGS) -MD $(@:.o=.d) -MP -MT $@ -o $@ $<

-include $(patsubst %.o,%.d,$(KERNEL_OBJ))

# The symbol table for backtraces is made from a first link that has an empty one (tools/ksyms.py
# says why nothing moves, and proves it).
$(KBUILD)/objects: FORCE
	$(call if-changed,$(LD) $(KERNEL_LDFLAGS) $(KERNEL_OBJ))

link = $(LD) $(KERNEL_LDFLAGS) -T linker.ld -o $@ $(KERNEL_OBJ)

$(KBUILD)/pass1.elf: $(KERNEL_OBJ) $(KBUILD)/ksyms-none.o linker.ld $(KBUILD)/objects
	$(note) LD $@
	$(Q)$(link) $(KBUILD)/ksyms-none.o

$(KBUILD)/highwater.elf: $(KBUILD)/pass1.elf $(KBUILD)/ksyms.o
	$(note) LD $@
	$(Q)$(link) $(KBUILD)/ksyms.o
	$(Q)$(NM) -n $@ >$(KBUILD)/pass2.nm
	$(Q)$(PYTHON) -B tools/ksyms.py --verify $(KBUILD)/pass1.nm $(KBUILD)/pass2.nm

$(KBUILD)/ksyms-none.S: tools/ksyms.py | deps
	@mkdir -p $(@D)
	$(Q)$(PYTHON) -B tools/ksyms.py /dev/null -o $@

$(KBUILD)/ksyms.S: $(KBUILD)/pass1.elf tools/ksyms.py
	$(note) KSYMS $@
	$(Q)$(NM) -n $< >$(KBUILD)/pass1.nm
	$(Q)$(PYTHON) -B tools/ksyms.py $(KBUILD)/pass1.nm -o $@

$(KBUILD)/%.o: $(KBUILD)/%.S $(KBUILD)/flags
	$(Q)$(KERNEL_CC) -c $< -o $@

# What the ISO, gdb and the launcher look at: the kernel of the compiler used last.
$(ELF): $(KBUILD)/highwater.elf FORCE
	@cmp -s $< $@ || cp $< $@
