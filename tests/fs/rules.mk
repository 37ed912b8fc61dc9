# SPDX-License-Identifier: GPL-2.0-only
# The filesystem floor without the floors below: core/fs once more, with the
# stand-ins of tests/fs/fake found before the core's own headers.
fs_test_names := $(filter-out fake_txn,$(patsubst tests/fs/%.c,%,$(wildcard tests/fs/*.c)))
fs_test_bin := $(fs_test_names:%=$(B)/tests/fs/%)
fs_test_src := $(wildcard core/fs/*.c) core/check/fs_items.c core/base/key.c \
	tests/fs/fake_txn.c $(wildcard tests/model/*.c)
fs_test_obj := $(fs_test_src:%.c=$(B)/tests/fs/obj/%.o)

$(B)/tests/fs/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(subst -Icore,-Itests/fs/fake -Icore,$(SHIM_CFLAGS)) -c $< -o $@
$(fs_test_bin): $(B)/tests/fs/%: $(B)/tests/fs/obj/tests/fs/%.o \
		$(fs_test_obj) $(B)/tests/tap.o $(B)/libshim-fiber.a
	$(CC) $(COMMON) -o $@ $^
tests: $(fs_test_bin)
.SECONDARY: $(fs_test_names:%=$(B)/tests/fs/obj/tests/fs/%.o)
-include $(fs_test_obj:.o=.d) \
	$(fs_test_names:%=$(B)/tests/fs/obj/tests/fs/%.d)
