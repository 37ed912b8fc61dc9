# SPDX-License-Identifier: GPL-2.0-only
# Everything is built under $(B).  Worlds (docs/architecture.md): code of the
# shim world (core, sim, unit tests) sees only shim/include; code of the libc
# world (host, fuse, tools) sees only the core's api.h and port.h.
B ?= build
CC ?= gcc
OPT ?= -O2 -g
SAN ?=
WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wdeclaration-after-statement -Wvla
COMMON := -std=gnu11 $(OPT) $(SAN) $(WARN) -fno-strict-aliasing -fno-common \
	-fno-omit-frame-pointer -MMD -MP
SHIM_CFLAGS := $(COMMON) -nostdinc -ffreestanding -Ishim/include -Icore \
	-Iinclude -I.
LIBC_CFLAGS := $(COMMON) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Icore -Iinclude -I.

core_src := $(wildcard core/*/*.c)
shim_src := $(wildcard shim/common/*.c)
core_obj := $(core_src:%.c=$(B)/%.o)

all: $(B)/libcore.a
$(B)/libcore.a: $(core_obj)
	rm -f $@ && ar rcs $@ $^
$(B)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c $< -o $@
clean:
	rm -rf $(B)
-include $(core_obj:.o=.d)
.PHONY: all clean
-include shim/rules.mk sim/rules.mk tests/rules.mk tests/fs/rules.mk
