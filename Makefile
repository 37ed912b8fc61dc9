# SPDX-License-Identifier: GPL-2.0-only
#
# `make` builds everything under $(B); `make help` lists the targets.
#
# Each folder belongs to one world (docs/architecture.md), and the world
# decides the compiler's flags: sources of the shim world (core, sim, unit
# tests, fuzzers) see no header but those in shim/include and their own;
# sources of the libc world (host, fuse, tools) see libc and, of the core,
# what api.h and port.h declare.
#
# New sources need no change here: programs are made of whatever lies in their
# folders.  A folder with special wishes has a rules.mk, which is read below
# and may add to the variables and give its objects other flags:
#
#	$(B)/shim/thread/%.o: WORLD = $(LIBC_CFLAGS) -Ishim

B ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
OPT ?= -O2 -g
SAN ?=
PREFIX ?= /usr
DESTDIR ?=
# mount(8) looks for helpers in /sbin and /usr/sbin
SBINDIR ?= $(PREFIX)/sbin

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wdeclaration-after-statement -Wvla \
	-Wmissing-prototypes -Wstrict-prototypes -Wimplicit-fallthrough=5
# clang has other levels and other names
ifneq ($(findstring clang,$(CC)),)
WARN := $(filter-out -Wimplicit-fallthrough=5,$(WARN)) \
	-Wno-unknown-warning-option -Wno-gnu-variable-sized-type-not-at-end
endif
COMMON := -std=gnu11 $(OPT) $(SAN) $(WARN) -fno-strict-aliasing -fno-common \
	-fno-omit-frame-pointer
# as in the kernel, where memcpy() of nothing may be given NULL
SHIM_CFLAGS := $(COMMON) -fno-delete-null-pointer-checks -nostdinc \
	-ffreestanding -Ishim/include -Icore -Iinclude -I.
# the kernel's limit for a stack frame
CORE_CFLAGS := $(SHIM_CFLAGS) $(if $(SAN),,-Wframe-larger-than=2048)
LIBC_CFLAGS := $(COMMON) -pthread -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Icore \
	-Iinclude -I.

# ---- sources ---------------------------------------------------------------

