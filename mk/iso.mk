# The bootable image. Without fonts, themes, locales and unused modules it is 5 MB, not 20.

ISO := $(BUILD)/highwater.iso

GRUB_MODULES := normal multiboot2 serial terminal iso9660 part_msdos part_gpt smbios acpi boot \
		echo test search

$(BUILD)/iso/boot/highwater.elf: $(ELF)
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-all $< $@

$(BUILD)/iso/boot/grub/grub.cfg: iso/grub.cfg
	@mkdir -p $(@D)
	$(Q)cp $< $@

# grub-mkrescue reports progress as if something were wrong: shown on failure only.
$(ISO): $(BUILD)/iso/boot/highwater.elf $(BUILD)/iso/boot/grub/grub.cfg | deps
	$(note) ISO $@
	$(Q)$(GRUB_MKRESCUE) --locales= --fonts= --themes= --install-modules="$(GRUB_MODULES)" \
		-o $@ $(BUILD)/iso >$(BUILD)/iso.log 2>&1 || { cat $(BUILD)/iso.log; exit 1; }
