# SPDX-License-Identifier: GPL-2.0-only
# The programs that bench/vm and bench/several run.
.PHONY: bench
bench_programs := $(B)/bench/work $(B)/bench/mounts
bench: $(bench_programs)
$(B)/bench/%.o: WORLD = $(LIBC_CFLAGS)
$(bench_programs): %: %.o
	$(call say,LINK,$@)
	$(link)
all_src += bench/work.c bench/mounts.c
