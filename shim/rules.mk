# SPDX-License-Identifier: GPL-2.0-only
# The shim: common code sees the kernel names it implements, the rest libc.
# STRICT=1 builds the thread backend with lock order and memory checks.
shim_common_obj := $(patsubst %.c,$(B)/%.o,$(wildcard shim/common/*.c))
shim_os_obj := $(patsubst %.c,$(B)/%.o,$(wildcard shim/os/*.c))
shim_fiber_obj := $(patsubst %.c,$(B)/%.o,$(wildcard shim/fiber/*.c))
shim_thread_obj := $(patsubst %.c,$(B)/%.o,$(wildcard shim/thread/*.c))

$(B)/libshim-fiber.a: $(shim_common_obj) $(shim_os_obj) $(shim_fiber_obj)
	rm -f $@ && ar rcs $@ $^
$(B)/libshim-thread.a: $(shim_common_obj) $(shim_os_obj) $(shim_thread_obj)
	rm -f $@ && ar rcs $@ $^

$(B)/shim/common/%.o: shim/common/%.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c $< -o $@
$(shim_os_obj) $(shim_fiber_obj) $(shim_thread_obj): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(COMMON) -D_GNU_SOURCE -I. $(if $(STRICT),-DSHIM_STRICT) \
		-c $< -o $@
all: $(B)/libshim-fiber.a $(B)/libshim-thread.a
-include $(patsubst %.o,%.d,$(shim_common_obj) $(shim_os_obj) \
	$(shim_fiber_obj) $(shim_thread_obj))
