# SPDX-License-Identifier: GPL-2.0-only
# The program that bench/vm runs in its machines.
.PHONY: bench
bench: $(B)/bench/work
$(B)/bench/%.o: WORLD = $(LIBC_CFLAGS)
$(B)/bench/work: $(B)/bench/work.o
	$(call say,LINK,$@)
	$(link)
all_src += bench/work.c
