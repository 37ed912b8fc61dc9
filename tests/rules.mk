# SPDX-License-Identifier: GPL-2.0-only
# Test programs.  Unit tests, one program for each tests/unit/NAME.c, and tests
# of the host library, tests/host/NAME.c, are in the Makefile; here is what has
# other shapes.

$(B)/tests/%.o: WORLD = $(SHIM_CFLAGS)
$(B)/tests/tap_libc.o: WORLD = $(LIBC_CFLAGS) -DTAP_LIBC
$(B)/tests/conformance/strict_run.o: WORLD = $(LIBC_CFLAGS)

$(B)/tests/tap_libc.o: tests/tap.c $(flags_file)
	$(compile)

# Conformance: the same cases over both backends of the shim.  Cases that have
# to end the program are run one by one by strict_run.
conf_src := $(wildcard tests/conformance/*.c)
conf_case_obj := $(call obj,$(filter-out %/strict.c %/strict_run.c,$(conf_src)))
conf := $(B)/tests/conformance
conf_tests := $(conf)/fiber $(conf)/thread
conf_helpers := $(conf)/strict-fiber $(conf)/strict-thread $(conf)/strict_run
ifneq ($(conf_src),)
$(conf)/fiber: $(conf_case_obj) $(B)/tests/tap.o $(B)/libshim-fiber.a
$(conf)/thread: $(conf_case_obj) $(B)/tests/tap.o $(B)/libshim-thread.a
$(conf)/strict-fiber: $(conf)/strict.o $(B)/libshim-fiber.a
$(conf)/strict-thread: $(conf)/strict.o $(B)/libshim-thread.a
$(conf)/strict_run: $(conf)/strict_run.o $(B)/tests/tap_libc.o
$(conf_tests) $(conf_helpers):
	$(call say,LINK,$@)
	$(link)

all_src += $(conf_src)
seeded_tests += $(conf_tests)
test_helpers += $(conf_helpers)
list-tests::
	@echo "once conformance/strict-fiber $(conf)/strict_run $(conf)/strict-fiber"
	@echo "once conformance/strict-thread $(conf)/strict_run $(conf)/strict-thread"
endif
