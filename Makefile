# Highwater: building, running and testing it. `make help` lists the targets.
#
# Each target first installs what it needs (tools/deps.sh). Details are in mk/:
#   config.mk  tools, compilers, flags          host.mk  the host's test binary
#   kernel.mk  sources, objects, the two links  check.mk lint and format
#   iso.mk     the bootable image

BUILD ?= build

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-builtin-variables

# Parallel without being asked; a -j of the caller's stands.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

# `make clean iso` means one after the other.
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# V=1 shows commands; otherwise one short line for each.
ifeq ($(V),1)
Q    :=
note  = @:
else
Q    := @
note  = @printf '  %-7s %s\n'
endif

include mk/config.mk
include mk/kernel.mk
include mk/iso.mk
include mk/host.mk
include mk/check.mk
include mk/example.mk
include mk/fuzz.mk
include mk/kit.mk

# --- What a goal needs of the machine -----------------------------------------------------------

needs_run     := build run
needs_test    := build run test
needs_debug   := build run
needs_gdb     := build debug
needs_lint    := build lint
needs_format  := lint
needs_mutants := build run test
needs_docs    := build run
needs_bench   := build run
needs_soak    := build run
needs_compare := build run
needs_nothing := help clean doctor deps
# Any other goal is something to build.
needs = $(foreach goal,$(filter-out $(needs_nothing),$(MAKECMDGOALS)),$(or $(needs_$(goal)),build))

.PHONY: deps
deps:
	@tools/deps.sh $(sort $(needs))

# --- Running ------------------------------------------------------------------------------------

# What a user may say about a run. The two texts may hold quotes, commas and blanks, so they
# travel in the environment and never through a shell.
TOPOLOGY ?= two
FIRMWARE ?= bios
ACCEL    ?= tcg
# Of 127.0.0.1, for `make debug` and `make gdb`.
DEBUG_PORT ?= 1234
# A file for COM2: trace records, for tools/trace.py.
TRACE ?=
export HIGHWATER_CMDLINE   := $(value CMDLINE)
export HIGHWATER_QEMUEXTRA := $(value QEMUEXTRA)

launch = $(PYTHON) -B tools/launch.py --iso $(ISO) --topology '$(TOPOLOGY)' \
	 --firmware '$(FIRMWARE)' --accel '$(ACCEL)' $(if $(TRACE),--trace '$(TRACE)')

.PHONY: run
run: $(ISO) ## Build the ISO and boot it in QEMU; Ctrl-A X leaves
	@$(launch)

.PHONY: debug
debug: $(ISO) ## Boot halted, waiting for `make gdb` in another terminal
	@$(launch) --gdb '$(DEBUG_PORT)'

.PHONY: gdb
gdb: $(ELF) ## Attach gdb to `make debug`
	@gdb -q -x tools/gdb/highwater.py -ex "python hwgdb.attach('$(DEBUG_PORT)')" $(ELF)

# --- Testing ------------------------------------------------------------------------------------

# TESTS='-k expression' narrows what runs; any pytest option will do.
.PHONY: test
test: $(ISO) $(HOST_TESTS) $(EXAMPLE) $(FUZZ_PROGRAMS) ## Everything that must hold, on the host and in QEMU
	@$(PYTHON) -B tests/qemu/run.py '--accel=$(ACCEL)' $(TESTS)

.PHONY: mutants
mutants: | deps ## Break the code on purpose (tests/mutants): the tests must notice
	@$(PYTHON) -B tools/mutants.py $(MUTANTS)

# BENCH='page_*,null_hot' narrows the cases; what is needed to judge them runs, too.
.PHONY: bench
export HIGHWATER_BENCH := $(value BENCH)
bench: $(ISO) ## Instructions per operation, beside Linux's (bench/linux.toml)
	@$(PYTHON) -B tools/bench.py --iso $(ISO) "$$HIGHWATER_BENCH"

# SOAK_MINUTES, shared out among SOAK_TOPOLOGIES (names with commas between); SOAK_SEED and the seeds after it.
SOAK_MINUTES    ?= 60
SOAK_SEED       ?= 1
SOAK_TOPOLOGIES ?= eight
.PHONY: soak
soak: $(ISO) ## An hour of mixed load with memory short all the time (SOAK_MINUTES=n)
	@$(PYTHON) -B tools/soak.py --iso $(ISO) --accel '$(ACCEL)' --minutes '$(SOAK_MINUTES)' \
		--seed '$(SOAK_SEED)' --topologies '$(SOAK_TOPOLOGIES)' --cmdline "$$HIGHWATER_CMDLINE" \
		--logs $(BUILD)/soak

# EXPERIMENT: one of those that have columns; none: all. RUNS boots for each column. By default on four nodes.
SEED ?= 1
RUNS ?= 5
EXPERIMENT ?=
.PHONY: compare
compare: $(ISO) ## Before, posted, after: the table of an experiment (EXPERIMENT=name SEED=n RUNS=n)
	@$(PYTHON) -B tools/compare.py --iso $(ISO) --accel '$(ACCEL)' --seed '$(SEED)' --runs '$(RUNS)' \
		--topology '$(if $(filter file,$(origin TOPOLOGY)),four,$(TOPOLOGY))' \
		--cmdline "$$HIGHWATER_CMDLINE" --logs $(BUILD)/compare $(EXPERIMENT)

# --- The rest -----------------------------------------------------------------------------------

.PHONY: iso
iso: $(ISO) $(BUILD)/compile_commands.json ## build/highwater.iso: boots under BIOS and UEFI
	@echo '  $(ISO): $(shell wc -c <$(ISO) 2>/dev/null) bytes'

.PHONY: docs
docs: $(ISO) ## Write docs/reference from what the kernel says of itself
	@$(PYTHON) -B tools/gendocs.py --iso $(ISO)

.PHONY: doctor
doctor: ## What is missing on this machine, and how to get it
	@tools/deps.sh --doctor

.PHONY: clean
clean: ## Remove build/
	$(note) RM $(BUILD)
	$(Q)rm -rf $(BUILD)

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  TOPOLOGY=name    a machine of tests/topologies/: $(sort $(basename $(notdir $(wildcard tests/topologies/*.toml))))"
	@echo "  CMDLINE='...'    the kernel's command line, for example CMDLINE='run=\"numa; buddyinfo\"'"
	@echo "  FIRMWARE=bios|uefi  ACCEL=tcg|kvm|tcg,thread=single|tcg,thread=multi  QEMUEXTRA='...'  TESTS='-k name'  BENCH=GLOB  DEBUG_PORT=n"
	@echo "  EXPERIMENT=name SEED=n RUNS=n    for \`make compare\`"
	@echo "  SOAK_MINUTES=n SOAK_SEED=n SOAK_TOPOLOGIES=a,b"
	@echo "  TRACE=file       where \`trace on\` records to, for tools/trace.py"
	@echo "  CC=clang  CROSS_COMPILE=prefix-  V=1 (show commands)"

.PHONY: FORCE
FORCE:
