# The fuzz targets: each tests/fuzz/fuzz_NAME.c is a program of its own, linked with what it needs
# of the code under test. Built twice with libFuzzer: with sanitizers, and for measuring which lines
# are covered. And once without it, by the host's compiler, to replay inputs (tests/fuzz/replay.c).

FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(filter-out %/fuzz_common.c,\
		  $(sort $(wildcard tests/fuzz/fuzz_*.c))))

# What they test, in an archive: the linker takes what a target asks for.
FUZZ_SUBJECT_C := $(sort $(filter-out tests/%,$(HOST_C))) tests/fuzz/fuzz_common.c \
		  tests/host/lockcheck_env.c
FUZZ_C         := $(FUZZ_SUBJECT_C) $(FUZZ_TARGETS:%=tests/fuzz/fuzz_%.c)

FUZZ_CC   ?= clang
FBUILD    := $(BUILD)/fuzz
FUZZ_RUNS ?= 10000000
FUZZ_SEED ?= 1
FUZZ_JOBS ?= $(shell nproc 2>/dev/null || echo 1)
FUZZ      ?= $(FUZZ_TARGETS)

# What judges is not what is explored, and calling back for each of its comparisons would take most
# of the time. The same goes for loops over every page or every letter.
FUZZ_JUDGES  := mm/check.c mm/check_zone.c $(filter tests/fuzz/%,$(FUZZ_C))
FUZZ_NO_CMP  := mm/memmap.c mm/numa.c kernel/lib/parse.c

FUZZ_CFLAGS         := $(HOST_CFLAGS) -O2
FUZZ_flags_asan     := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_flags_coverage := -fprofile-instr-generate -fcoverage-mapping
FUZZ_link_asan      := -fsanitize=fuzzer,address,undefined
FUZZ_link_coverage  := -fsanitize=fuzzer -fprofile-instr-generate
# $(call fuzz-explore,file): how libFuzzer sees what a file does.
fuzz-explore = $(if $(filter $(FUZZ_JUDGES),$(1)),,-fsanitize=fuzzer-no-link \
	       $(if $(filter $(FUZZ_NO_CMP),$(1)),-fno-sanitize-coverage=trace-cmp))

FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(FBUILD)/asan/fuzz-%)
FUZZ_COVERAGE := $(FUZZ_TARGETS:%=$(FBUILD)/coverage/fuzz-%)

# $(1): asan or coverage
define fuzz-build
$(FBUILD)/$(1)/flags: FORCE | deps
	$$(call if-changed,$(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_flags_$(1)) $(FUZZ_SUBJECT_C) \
		$(FUZZ_JUDGES) $(FUZZ_NO_CMP) $$(shell $(FUZZ_CC) --version 2>&1 | head -n 1))

$(FBUILD)/$(1)/%.o: %.c $(FBUILD)/$(1)/flags | deps
	$$(note) FUZZCC '$(1): $$<'
	@mkdir -p $$(@D)
	$$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_flags_$(1)) $$(call fuzz-explore,$$<) \
		-MMD -MP -c $$< -o $$@

$(FBUILD)/$(1)/subject.a: $(FUZZ_SUBJECT_C:%.c=$(FBUILD)/$(1)/%.o)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

$(FBUILD)/$(1)/fuzz-%: $(FBUILD)/$(1)/tests/fuzz/fuzz_%.o $(FBUILD)/$(1)/subject.a
	$$(note) FUZZLD $$@
	$$(Q)$(FUZZ_CC) $(FUZZ_link_$(1)) -o $$@ $$^

-include $(FUZZ_C:%.c=$(FBUILD)/$(1)/%.d)
endef

$(eval $(call fuzz-build,asan))
$(eval $(call fuzz-build,coverage))
.SECONDARY: $(FUZZ_C:%.c=$(FBUILD)/asan/%.o) $(FUZZ_C:%.c=$(FBUILD)/coverage/%.o)

# --- Replaying without libFuzzer: the objects of the host's tests -------------------------------

REPLAY   := $(FUZZ_TARGETS:%=$(HBUILD)/replay/replay-%)
REPLAY_C := $(FUZZ_C) tests/fuzz/replay.c

$(HBUILD)/replay/subject.a: $(FUZZ_SUBJECT_C:%.c=$(HBUILD)/asan/%.o)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

$(HBUILD)/replay/replay-%: $(HBUILD)/asan/tests/fuzz/fuzz_%.o $(HBUILD)/asan/tests/fuzz/replay.o \
			   $(HBUILD)/replay/subject.a
	$(note) HOSTLD $@
	$(Q)$(HOSTCC) $(ASAN_FLAGS) -o $@ $^

.SECONDARY: $(REPLAY_C:%.c=$(HBUILD)/asan/%.o)
-include $(filter-out $(ASAN_OBJ:.o=.d),$(REPLAY_C:%.c=$(HBUILD)/asan/%.d))

test: $(REPLAY)

# The compilers of `make lint` see the targets, too, as they see the host's tests.
lint-objects: $(REPLAY_C:%.c=$(HBUILD)/asan/%.o)

needs_fuzz := build test fuzz

.PHONY: fuzz
fuzz: $(FUZZ_PROGRAMS) $(FUZZ_COVERAGE) ## Fuzz the parsers and memblock: FUZZ_RUNS=10000000 each
	@$(PYTHON) -B tests/fuzz/run.py --build $(FBUILD) --runs $(FUZZ_RUNS) --seed $(FUZZ_SEED) \
		--jobs $(FUZZ_JOBS) --coverage $(FUZZ)
