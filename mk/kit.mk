# The ACPI kit: build/numa-inspect, the tables of tests/acpi/ and the image that boots with them.

INSPECT_C := $(sort $(wildcard tools/numa-inspect/*.c)) mm/memblock.c mm/numa.c \
	     $(filter kernel/acpi/%,$(HOST_C))

# The kernel's <asm/>, not that of the host's tests: limits of the architecture count.
INSPECT_CFLAGS := $(subst -Itests/host/include,-Iarch/x86_64/include,$(HOST_CFLAGS))

INSPECT          := $(BUILD)/numa-inspect
INSPECT_ASAN     := $(HBUILD)/numa-inspect-asan
INSPECT_OBJ      := $(INSPECT_C:%.c=$(HBUILD)/inspect/%.o)
INSPECT_ASAN_OBJ := $(INSPECT_C:%.c=$(HBUILD)/inspect-asan/%.o)

$(HBUILD)/inspect/flags: FORCE | deps
	$(call if-changed,$(HOSTCC) $(INSPECT_CFLAGS) $(ASAN_FLAGS) $(INSPECT_C) \
		$(shell $(HOSTCC) --version 2>&1 | head -n 1))

$(HBUILD)/inspect/%.o: %.c $(HBUILD)/inspect/flags | deps
	$(note) HOSTCC 'numa-inspect: $<'
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(INSPECT_CFLAGS) -MMD -MP -c $< -o $@

$(HBUILD)/inspect-asan/%.o: %.c $(HBUILD)/inspect/flags | deps
	$(note) HOSTCC 'numa-inspect (asan): $<'
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(INSPECT_CFLAGS) $(ASAN_FLAGS) -MMD -MP -c $< -o $@

-include $(INSPECT_OBJ:.o=.d) $(INSPECT_ASAN_OBJ:.o=.d)

$(INSPECT): $(INSPECT_OBJ)
	$(note) HOSTLD $@
	$(Q)$(HOSTCC) -o $@ $(INSPECT_OBJ)

$(INSPECT_ASAN): $(INSPECT_ASAN_OBJ)
	$(note) HOSTLD $@
	$(Q)$(HOSTCC) $(ASAN_FLAGS) -o $@ $(INSPECT_ASAN_OBJ)

# Every compiler of `make lint` sees these files, too.
lint-objects: $(INSPECT_ASAN_OBJ)

# tests/acpi/machines/NAME/*.asl -> build/acpi/NAME/*.aml
KIT_ASL := $(sort $(wildcard tests/acpi/machines/*/*.asl))
KIT_AML := $(KIT_ASL:tests/acpi/machines/%.asl=$(BUILD)/acpi/%.aml)

needs_kit        := build run test
needs_kit-tables := build test

# iasl reports what it did even if nothing is wrong: shown on failure only.
$(BUILD)/acpi/%.aml: tests/acpi/machines/%.asl | deps
	$(note) IASL $@
	@mkdir -p $(@D)
	$(Q)iasl -p $(basename $@) $< >$(basename $@).log 2>&1 || { cat $(basename $@).log; exit 1; }

# The kernel with a grub.cfg that puts the tables of a second drive in place of the firmware's.
# The tar module reads that drive, configfile has `source`.
KIT_ISO := $(BUILD)/acpi-kit.iso

$(BUILD)/iso-kit/boot/grub/grub.cfg: tests/acpi/grub.cfg
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(BUILD)/iso-kit/boot/highwater.elf: $(BUILD)/iso/boot/highwater.elf
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(KIT_ISO): $(BUILD)/iso-kit/boot/highwater.elf $(BUILD)/iso-kit/boot/grub/grub.cfg \
	    $(BUILD)/grub-modules | deps
	$(note) ISO $@
	$(Q)$(GRUB_MKRESCUE) --locales= --fonts= --themes= \
		--install-modules="$(GRUB_MODULES) tar configfile" \
		-o $@ $(BUILD)/iso-kit >$@.log 2>&1 || { cat $@.log; exit 1; }

# All that the host's half of the kit needs.
.PHONY: kit-tables
kit-tables: $(INSPECT) $(INSPECT_ASAN) $(KIT_AML)

.PHONY: kit
kit: kit-tables $(KIT_ISO) ## numa-inspect, and the tables and the image of tests/acpi

test: kit-tables $(KIT_ISO)