core_src := $(wildcard core/*/*.c)
host_src := $(wildcard host/*.c)
tools_src := $(wildcard tools/*.c tools/*/*.c)
mount_src := $(wildcard fuse/mount/*.c)
fuse_src := $(filter-out $(mount_src),$(wildcard fuse/*.c fuse/*/*.c))
# sim/ without its main is a library for the unit tests: ports, disks, models
sim_main := $(wildcard sim/main.c)
sim_src := $(filter-out $(sim_main),$(wildcard sim/*.c sim/*/*.c))
unit_src := $(wildcard tests/unit/*.c)
host_test_src := $(wildcard tests/host/*.c)
# what the shell tests under tests/mount and tests/fuse call
mount_test_src := $(wildcard tests/mount/*.c)
# and those under tests/vm
vm_test_src := $(wildcard tests/vm/*.c)
fuzz_src := $(wildcard fuzz/*.c)
fuzz_lib_src := $(wildcard fuzz/lib/*.c)
man_src := $(wildcard man/*.5 man/*.7 man/*.8)

# build/sim is a program, so its objects are elsewhere
obj = $(patsubst $(B)/sim/%,$(B)/simobj/%,$(patsubst %.c,$(B)/%.o,$(1)))

TOOLS_LIBS = -lblkid
FUSE_LIBS =
HOST_LIBS =
SIM_LIBS =

# All libraries; a group, because core and host call each other.
thread_libs = $(B)/libcore.a $(B)/libshim-thread.a
fiber_libs = $(B)/libcore.a $(B)/libshim-fiber.a
host_lib := $(if $(host_src),$(B)/libhost.a)
sim_lib := $(if $(sim_src),$(B)/libsim.a)

programs :=
programs += $(if $(tools_src),$(B)/scoutfs $(B)/mkfs.scoutfs $(B)/fsck.scoutfs)
programs += $(if $(fuse_src),$(B)/scoutfs-fuse)
programs += $(if $(mount_src),$(B)/mount.scoutfs)
programs += $(if $(sim_main),$(B)/sim)
unit_tests := $(unit_src:%.c=$(B)/%)
host_tests := $(host_test_src:%.c=$(B)/%)
mount_tests := $(mount_test_src:%.c=$(B)/%)
vm_tests := $(vm_test_src:%.c=$(B)/%)
fuzzers := $(fuzz_src:%.c=$(B)/%)

# rules.mk files add sources, TAP programs that are run with several seeds or
# once, and other programs that tests need.
seeded_tests = $(unit_tests)
plain_tests = $(host_tests)
extra_tests = $(mount_tests) $(vm_tests)

.PHONY: all
all: products

all_src := $(core_src) $(host_src) $(tools_src) $(fuse_src) $(mount_src) \
	$(sim_src) $(sim_main) $(unit_src) $(host_test_src) $(mount_test_src) \
	$(vm_test_src)

flags_file := $(B)/.flags

# A wish for other flags, the same pattern written longer, wins over these.
$(B)/core/%.o: WORLD = $(CORE_CFLAGS)
$(B)/simobj/%.o: WORLD = $(SHIM_CFLAGS)
$(B)/fuzz/%.o: WORLD = $(SHIM_CFLAGS)
$(B)/host/%.o: WORLD = $(LIBC_CFLAGS)
$(B)/fuse/%.o: WORLD = $(LIBC_CFLAGS)
$(B)/tools/%.o: WORLD = $(LIBC_CFLAGS)
$(B)/tests/host/%.o: WORLD = $(LIBC_CFLAGS) -Itests
$(B)/tests/mount/%.o: WORLD = $(LIBC_CFLAGS) -Itests
$(B)/tests/vm/%.o: WORLD = $(LIBC_CFLAGS) -Itests

-include $(wildcard */rules.mk tests/*/rules.mk)

.PHONY: products tests objects unit list-tests
products: $(programs)
tests: $(seeded_tests) $(plain_tests) $(extra_tests)
unit: $(seeded_tests) $(extra_tests)

# Everything compiled, nothing linked: for trees that miss a part.
objects: $(call obj,$(all_src))

# What run-tests runs: "seeds" or "once", name, command.
list-tests::
	@$(foreach t,$(seeded_tests),echo "seeds $(t:$(B)/tests/%=%) $(t)";)
	@$(foreach t,$(plain_tests),echo "once $(t:$(B)/tests/%=%) $(t)";)

# ---- how -------------------------------------------------------------------

# Objects depend on the flags they were made with.
flags := $(CC) $(CORE_CFLAGS) $(LIBC_CFLAGS) $(STRICT)
ifneq ($(file <$(flags_file)),$(flags))
.PHONY: $(flags_file)
endif
$(flags_file):
	$(shell mkdir -p $(@D))$(file >$@,$(flags))@:

define compile
@mkdir -p $(@D)
$(call say,CC,$<)
$(Q)$(CC) $(WORLD) -MMD -MP -c $< -o $@
endef

$(B)/%.o: %.c $(flags_file)
	$(compile)
$(B)/simobj/%.o: sim/%.c $(flags_file)
	$(compile)

$(B)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

link = $(Q)$(CC) $(OPT) $(SAN) -pthread -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group -Wl,--as-needed

$(B)/libcore.a: $(call obj,$(core_src))
$(B)/libhost.a: $(call obj,$(host_src))
$(B)/libsim.a: $(call obj,$(sim_src))

$(B)/scoutfs: $(call obj,$(tools_src)) $(host_lib) $(thread_libs)
	$(call say,LINK,$@)
	$(link) $(TOOLS_LIBS) $(HOST_LIBS)

$(B)/mkfs.scoutfs $(B)/fsck.scoutfs: $(B)/scoutfs
	$(call say,LN,$@)
	$(Q)ln -sf scoutfs $@

$(B)/scoutfs-fuse: $(call obj,$(fuse_src)) $(host_lib) $(thread_libs)
	$(call say,LINK,$@)
	$(link) $(FUSE_LIBS) $(HOST_LIBS)

$(B)/mount.scoutfs: $(call obj,$(mount_src)) $(host_lib) $(thread_libs)
	$(call say,LINK,$@)
	$(link) $(FUSE_LIBS) $(HOST_LIBS)

$(B)/sim: $(call obj,$(sim_main)) $(sim_lib) $(fiber_libs)
	$(call say,LINK,$@)
	$(link) $(SIM_LIBS)

$(unit_tests): $(B)/%: $(B)/%.o $(sim_lib) $(fiber_libs)
	$(call say,LINK,$@)
	$(link) $(SIM_LIBS)

$(host_tests): $(B)/%: $(B)/%.o $(host_lib) $(thread_libs)
	$(call say,LINK,$@)
	$(link) $(HOST_LIBS)

$(mount_tests) $(vm_tests): $(B)/%: $(B)/%.o
	$(call say,LINK,$@)
	$(link)

$(fuzzers): $(B)/%: $(B)/%.o $(call obj,$(fuzz_lib_src)) $(fiber_libs)
	$(call say,LINK,$@)
	$(link) $(FUZZ_LIBS)

# Kept although they are intermediate, so that nothing is made twice.
.SECONDARY:
.DELETE_ON_ERROR:

# ---- variants --------------------------------------------------------------

ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-sanitize=nonnull-attribute
# gcc loses track of what is initialised when each access calls the runtime
TSAN := -fsanitize=thread -Wno-maybe-uninitialized
.PHONY: asan tsan fuzz fuzzers
asan:
	+$(Q)$(MAKE) --no-print-directory B=$(B)/asan OPT="-O1 -g" \
		SAN="$(ASAN)" unit $(if $(sim_main),$(B)/asan/sim)
# What runs threads: the daemon, the tests of hosts, the shim's own.
tsan:
	+$(Q)$(MAKE) --no-print-directory B=$(B)/tsan OPT="-O1 -g" \
		SAN="$(TSAN)" STRICT=1 $(patsubst $(B)/%,$(B)/tsan/%, \
		$(filter-out $(B)/sim,$(programs)) $(host_tests) \
		$(mount_tests) $(conf)/thread)
# libFuzzer comes with clang
fuzz:
	+$(Q)$(MAKE) --no-print-directory B=$(B)/libfuzzer CC=clang \
		OPT="-O1 -g" SAN="$(ASAN) -fsanitize=fuzzer-no-link" \
		FUZZ_LIBS=-fsanitize=fuzzer fuzzers
fuzzers: $(fuzzers)

# ---- kernel module ---------------------------------------------------------

# Against the newest 6.1 and 6.12 headers that are installed, or KDIR=.
.PHONY: module
module:
	$(Q)B="$(B)" KDIR="$(KDIR)" V="$(V)" scripts/build-module

# ---- install ---------------------------------------------------------------

D := $(DESTDIR)$(PREFIX)
S := $(DESTDIR)$(SBINDIR)
.PHONY: install
install: products
	$(call say,INSTALL,$(D))
	$(Q)install -d $(D)/include/scoutfs $(S) \
		$(D)/share/bash-completion/completions
	$(Q)install -m 755 $(filter-out %/sim %/mkfs.scoutfs %/fsck.scoutfs, \
		$(programs)) $(S)
	$(Q)ln -sf scoutfs $(S)/mkfs.scoutfs
	$(Q)ln -sf scoutfs $(S)/fsck.scoutfs
	$(Q)for h in $(wildcard include/scoutfs/*.h); do \
		install -m 644 $$h $(D)/include/scoutfs/ || exit; done
	$(Q)for m in $(man_src); do \
		dir=$(D)/share/man/man$${m##*.}; \
		install -d $$dir && \
		gzip -9nc $$m >$$dir/$${m##*/}.gz || exit; done
	$(Q)for c in $(wildcard tools/completion/scoutfs tools/scoutfs.completion); do \
		install -m 644 $$c \
		$(D)/share/bash-completion/completions/scoutfs || exit; done
	$(Q)for u in $(wildcard host/*.service fuse/*.service); do \
		install -d $(D)/lib/systemd/system && \
		install -m 644 $$u $(D)/lib/systemd/system/ || exit; done

.PHONY: clean help
clean:
	rm -rf $(B)
help:
	@echo "make            programs: $(notdir $(programs))"
	@echo "make tests      test programs under $(B)/tests"
	@echo "make objects    compile all, link nothing"
	@echo "make asan       unit tests and sim with ASan and UBSan, $(B)/asan"
	@echo "make tsan       the daemon and what runs threads with TSan, $(B)/tsan"
	@echo "make fuzz       libFuzzer targets (clang), $(B)/libfuzzer"
	@echo "make module     $(B)/kernel/VERSION/scoutfs.ko for the installed"
	@echo "                6.1 and 6.12 headers; KDIR=DIR for another kernel"
	@echo "make bench      what bench/vm and bench/several run"
	@echo "make install    DESTDIR= PREFIX=/usr SBINDIR=PREFIX/sbin"
	@echo "make clean      removes $(B)"
	@echo "V=1 shows commands; B=DIR builds elsewhere; ./run-tests tests"

-include $(patsubst %.o,%.d,$(call obj,$(all_src) \
	$(fuzz_src) $(fuzz_lib_src)))
