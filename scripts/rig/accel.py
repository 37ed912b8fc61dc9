# SPDX-License-Identifier: GPL-2.0-only
"""Whether machines can use KVM.

That /dev/kvm is there says little: nested or paravirtual KVM may start a guest
and hang in it.  So a stock kernel is booted once, with ten seconds to come to
its first process, and the verdict is kept outside of the tree."""

import fcntl
import hashlib
import os
import platform
import tempfile
import time

import machine

SECONDS = 10


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "scoutfs")
    os.makedirs(path, exist_ok=True)
    return path


def this_machine():
    """What the verdict depends on."""
    words = [platform.release(), platform.node()]
    try:
        with open("/proc/cpuinfo") as f:
            words += [line for line in f if line.startswith("model name")][:1]
    except OSError:
        pass
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def boots(image):
    with tempfile.NamedTemporaryFile(prefix="scoutfs-vm.") as log:
        vm = machine.Machine(image, log.name, cpus=1, memory=256, kvm=True,
                             root=None, channels=0)
        try:
            vm.start()
            deadline = time.monotonic() + SECONDS
            while vm.step(0.2) and time.monotonic() < deadline:
                pass
        finally:
            vm.end()
        with open(log.name, errors="replace") as f:
            return "scoutfs-vm: alive" in f.read()


def use_kvm(wish, image):
    if wish:
        return wish == "kvm"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    path = os.path.join(cache_dir(), "kvm-" + this_machine())
    # Several machines that start at once wait for one probe.
    with open(path, "a+") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.seek(0)
        verdict = f.read().strip()
        if verdict not in ("yes", "no"):
            verdict = "yes" if boots(image) else "no"
            f.truncate(0)
            f.write(verdict + "\n")
        return verdict == "yes"
