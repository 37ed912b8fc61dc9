# SPDX-License-Identifier: GPL-2.0-only
# Test programs beyond one file each.
$(B)/tests/tap.o: WORLD = $(SHIM_CFLAGS)
$(B)/tests/conformance/%.o: WORLD = $(SHIM_CFLAGS) -Itests
$(B)/tests/conformance/strict_run.o: WORLD = $(LIBC_CFLAGS)
$(B)/tests/model/%.o: WORLD = $(SHIM_CFLAGS) -Itests
all_src += tests/tap.c $(wildcard tests/conformance/*.c tests/model/*.c)

# tap.c once more for the libc world
$(B)/tests/tap_libc.o: tests/tap.c $(flags_file)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(LIBC_CFLAGS) -DTAP_LIBC -MMD -MP -c $< -o $@
-include $(B)/tests/tap_libc.d

# unit tests speak TAP
$(unit_tests): $(B)/tests/tap.o

# ---- the shim's conformance, on both backends ------------------------------
conf_case_obj := $(call obj,$(filter-out %/strict.c %/strict_run.c, \
	$(wildcard tests/conformance/*.c))) $(B)/tests/tap.o
conf := $(B)/tests/conformance
$(conf)/fiber: $(conf_case_obj) $(B)/libshim-fiber.a
	$(link)
$(conf)/thread: $(conf_case_obj) $(B)/libshim-thread.a
	$(link)
$(conf)/strict-fiber: $(conf)/strict.o $(B)/libshim-fiber.a
	$(link)
$(conf)/strict-thread: $(conf)/strict.o $(B)/libshim-thread.a
	$(link)
$(conf)/strict_run: $(conf)/strict_run.o $(B)/tests/tap_libc.o
	$(link)
extra_tests += $(conf)/fiber $(conf)/thread $(conf)/strict-fiber \
	$(conf)/strict-thread $(conf)/strict_run

# ---- the filesystem floor over items in memory -----------------------------
# core/fs once more, with the stand-ins of tests/fs/fake found before the
# core's own headers.
fs_test_src := $(wildcard core/fs/*.c) core/check/fs_items.c core/base/key.c \
	tests/fs/fake_txn.c $(wildcard tests/model/*.c)
fs_test_src := $(filter-out core/fs/format.c,$(fs_test_src))
fs_test_main := $(filter-out tests/fs/fake_txn.c,$(wildcard tests/fs/*.c))
fs_test_obj := $(fs_test_src:%.c=$(B)/tests/fs/obj/%.o)
fs_tests := $(fs_test_main:%.c=$(B)/%)
$(B)/tests/fs/obj/%.o: %.c $(flags_file)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -Itests/fs/fake $(SHIM_CFLAGS) -Itests -MMD -MP -c $< -o $@
$(fs_tests): $(B)/tests/fs/%: $(B)/tests/fs/obj/tests/fs/%.o $(fs_test_obj) \
		$(B)/tests/tap.o $(B)/libshim-fiber.a
	$(call say,LINK,$@)
	$(link)
extra_tests += $(fs_tests)
-include $(fs_test_obj:.o=.d) $(fs_test_main:%.c=$(B)/tests/fs/obj/%.d)
