# SPDX-License-Identifier: GPL-2.0-only
#
# The fuzzer of the protocol layer is of the libc world, unlike the others.
$(B)/fuzz/fuse_proto.o: WORLD = $(LIBC_CFLAGS)
$(B)/fuzz/fuse_proto: $(B)/fuse/proto/decode.o
