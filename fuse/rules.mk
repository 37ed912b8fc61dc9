# SPDX-License-Identifier: GPL-2.0-only
#
# The fuzzer of the protocol layer is of the libc world, unlike the others.
$(B)/fuzz/fuse_proto.o: WORLD = $(LIBC_CFLAGS)
$(B)/fuzz/fuse_proto: $(B)/fuse/proto/decode.o

# The kernel calls our mounts fuse.scoutfs, and so does mount -o remount.
.PHONY: install-mount-link
install: install-mount-link
install-mount-link:
	$(Q)install -d $(DESTDIR)$(SBINDIR)
	$(Q)ln -sf mount.scoutfs $(DESTDIR)$(SBINDIR)/mount.fuse.scoutfs
