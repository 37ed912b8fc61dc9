# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine: QEMU, the virtiofsd that shows it this machine's root,
and the ports through which its agent (agent.sh) is talked to.

Everything goes through descriptors that the children inherit, so several
machines do not know of each other and nothing is left but a directory below
/tmp, which end() removes.  The children are killed with us, however we end
(PR_SET_PDEATHSIG)."""

import base64
import ctypes
import errno
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import initramfs
from initramfs import Trouble

QEMU = "qemu-system-x86_64"
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
PR_SET_PDEATHSIG = 1

LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A Ctrl-C is ours to handle.
    os.setsid()


def why_not():
    """Why this machine can run no virtual machines; nothing if it can."""
    if not shutil.which(QEMU):
        return "there is no %s: scripts/install-deps vm" % QEMU
    if not os.access(VIRTIOFSD, os.X_OK):
        return "there is no virtiofsd: scripts/install-deps vm"
    if os.geteuid() != 0:
        return "not root, and virtiofsd needs it"
    if not hasattr(os, "memfd_create"):
        return "no memfd_create(2)"
    try:
        initramfs.busybox()
    except Trouble as e:
        return str(e)
    return None


class Channel:
    """The ports of one channel of the agent."""

    def __init__(self, nr):
        self.nr = nr
        self.names = ["%s%d" % (n, nr) for n in ("ctl", "in", "out", "err")]
        self.ctl = self.inp = self.out = self.err = None
        self.text = b""
        self.ready = False


class Machine:
    def __init__(self, image, log, cpus=2, memory=1024, disks=(), kvm=False,
                 channels=1, tty=False, icount=False, root="/",
                 cache="always", append=(), module=None):
        self.image = image
        self.version = initramfs.kernel_version(image)
        self.dir = tempfile.mkdtemp(prefix="scoutfs-vm.", dir="/tmp")
        self.log = open(log, "wb")
        self.kvm = kvm
        self.icount = icount
        self.cpus = cpus
        self.memory = memory
        self.disks = disks
        self.append = list(append)
        self.cache = cache
        self.channels = [Channel(n) for n in range(channels)]
        self.tty = None
        self.want_tty = tty
        self.qemu = self.virtiofsd = None
        self.inherit = []
        self.sel = selectors.DefaultSelector()
        self.console = self.qmp = None
        self.answers = []       # (channel, line)
        self.quiet_since = time.monotonic()
        self.root = root
        self.module = module

    # ---- starting -----------------------------------------------------------

    def _pair(self):
        """A socket for us and the number of the one that QEMU inherits."""
        ours, theirs = socket.socketpair()
        self.inherit.append(theirs)
        return ours, theirs.fileno()

    def _port(self, args, bus, name):
        ours, fd = self._pair()
        args += ["-chardev", "socket,id=%s,fd=%d" % (name, fd),
                 "-device", "virtserialport,bus=%s.0,chardev=%s,name=%s" %
                 (bus, name, name)]
        return ours

    def _channel(self, args, ch):
        # A controller for each: with more than some ten ports QEMU drops
        # messages about them while the guest comes up.
        bus = "serial%d" % ch.nr
        args += ["-device", "virtio-serial-pci,id=%s,max_ports=8" % bus]
        if self.want_tty and ch.nr == 0:
            self.tty, fd = self._pair()
            args += ["-chardev", "socket,id=tty,fd=%d" % fd,
                     "-device", "virtconsole,bus=%s.0,chardev=tty" % bus]
        ch.ctl, ch.inp, ch.out, ch.err = (
            self._port(args, bus, name) for name in ch.names)

    def _arguments(self):
        accel = "kvm" if self.kvm else "tcg,thread=multi"
        cpu = "host" if self.kvm else "max,la57=off"
        if self.icount:
            accel = "tcg,thread=single"
        args = [QEMU, "-machine", "q35", "-accel", accel, "-cpu", cpu,
                "-smp", "%d" % self.cpus, "-m", "%d" % self.memory,
                "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-kernel", self.image,
                "-initrd", os.path.join(self.dir, "initramfs"),
                "-append", " ".join(self._command_line())]
        if self.icount:
            args += ["-icount", "shift=0,sleep=on"]
        args += ["-object", "rng-random,id=rng,filename=/dev/urandom",
                 "-device", "virtio-rng-pci,rng=rng"]
        args += ["-object", "memory-backend-memfd,id=m,size=%dM,share=on" %
                 self.memory, "-numa", "node,memdev=m"]
        for nr, disk in enumerate(self.disks):
            args += self._disk(nr, disk)

        self.console, fd = self._pair()
        args += ["-chardev", "socket,id=con,fd=%d" % fd,
                 "-serial", "chardev:con"]
        self.qmp, fd = self._pair()
        args += ["-chardev", "socket,id=qmp,fd=%d" % fd,
                 "-mon", "chardev=qmp,mode=control"]
        for ch in self.channels:
            self._channel(args, ch)
        return args

    def _command_line(self):
        # no_timer_check and the long stall time: an emulated processor may
        # have to wait for a real one for long.
        return ["console=ttyS0", "quiet", "panic=-1", "oops=panic",
                "no_timer_check", "mitigations=off",
                "rcupdate.rcu_cpu_stall_timeout=120", "watchdog_thresh=60",
                "random.trust_cpu=on",
                "scoutfs_vm=%d" % len(self.channels)] + self.append

    def _disk(self, nr, disk):
        """A raw file, or what another program serves under a URI."""
        drive = "if=none,id=d%d,format=raw,discard=unmap" % nr
        name = disk.replace(",", ",,")
        if "://" in disk:
            drive += ",file=" + name
        else:
            if not os.path.exists(disk):
                raise Trouble("there is no %s" % disk)
            drive += ",file=%s,file.locking=off,cache=writeback" % name
        return ["-drive", drive, "-device",
                "virtio-blk-pci,drive=d%d,share-rw=on,serial=disk%d" %
                (nr, nr)]

    def _start_virtiofsd(self):
        # cache=always: a machine may not see what changes here after it has
        # looked; every open asking anew makes a program start in a second.
        path = os.path.join(self.dir, "fs")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.set_inheritable(True)
            with open(os.path.join(self.dir, "virtiofsd.log"), "wb") as log:
                self.virtiofsd = subprocess.Popen(
                    [VIRTIOFSD, "--fd=%d" % listener.fileno(), "-o",
                     "source=%s,cache=%s,sandbox=chroot,log_level=err" %
                     (self.root, self.cache)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=(listener.fileno(),),
                    preexec_fn=die_with_parent)
        return ["-chardev", "socket,id=fs,path=%s" % path,
                "-device", "vhost-user-fs-pci,chardev=fs,tag=hostroot"]

    def start(self):
        with open(os.path.join(self.dir, "initramfs"), "wb") as f:
            initramfs.write(f, self.version, self.module)
        args = self._arguments()
        if self.root:
            args += self._start_virtiofsd()
        with open(os.path.join(self.dir, "qemu.log"), "wb") as log:
            self.qemu = subprocess.Popen(
                args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[s.fileno() for s in self.inherit],
                preexec_fn=die_with_parent)
        for sock in self.inherit:
            sock.close()
        self.sel.register(self.console, selectors.EVENT_READ, self._console)
        self.sel.register(self.qmp, selectors.EVENT_READ, self._ignore)
        self.console.setblocking(False)
        self.tell("qmp_capabilities")
        for ch in self.channels:
            ch.ctl.setblocking(False)
            self.sel.register(ch.ctl, selectors.EVENT_READ,
                              lambda s, ch=ch: self._control(ch))

    # ---- talking ------------------------------------------------------------

    def forget(self, sock):
        if sock in self.sel.get_map():
            self.sel.unregister(sock)

    @staticmethod
    def _read(sock):
        """b"" at the end, None when there is nothing."""
        try:
            return sock.recv(65536)
        except BlockingIOError:
            return None
        except OSError as e:
            if e.errno == errno.ECONNRESET:
                return b""
            raise

    def _console(self, sock):
        data = self._read(sock)
        if data == b"":
            self.forget(sock)
        elif data:
            self.quiet_since = time.monotonic()
            self.log.write(data)
            self.log.flush()

    def _ignore(self, sock):
        if not self._read(sock):
            self.forget(sock)

    def _control(self, ch):
        data = self._read(ch.ctl)
        if data == b"":
            self.forget(ch.ctl)
            return
        ch.text += data or b""
        *lines, ch.text = ch.text.split(b"\n")
        for line in lines:
            line = line.decode("utf-8", "replace").strip()
            if line == "ready":
                ch.ready = True
            elif line:
                self.answers.append((ch, line))

    def forward(self, sock, write):
        """Calls write(bytes) with what a port brings, from step() on."""
        def ready(s):
            data = self._read(s)
            if data == b"":
                self.forget(s)
            elif data:
                write(data)
            return data
        sock.setblocking(False)
        self.sel.register(sock, selectors.EVENT_READ, ready)
        return ready

    def step(self, timeout):
        """Handles what has come; false when the machine has ended."""
        for key, _ in self.sel.select(min(timeout, 0.5)):
            key.data(key.fileobj)
        return self.qemu.poll() is None

    def request(self, ch, *words):
        """Words after the first are sent in base64."""
        line = words[0]
        if len(words) > 1:
            text = " ".join(words[1:]).encode()
            line += " " + base64.b64encode(text).decode()
        ch.ctl.setblocking(True)
        try:
            ch.ctl.sendall(line.encode() + b"\n")
        except BrokenPipeError:
            pass                # step() says that the machine has ended
        ch.ctl.setblocking(False)

    def tell(self, command, **arguments):
        """A command for QEMU's monitor."""
        self.qmp.sendall(json.dumps({"execute": command,
                                     "arguments": arguments}).encode() + b"\n")

    def wait_ready(self, seconds):
        """Until the agent serves; false if it does not."""
        deadline = time.monotonic() + seconds
        while not all(ch.ready for ch in self.channels):
            left = deadline - time.monotonic()
            if left <= 0 or not self.step(left):
                return False
        return True

    def answer(self, ch, deadline):
        """The next line of a channel; None at the deadline or at the end."""
        alive = True
        while True:
            for i, (who, line) in enumerate(self.answers):
                if who is ch:
                    del self.answers[i]
                    return line
            left = deadline - time.monotonic()
            if left <= 0 or not alive:
                return None
            alive = self.step(left)

    # ---- ending -------------------------------------------------------------

    def dump(self):
        """Makes a machine that hangs say where, through its serial line."""
        for key in "lwt":
            try:
                self.tell("chardev-send-break", id="con")
                self._until_quiet(0.3, 1)
                self.console.setblocking(True)
                self.console.sendall(key.encode())
                self.console.setblocking(False)
            except OSError:
                return
            self._until_quiet(1, 10)

    def _until_quiet(self, quiet, limit):
        begin = self.quiet_since = time.monotonic()
        while (time.monotonic() - self.quiet_since < quiet and
               time.monotonic() - begin < limit and self.step(0.1)):
            pass

    def wait_end(self, seconds):
        deadline = time.monotonic() + seconds
        while self.step(0.2):
            if time.monotonic() > deadline:
                return False
        return True

    def complaints(self):
        """What the programs themselves said."""
        text = ""
        for name in ("qemu.log", "virtiofsd.log"):
            try:
                with open(os.path.join(self.dir, name), errors="replace") as f:
                    text += f.read()
            except OSError:
                pass
        return text

    def end(self):
        """Kills what is left and removes every trace but the log."""
        for proc in (self.qemu, self.virtiofsd):
            if proc and proc.poll() is None:
                proc.kill()
            if proc:
                proc.wait()
        if self.console:
            while True:
                data = self._read(self.console)
                if not data:
                    break
                self.log.write(data)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
