#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Several processes move money between accounts of an SQLite database.

    sqlite.py JOURNAL SECONDS PROCESSES DIR...

JOURNAL is the journal mode, delete or wal.  The processes use the directories
in turn, which are one seen through different mounts.  Now and then one is
killed, and another one comes in its place.  Each transfer is one transaction
that also counts itself, so what readers see always adds up.  At the end so
does the database, and its own check finds nothing.
"""

import os
import random
import signal
import sqlite3
import sys
import time

ACCOUNTS = 40
START = 1000
NAME = "accounts.db"


def connect(directory, journal):
    db = sqlite3.connect(os.path.join(directory, NAME), timeout=60,
                         isolation_level=None)
    mode = db.execute("PRAGMA journal_mode=%s" % journal).fetchone()[0]
    if mode != journal:
        sys.exit("the journal mode is %s, not %s" % (mode, journal))
    db.execute("PRAGMA synchronous=NORMAL")
    return db


def create(directory, journal):
    db = connect(directory, journal)
    db.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, money INTEGER)")
    db.execute("CREATE TABLE transfer (id INTEGER PRIMARY KEY AUTOINCREMENT,"
               " source INTEGER, target INTEGER, money INTEGER)")
    db.execute("BEGIN")
    for i in range(ACCOUNTS):
        db.execute("INSERT INTO account VALUES (?, ?)", (i, START))
    db.execute("COMMIT")
    db.close()


def check_sum(db):
    total, number = db.execute(
        "SELECT sum(money), count(*) FROM account").fetchone()
    if total != ACCOUNTS * START or number != ACCOUNTS:
        sys.exit("%d accounts with %d" % (number, total))


def transfer(db):
    a, b = random.sample(range(ACCOUNTS), 2)
    money = random.randint(1, 50)
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE account SET money = money - ? WHERE id = ?", (money, a))
    db.execute("UPDATE account SET money = money + ? WHERE id = ?", (money, b))
    db.execute("INSERT INTO transfer (source, target, money)"
               " VALUES (?, ?, ?)", (a, b, money))
    if random.random() < 0.1:
        db.execute("ROLLBACK")
    else:
        db.execute("COMMIT")


def work(directory, journal, end):
    random.seed()
    db = connect(directory, journal)
    while time.monotonic() < end:
        transfer(db)
        if random.random() < 0.2:
            check_sum(db)
        if random.random() < 0.05:
            db.close()
            db = connect(directory, journal)
    db.close()


def start(directory, journal, end):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work(directory, journal, end)
        status = 0
    except BaseException as e:  # whatever it is, the parent fails
        print("process %d: %s: %s" % (os.getpid(), type(e).__name__, e),
              file=sys.stderr)
    finally:
        os._exit(status)


def check_end(directory, journal):
    db = connect(directory, journal)
    check_sum(db)
    money = [START] * ACCOUNTS
    number = 0
    for a, b, m in db.execute("SELECT source, target, money FROM transfer"):
        money[a] -= m
        money[b] += m
        number += 1
    if [m for m, in db.execute("SELECT money FROM account ORDER BY id")] != \
            money:
        sys.exit("the accounts are not what the transfers make them")
    found = db.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        sys.exit("integrity_check: %s" % found)
    db.close()
    return number


def main():
    journal = sys.argv[1]
    seconds = float(sys.argv[2])
    processes = int(sys.argv[3])
    dirs = sys.argv[4:]
    create(dirs[0], journal)
    end = time.monotonic() + seconds
    pids = {}
    for i in range(processes):
        pids[start(dirs[i % len(dirs)], journal, end)] = i
    killed = set()
    failed = False
    while pids:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            time.sleep(0.1)
            if time.monotonic() < end and random.random() < 0.1:
                pid = random.choice(list(pids))
                if pid not in killed:
                    killed.add(pid)
                    os.kill(pid, signal.SIGKILL)
            continue
        i = pids.pop(pid)
        if pid not in killed and status:
            failed = True
        if pid in killed and time.monotonic() < end:
            pids[start(dirs[i % len(dirs)], journal, end)] = i
    if failed:
        sys.exit(1)
    for directory in dirs:
        number = check_end(directory, journal)
    if not number:
        sys.exit("no transfer was made")
    print("%d transfers, %d processes killed" % (number, len(killed)))


main()
