# SPDX-License-Identifier: GPL-2.0-only
"""Reads the console of a machine and says what a kernel must not say.

Only what came after the agent's "ready" counts: drivers of a stock kernel may
complain about an emulated machine while it boots, and that is not ours."""

import re

READY = "scoutfs-vm: ready"

BAD = re.compile("|".join((
    r"\bBUG: ", r"\bkernel BUG at ", r"\bOops\b", r"Kernel panic",
    r"general protection fault", r"unable to handle", r"\bWARNING: ",
    r"INFO: task .* blocked for more than", r"INFO: lockdep is turned off",
    r"possible recursive locking", r"possible circular locking",
    r"inconsistent lock state", r"possible irq lock inversion",
    r"suspicious RCU usage", r"bad unlock balance", r"still has locks held",
    r"returning to user space",
    r"(?:held lock|active lock) freed",
    r"detected stalls on CPUs", r"self-detected stall", r"soft lockup",
    r"hard LOCKUP", r"invalid opcode", r"stack segment", r"divide error",
    r"Objects remaining", r"objects remaining", r"still has objects",
    r"unreferenced object", r"Busy inodes after unmount",
    r"refcount_t: ", r"list_(?:add|del) corruption", r"\bUBSAN: ",
    r"\bODEBUG: ", r"scheduling while atomic", r"Bad page state",
    r"DEBUG_LOCKS_WARN_ON", r"kmem_cache_destroy",
    r"Out of memory: ", r"page allocation failure",
)))
# Says what is wrong only a few lines later.
BEHIND = 30
STAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[[^\]]*\])? ?")


def judge(text, allow=()):
    """Excerpts of a console, a list of lists of lines.

    `allow` are expressions for lines that a test provokes."""
    lines = text.replace("\r", "").split("\n")
    start = next((i for i, line in enumerate(lines) if READY in line), None)
    # A machine that did not come up is judged as a whole.
    lines = lines[start + 1:] if start is not None else lines
    allow = [re.compile(a) for a in allow]
    excerpts = []
    until = -1
    for i, line in enumerate(lines):
        if not BAD.search(line) or any(a.search(line) for a in allow):
            continue
        if i <= until:
            continue
        until = end_of(lines, i)
        excerpts.append(lines[max(0, i - 1):until])
    return excerpts


def end_of(lines, i):
    """Where the report ends that begins in a line."""
    for j in range(i + 1, min(len(lines), i + 2 * BEHIND)):
        if "end trace" in lines[j] or "=========" in lines[j] and j > i + 3:
            return j + 1
    return min(len(lines), i + BEHIND)


def show(excerpts, out, most=3):
    for excerpt in excerpts[:most]:
        for line in excerpt:
            out.write("# console: %s\n" % STAMP.sub("", line))
        out.write("# console: ...\n")
    if len(excerpts) > most:
        out.write("# console: %d more reports\n" % (len(excerpts) - most))
