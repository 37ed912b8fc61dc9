# SPDX-License-Identifier: GPL-2.0-only
# The filesystem floor without the floors below: core/fs once more, with the
# stand-ins of tests/fs/fake found before the core's own headers.
fs_test_main := $(filter-out tests/fs/fake_txn.c,$(wildcard tests/fs/*.c))
fs_test_bin := $(fs_test_main:%.c=$(B)/%)
fs_test_src := $(wildcard core/fs/*.c) core/check/fs_items.c core/base/key.c \
	tests/fs/fake_txn.c $(wildcard tests/model/*.c)
fs_test_obj := $(fs_test_src:%.c=$(B)/tests/fs/obj/%.o)

$(B)/tests/fs/obj/%.o: WORLD = \
	$(subst -Icore,-Itests/fs/fake -Icore,$(SHIM_CFLAGS))
$(B)/tests/fs/obj/%.o: %.c $(flags_file)
	$(compile)
$(fs_test_bin): $(B)/tests/fs/%: $(B)/tests/fs/obj/tests/fs/%.o \
		$(fs_test_obj) $(B)/tests/tap.o $(B)/libshim-fiber.a
	$(call say,LINK,$@)
	$(link)
seeded_tests += $(fs_test_bin)
-include $(fs_test_obj:.o=.d) \
	$(fs_test_main:%.c=$(B)/tests/fs/obj/%.d)
