# The host's tests: the same files of mm/ and the parsers, over tests/host's two seams.

HOST_C := $(sort $(wildcard kernel/cache/*.c tests/cache/*.c tests/host/*.c tests/reclaim/*.c tests/soak/*.c tests/stress/*.c tests/sweep/*.c tests/unit/*.c mm/*.c) \
	    $(filter-out kernel/acpi/tables.c,$(wildcard kernel/acpi/*.c)) \
	    arch/x86_64/calibrate.c boot/multiboot2.c kernel/completion.c kernel/hoard.c kernel/lib/glob.c kernel/lib/parse.c \
	    kernel/line_complete.c kernel/line_editor.c kernel/lockcheck.c \
	    kernel/lockcheck_mutex.c kernel/lockcheck_order.c kernel/map.c kernel/memory_map.c kernel/node_list.c kernel/options.c kernel/options_line.c kernel/screen.c kernel/symbols.c \
	    kernel/test_runner.c \
	    $(addprefix tests/kernel/test_,format.c line_editor.c list.c lockcheck.c memory_map.c options.c \
	    screen.c string.c))

HBUILD   := $(BUILD)/host$(if $(findstring clang,$(HOSTCC)),-clang)
ASAN_OBJ := $(HOST_C:%.c=$(HBUILD)/asan/%.o)

HOST_TESTS := $(HBUILD)/tests-asan

$(HBUILD)/asan/flags: FORCE | deps
	$(call if-changed,$(HOSTCC) $(HOST_CFLAGS) $(ASAN_FLAGS) $(HOST_C) \
		$(shell $(HOSTCC) --version 2>&1 | head -n 1))

$(HBUILD)/asan/%.o: %.c $(HBUILD)/asan/flags | deps
	$(note) HOSTCC $<
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) $(ASAN_FLAGS) -MMD -MP -c $< -o $@

-include $(ASAN_OBJ:.o=.d)

$(HBUILD)/tests-asan: $(ASAN_OBJ)
	$(note) HOSTLD $@
	$(Q)$(HOSTCC) $(ASAN_FLAGS) -o $@ $(ASAN_OBJ)

# The same under ThreadSanitizer, for the suites with several CPUs (tests/qemu/test_host.py).
# It knows no fences, and gcc warns where there is one: what stands on it here is atomic itself (mm/watermark.c).
TSAN_FLAGS := -fsanitize=thread -Wno-tsan
TSAN_OBJ   := $(HOST_C:%.c=$(HBUILD)/tsan/%.o)

HOST_TESTS += $(HBUILD)/tests-tsan

$(HBUILD)/tsan/flags: FORCE | deps
	$(call if-changed,$(HOSTCC) $(HOST_CFLAGS) $(TSAN_FLAGS) $(HOST_C) \
		$(shell $(HOSTCC) --version 2>&1 | head -n 1))

$(HBUILD)/tsan/%.o: %.c $(HBUILD)/tsan/flags | deps
	$(note) HOSTCC 'tsan: $<'
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) $(TSAN_FLAGS) -MMD -MP -c $< -o $@

-include $(TSAN_OBJ:.o=.d)

$(HBUILD)/tests-tsan: $(TSAN_OBJ)
	$(note) HOSTLD $@
	$(Q)$(HOSTCC) $(TSAN_FLAGS) -o $@ $(TSAN_OBJ)
