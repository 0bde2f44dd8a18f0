# The bootable image. Without fonts, themes, locales and unused modules it is 5 MB, not 20.

ISO := $(BUILD)/highwater.iso

# All partition maps: grub-mkrescue's own start-up script loads every one, and GRUB prints an error
# for each that is not there, through the firmware, letter by letter. That was a third of the time
# of a boot under BIOS, and a second of one under UEFI.
GRUB_PARTMAPS := $(addprefix part_,acorn amiga apple bsd dfly dvh gpt msdos plan sun sunpc)
GRUB_MODULES  := normal multiboot2 serial terminal iso9660 $(GRUB_PARTMAPS) smbios acpi boot echo test \
		 search

$(BUILD)/iso/boot/highwater.elf: $(ELF)
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-all $< $@

$(BUILD)/iso/boot/grub/grub.cfg: iso/grub.cfg
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(BUILD)/grub-modules: FORCE
	$(call if-changed,$(GRUB_MODULES))

# grub-mkrescue reports progress as if something were wrong: shown on failure only.
$(ISO): $(BUILD)/iso/boot/highwater.elf $(BUILD)/iso/boot/grub/grub.cfg $(BUILD)/grub-modules | deps
	$(note) ISO $@
	$(Q)$(GRUB_MKRESCUE) --locales= --fonts= --themes= --install-modules="$(GRUB_MODULES)" \
		-o $@ $(BUILD)/iso >$(BUILD)/iso.log 2>&1 || { cat $(BUILD)/iso.log; exit 1; }
