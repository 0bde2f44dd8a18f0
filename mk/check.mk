# Lint, format, and what editors want to know.

# All C of the tree, with its headers.
C_FILES = $(sort $(shell find arch bench boot examples include kernel mm tests tools -name '*.[ch]'))
PY_FILES = $(sort $(shell find tools tests -name '*.py'))

# Each compiler sees every file with warnings as errors; objects go to a directory of their own.
lint_build = --no-print-directory BUILD=$(BUILD)/lint WERROR=1 lint-objects

.PHONY: lint lint-objects lint-format lint-layers lint-cppcheck lint-python lint-gcc lint-clang
lint: ## Format, layers, warnings of gcc and clang, cppcheck
lint: lint-format lint-layers lint-cppcheck lint-python lint-gcc lint-clang
	@echo "lint: clean"

lint-format: | deps
	$(note) FORMAT '$(words $(C_FILES)) files'
	$(Q)bad=; for file in $(C_FILES); do \
		clang-format $$file | cmp -s - $$file || bad="$$bad $$file"; done; \
		[ -z "$$bad" ] || { printf 'not formatted (make format):%s\n' "$$bad"; exit 1; }

lint-layers: | deps
	$(note) LAYERS 'who may know whom'
	$(Q)$(PYTHON) -B tools/layercheck.py

lint-cppcheck: | deps
	$(note) CPPCHECK
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability,performance \
		--inline-suppr --suppressions-list=tools/cppcheck.txt -j2 \
		-Iinclude -Iarch/x86_64/include $(filter-out tests/%,$(KERNEL_C))

lint-python: | deps
	$(note) PYTHON '$(words $(PY_FILES)) files'
	$(Q)$(PYTHON) -B -m pyflakes $(PY_FILES)

lint-gcc: | deps
	$(note) LINT 'gcc -Werror'
	$(Q)$(MAKE) $(lint_build) CC=$(CROSS_COMPILE)gcc HOSTCC=gcc

lint-clang: | deps
	$(note) LINT 'clang -Werror'
	$(Q)$(MAKE) $(lint_build) CC=clang HOSTCC=clang

lint-objects: $(KERNEL_OBJ) $(ASAN_OBJ)

.PHONY: format
format: | deps ## Format the C files in place
	$(note) FORMAT '$(words $(C_FILES)) files'
	$(Q)clang-format -i $(C_FILES)

# For clangd and other editors.
$(BUILD)/compile_commands.json: tools/compdb.py $(KBUILD)/flags $(KBUILD)/objects \
				$(HBUILD)/asan/flags
	$(Q)$(PYTHON) -B tools/compdb.py "$(KERNEL_CC) $(KERNEL_CFLAGS)" $(KERNEL_C) \
		-- "$(HOSTCC) $(HOST_CFLAGS)" $(filter tests/host/% tests/unit/%,$(HOST_C)) >$@
