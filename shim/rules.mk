# SPDX-License-Identifier: GPL-2.0-only
# The shim: common code sees the kernel names it implements, the rest libc.
# STRICT=1 builds the thread backend with lock order and memory checks.
SHIM_HOST_CFLAGS = $(COMMON) -pthread -D_GNU_SOURCE -I. \
	$(if $(STRICT),-DSHIM_STRICT)

$(B)/shim/common/%.o: WORLD = $(SHIM_CFLAGS)
$(B)/shim/os/%.o: WORLD = $(SHIM_HOST_CFLAGS)
$(B)/shim/fiber/%.o: WORLD = $(SHIM_HOST_CFLAGS)
$(B)/shim/thread/%.o: WORLD = $(SHIM_HOST_CFLAGS)

shim_common_src := $(wildcard shim/common/*.c) $(wildcard shim/os/*.c)
shim_fiber_src := $(wildcard shim/fiber/*.c)
shim_thread_src := $(wildcard shim/thread/*.c)

$(B)/libshim-fiber.a: $(call obj,$(shim_common_src) $(shim_fiber_src))
$(B)/libshim-thread.a: $(call obj,$(shim_common_src) $(shim_thread_src))

all_src += $(shim_common_src) $(shim_fiber_src) $(shim_thread_src)
