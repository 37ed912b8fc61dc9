# SPDX-License-Identifier: GPL-2.0-only
TOOLS_LIBS += -ljansson

# tests of what the commands share
tools_test_obj := $(call obj,tools/parse.c tools/printer.c tools/progress.c)
tools_tests := $(patsubst tests/host/%.c,$(B)/tests/host/%,\
	$(wildcard tests/host/tools_*.c))
$(tools_tests): $(tools_test_obj) $(B)/tests/tap_libc.o
$(B)/tests/host/tools_check: $(call obj,tools/check.c tools/fail.c)
$(tools_tests): HOST_LIBS += -ljansson

# answers ioctls in tests/tools/mounted.sh
fake_ioctl := $(B)/tests/tools/fake_ioctl.so
extra_tests += $(fake_ioctl)
$(B)/tests/tools/%.o: WORLD = $(LIBC_CFLAGS) -fPIC
$(fake_ioctl): $(B)/tests/tools/fake_ioctl.o
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -o $@ $< -ldl
