# SPDX-License-Identifier: GPL-2.0-only
# The TAP harness for both worlds, and the conformance tests of the shim: one
# set of cases, linked with each backend, and programs that break its rules,
# whose cases strict_run runs one by one.
$(B)/tests/tap.o: WORLD = $(SHIM_CFLAGS)
$(B)/tests/tap_libc.o: WORLD = $(LIBC_CFLAGS) -DTAP_LIBC
$(B)/tests/conformance/%.o: WORLD = $(SHIM_CFLAGS)
$(B)/tests/unit/%.o: WORLD = $(SHIM_CFLAGS) -Itests
$(B)/tests/strict_run.o: WORLD = $(LIBC_CFLAGS)

conf := $(B)/tests/conformance
conf_src := $(wildcard tests/conformance/*.c)
conf_case_src := $(filter-out %/strict.c,$(conf_src))
ifneq ($(conf_src),)
conf_tests := $(conf)/fiber $(conf)/thread
conf_helpers := $(conf)/strict-fiber $(conf)/strict-thread \
	$(B)/tests/strict_run
seeded_tests += $(conf_tests)
extra_tests += $(conf_helpers)
all_src += $(conf_src) tests/tap.c tests/strict_run.c
endif

$(unit_tests): $(B)/tests/tap.o
$(host_tests) $(mount_tests) $(vm_tests): $(B)/tests/tap_libc.o
$(conf)/fiber: $(call obj,$(conf_case_src)) $(B)/tests/tap.o \
		$(B)/libshim-fiber.a
$(conf)/thread: $(call obj,$(conf_case_src)) $(B)/tests/tap.o \
		$(B)/libshim-thread.a
$(conf)/strict-fiber: $(conf)/strict.o $(B)/libshim-fiber.a
$(conf)/strict-thread: $(conf)/strict.o $(B)/libshim-thread.a
$(B)/tests/strict_run: $(B)/tests/strict_run.o $(B)/tests/tap_libc.o

# "link" is defined further down than this file is read
$(conf_tests) $(conf_helpers):
	$(call say,LINK,$@)
	$(link)

$(B)/tests/tap_libc.o: tests/tap.c $(flags_file)
	$(compile)

$(B)/tests/model/%.o: WORLD = $(SHIM_CFLAGS) -Itests
all_src += $(wildcard tests/model/*.c)

list-tests::
	@$(foreach b,$(if $(conf_src),fiber thread), \
		echo "once conformance/strict-$b" \
		$(B)/tests/strict_run $(conf)/strict-$b;)

# ---- the filesystem floor over items in memory -----------------------------
# core/fs once more, with the stand-ins of tests/fs/fake found before the
# core's own headers.
fs_test_src := $(wildcard core/fs/*.c) core/check/fs_items.c core/base/key.c \
	core/mount/lockset.c tests/fs/fake_txn.c $(wildcard tests/model/*.c)
fs_test_src := $(filter-out core/fs/format.c,$(fs_test_src))
fs_test_main := $(filter-out tests/fs/fake_txn.c,$(wildcard tests/fs/*.c))
fs_test_obj := $(fs_test_src:%.c=$(B)/tests/fs/obj/%.o)
fs_tests := $(fs_test_main:%.c=$(B)/%)
$(B)/tests/fs/obj/%.o: WORLD = -Itests/fs/fake $(SHIM_CFLAGS) -Itests
$(B)/tests/fs/obj/%.o: %.c $(flags_file)
	$(compile)
$(fs_tests): $(B)/tests/fs/%: $(B)/tests/fs/obj/tests/fs/%.o $(fs_test_obj) \
		$(B)/tests/tap.o $(B)/libshim-fiber.a
	$(call say,LINK,$@)
	$(link)
seeded_tests += $(fs_tests)
-include $(fs_test_obj:.o=.d) $(fs_test_main:%.c=$(B)/tests/fs/obj/%.d)

# ---- what unit tests share --------------------------------------------------
$(B)/tests/unit/%.o: WORLD = $(SHIM_CFLAGS)
unit_lib_src := $(wildcard tests/unit/lib/*.c)
$(unit_tests): $(call obj,$(unit_lib_src))
all_src += $(unit_lib_src)
