# SPDX-License-Identifier: GPL-2.0-only
HOST_LIBS += -luring -lblkid

# The fuzzer of the owner block is of the libc world, unlike most others.
$(B)/fuzz/owner_block.o: WORLD = $(LIBC_CFLAGS)
$(B)/fuzz/owner_block: $(B)/host/owner_block.o
