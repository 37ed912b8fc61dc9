# SPDX-License-Identifier: GPL-2.0-only
"""The initramfs of a machine: busybox, two scripts, and the modules that lead
to the host's root.  Written here in the kernel's own cpio format ("newc")."""

import lzma
import os
import stat
import struct

HERE = os.path.dirname(os.path.abspath(__file__))

# What is needed before /lib/modules of the host can be seen, and what most
# commands want: insmod from here is faster than modprobe from there.
DRIVERS = ("virtio_pci", "virtio_console", "virtio_blk", "virtiofs", "overlay",
           "fuse", "loop")


class Trouble(Exception):
    """A machine can not be run, or not as it was asked for."""


def kernel_version(image):
    """The release of a bzImage; Documentation/x86/boot.rst has the header."""
    with open(image, "rb") as f:
        head = f.read(0x10000)
    if head[0x202:0x206] != b"HdrS":
        raise Trouble("%s is not a bzImage" % image)
    at = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
    return head[at:head.index(b"\0", at)].split()[0].decode()


class Modules:
    """The modules of a kernel, as depmod has left them."""

    def __init__(self, version):
        self.root = os.path.join("/lib/modules", version)
        self.path = {}
        self.deps = {}
        try:
            with open(os.path.join(self.root, "modules.dep")) as f:
                lines = f.read().splitlines()
        except OSError:
            lines = []      # everything is built in
        for line in lines:
            path, deps = line.split(":")
            self.path[self.name(path)] = path
            self.deps[path] = deps.split()

    @staticmethod
    def name(path):
        return os.path.basename(path).split(".")[0].replace("-", "_")

    def with_deps(self, names):
        """Paths in the order of loading; what is not a module is left out."""
        order = []
        for name in names:
            path = self.path.get(name)
            if not path:
                continue
            # modules.dep names the nearest first
            for each in reversed(self.deps[path]):
                if each not in order:
                    order.append(each)
            if path not in order:
                order.append(path)
        return order

    def content(self, path):
        full = os.path.join(self.root, path)
        with open(full, "rb") as f:
            data = f.read()
        return lzma.decompress(data) if path.endswith(".xz") else data


class Cpio:
    def __init__(self, f):
        self.f = f
        self.ino = 0

    def _entry(self, name, mode, data):
        self.ino += 1
        name = name.encode() + b"\0"
        fields = (self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                  len(name), 0)
        head = b"070701" + b"".join(b"%08X" % n for n in fields) + name
        self.f.write(head + bytes(-len(head) % 4) + data +
                     bytes(-len(data) % 4))

    def dir(self, name):
        self._entry(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name, data):
        self._entry(name, stat.S_IFREG | 0o755, data)

    def end(self):
        self._entry("TRAILER!!!", 0, b"")


def busybox():
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path):
            with open(path, "rb") as f:
                data = f.read()
            # A program header of type INTERP: it wants a dynamic linker.
            if b"ld-linux" not in data[:4096]:
                return data
    raise Trouble("there is no static busybox: scripts/install-deps vm")


def depends(data):
    """Names of the modules that a module says it needs."""
    at = data.find(b"\0depends=")
    if at < 0:
        return []
    text = data[at + 9:data.index(b"\0", at + 9)].decode()
    return [name for name in text.split(",") if name]


def write(f, version, module=None):
    """Writes the initramfs for a kernel to a binary file; the module is loaded
    on request, what it depends on at once."""
    modules = Modules(version)
    cpio = Cpio(f)
    for name in ("bin", "modules"):
        cpio.dir(name)
    cpio.file("bin/busybox", busybox())
    for script in ("init", "agent"):
        with open(os.path.join(HERE, script + ".sh"), "rb") as src:
            cpio.file("init" if script == "init" else "agent.sh", src.read())
    order = []
    names = list(DRIVERS)
    if module:
        with open(module, "rb") as src:
            data = src.read()
        cpio.file("modules/scoutfs", data)
        names += depends(data)
    for path in modules.with_deps(names):
        name = modules.name(path) + ".ko"
        cpio.file("modules/" + name, modules.content(path))
        order.append(name)
    cpio.file("modules/order", ("\n".join(order) + "\n").encode())
    cpio.end()
