# SPDX-License-Identifier: GPL-2.0-only
"""A machine that stays: `scripts/vm --serve DIR` keeps it, and others ask for
commands through the socket DIR/socket.

A client (scripts/vm --in DIR) sends one datagram: a word, what belongs to it,
and with "run" the descriptors that get the command's output.  The answer is the
exit status in decimal.  Who closes the connection before that has given up, and
the command is killed.  Commands of several clients run at the same time, as
many as the machine has channels; a client that finds none waits."""

import array
import json
import os
import socket
import time

SOCKET = "socket"
LONGEST = 1 << 20


def write_all(fd):
    """A function that writes all bytes to a descriptor if somebody reads."""
    def write(data):
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(fd, view):]
            except BrokenPipeError:
                return
    return write


class Job:
    def __init__(self, conn, ch, fds, machine):
        self.conn = conn
        self.ch = ch
        self.fds = fds
        self.stopping = False
        self.ports = [machine.forward(sock, write_all(fd))
                      for sock, fd in zip((ch.out, ch.err), fds)]

    def finish(self, machine, status):
        for port, sock in zip(self.ports, (self.ch.out, self.ch.err)):
            while port(sock):
                pass
            machine.forget(sock)
        for fd in self.fds:
            os.close(fd)
        answer(self.conn, status)


def answer(conn, status):
    try:
        conn.send(str(status).encode())
    except OSError:
        pass
    conn.close()


class Server:
    def __init__(self, machine, folder):
        self.machine = machine
        self.path = os.path.join(folder, SOCKET)
        self.jobs = []
        self.waiting = []       # (connection, script, kind, descriptors)
        self.end = None         # "quit" or "cut", and who waits for it
        # one channel stays free to stop what runs in the others
        self.free = list(machine.channels[1:])
        self.notes = []

    def serve(self):
        """Until somebody ends the machine, or it ends; "quit", "cut" or None,
        and the connection that waits."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # bound elsewhere first: who sees the socket can connect
        listener.bind(self.path + ".new")
        listener.listen(16)
        os.rename(self.path + ".new", self.path)
        self.machine.sel.register(listener, 1, self.accept)
        try:
            while self.end is None and self.machine.step(0.5):
                self.look_at_answers()
        finally:
            os.unlink(self.path)
            listener.close()
        for job in self.jobs:
            job.finish(self.machine, 125)
        for conn, _, _, _ in self.waiting:
            answer(conn, 125)
        return self.end or (None, None)

    def accept(self, listener):
        conn, _ = listener.accept()
        self.machine.sel.register(conn, 1, self.receive)

    def receive(self, conn):
        fds = array.array("i")
        try:
            data, anc, _, _ = conn.recvmsg(
                LONGEST, socket.CMSG_SPACE(2 * fds.itemsize))
        except OSError:
            data, anc = b"", []
        if not data:
            self.gone(conn)
            return
        for level, kind, value in anc:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(value)
        ask = json.loads(data)
        if ask["word"] == "run":
            self.waiting.append((conn, ask["script"], ask["kind"], list(fds)))
            self.start_jobs()
        else:
            self.end = (ask["word"], conn)

    def gone(self, conn):
        self.machine.forget(conn)
        for job in self.jobs:
            if job.conn is conn and not job.stopping:
                job.stopping = True
                self.machine.request(self.machine.channels[0], "stop",
                                     str(job.ch.nr))
        for each in self.waiting:
            if each[0] is conn:
                self.waiting.remove(each)
                for fd in each[3]:
                    os.close(fd)
                break

    def start_jobs(self):
        while self.waiting and self.free:
            conn, script, kind, fds = self.waiting.pop(0)
            ch = self.free.pop()
            self.jobs.append(Job(conn, ch, fds, self.machine))
            self.machine.request(ch, kind, script)

    def look_at_answers(self):
        answers, self.machine.answers = self.machine.answers, []
        for ch, line in answers:
            word, _, rest = line.partition(" ")
            if word == "bad":
                self.notes.append(rest)
            job = next((j for j in self.jobs if j.ch is ch), None)
            if word != "exit" or not job:
                continue
            self.machine.forget(job.conn)
            job.finish(self.machine, int(rest))
            self.jobs.remove(job)
            self.free.append(ch)
        self.start_jobs()


def ask(folder, word, script=None, kind=None):
    """A client's side: the status, None when there is no such machine."""
    here = os.path.join(folder, SOCKET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as conn:
        try:
            conn.connect(here)
        except OSError:
            return None
        text = json.dumps({"word": word, "script": script, "kind": kind})
        rights = []
        if word == "run":
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                       array.array("i", [1, 2]))]
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
        conn.sendmsg([text.encode()], rights)
        status = conn.recv(64)
    return int(status) if status else 125


def wait_gone(folder, seconds):
    deadline = time.monotonic() + seconds
    while os.path.exists(os.path.join(folder, SOCKET)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
