# SPDX-License-Identifier: GPL-2.0-only
# Test programs.  Unit tests: one program for each tests/unit/NAME.c, in the
# shim world, linked with core, simulator and the fiber backend.
unit_names := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*.c))
unit_bin := $(unit_names:%=$(B)/tests/unit/%)
conf_obj := $(patsubst %.c,$(B)/%.o,$(wildcard tests/conformance/*.c))
conf_case_obj := $(filter-out %/strict.o %/strict_run.o,$(conf_obj))
conf_bin := $(B)/tests/conformance/fiber $(B)/tests/conformance/thread \
	$(B)/tests/conformance/strict-fiber \
	$(B)/tests/conformance/strict-thread \
	$(B)/tests/conformance/strict_run
sim_obj := $(patsubst %.c,$(B)/%.o,$(filter-out sim/main.c,$(wildcard sim/*.c)))

tests: $(unit_bin) $(conf_bin)

$(B)/libsim.a: $(sim_obj)
	rm -f $@ && ar rcs $@ $^
$(B)/sim/%.o: sim/%.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c $< -o $@
$(B)/tests/tap.o: tests/tap.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c $< -o $@
$(B)/tests/tap_libc.o: tests/tap.c
	@mkdir -p $(@D)
	$(CC) $(COMMON) -D_GNU_SOURCE -DTAP_LIBC -I. -c $< -o $@
$(B)/tests/unit/%.o: tests/unit/%.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c $< -o $@
$(B)/tests/conformance/strict_run.o: tests/conformance/strict_run.c
	@mkdir -p $(@D)
	$(CC) $(COMMON) -D_GNU_SOURCE -I. -c $< -o $@
$(B)/tests/conformance/%.o: tests/conformance/%.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c $< -o $@

# sim and core refer to each other (ports)
$(unit_bin): $(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/tests/tap.o \
		$(B)/libsim.a $(B)/libcore.a $(B)/libshim-fiber.a
	$(CC) $(COMMON) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group
$(B)/tests/conformance/fiber: $(conf_case_obj) $(B)/tests/tap.o \
		$(B)/libshim-fiber.a
	$(CC) $(COMMON) -o $@ $^
$(B)/tests/conformance/thread: $(conf_case_obj) $(B)/tests/tap.o \
		$(B)/libshim-thread.a
	$(CC) $(COMMON) -o $@ $^
$(B)/tests/conformance/strict-fiber: $(B)/tests/conformance/strict.o \
		$(B)/libshim-fiber.a
	$(CC) $(COMMON) -o $@ $^
$(B)/tests/conformance/strict-thread: $(B)/tests/conformance/strict.o \
		$(B)/libshim-thread.a
	$(CC) $(COMMON) -o $@ $^
$(B)/tests/conformance/strict_run: $(B)/tests/conformance/strict_run.o \
		$(B)/tests/tap_libc.o
	$(CC) $(COMMON) -o $@ $^
.PHONY: tests
.SECONDARY: $(unit_names:%=$(B)/tests/unit/%.o)
-include $(unit_names:%=$(B)/tests/unit/%.d) $(conf_obj:.o=.d) \
	$(sim_obj:.o=.d) $(B)/tests/tap.d $(B)/tests/tap_libc.d
