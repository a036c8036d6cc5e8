"""tests/powercut/selftest - does the power-cut simulator find what it must, and only that?

Small writers keep the discipline of the queue: create in tmp/, write, rename into new/, flush the
file, and only then promise; or that of deliveries, whose files are linked into new/ as their first
name. At every rebuilt state each promised file must be in new/, whole. Three
writers that promise too early must be caught, or the test itself is worth nothing.

Callers: tests/powercut/run."""

import collections
import contextlib
import hashlib
import os
import threading
import time

import powercut

WRITERS = 4
KEEPING = ("queue", "unnamed")  # disciplines that lose nothing


def content_of(name):
    """A few hundred bytes to some pages, to be known again from the name alone."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return (digest + "\n").encode() * (1 + int(digest[:4], 16) % 400)


def deliver_unnamed(directory, name):
    """A file that has no name until it is complete, as local deliveries have it."""
    fd = os.open(os.path.join(directory, "new"), os.O_WRONLY | os.O_TMPFILE, 0o600)
    with contextlib.closing(os.fdopen(fd, "wb", buffering=0)) as file:
        file.write(content_of(name))
        # Any src_dir_fd makes Python use the call that follows links.
        os.link(f"/proc/self/fd/{fd}", os.path.join(directory, "new", name), src_dir_fd=fd,
                follow_symlinks=True)
        os.fsync(fd)


def deliver(directory, name, discipline):
    if discipline == "unnamed":
        deliver_unnamed(directory, name)
        return
    temporary, final = (os.path.join(directory, part, name) for part in ("tmp", "new"))
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with contextlib.closing(os.fdopen(fd, "wb", buffering=0)) as file:
        file.write(content_of(name))
        if discipline == "flush before rename":
            os.fsync(fd)
        os.rename(temporary, final)
        if discipline == "queue":
            os.fsync(fd)


def workload(disk, discipline, seconds):
    """Each writer promises its files one by one; a mark is the name."""
    for part in ("tmp", "new"):
        os.mkdir(os.path.join(disk.path, part))
    os.sync()
    end = time.monotonic() + seconds

    def write(writer):
        number = 0
        while time.monotonic() < end and number < 400:
            name = f"{writer}.{number}"
            if discipline == "promise before flush":
                disk.mark(name)
                deliver(disk.path, name, "queue")
            else:
                deliver(disk.path, name, discipline)
                disk.mark(name)
            if number % 3 == 2:  # the queue empties, too
                disk.mark(f"-{writer}.{number - 2}")
                os.unlink(os.path.join(disk.path, "new", f"{writer}.{number - 2}"))
            number += 1
        finished.append(writer)

    finished = []
    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(finished) < WRITERS:
        raise RuntimeError(f"writers with the discipline \"{discipline}\" failed")


def missing_in(state, mountpoint):
    """What was promised before the cut and is not there."""
    promised = {mark for mark in state.marks if not mark.startswith("-")}
    promised -= {mark[1:] for mark in state.marks if mark.startswith("-")}
    problems = []
    for name in sorted(promised):
        try:
            with open(os.path.join(mountpoint, "new", name), "rb") as file:
                if file.read() != content_of(name):
                    problems.append(f"{name} is not whole")
        except OSError as error:
            problems.append(f"{name}: {error.strerror}")
    return problems


def _try_discipline(options, workspace, filesystem, discipline, state_count, seconds):
    """(states with a loss, problems, summary); ends at the first loss where one is expected."""
    directory = os.path.join(workspace, f"{filesystem}-{discipline}".replace(" ", "-"))
    os.mkdir(directory)
    with powercut.LoggedDisk(directory, filesystem, options.logdisk) as disk:
        workload(disk, discipline, seconds)
    log = powercut.Log(disk.log)
    kinds = collections.Counter(record.kind for record in log.records)
    lossy, problems, recipes = 0, [], collections.Counter()
    for state in powercut.states(log, disk, state_count, options.seed):
        recipes[state.recipe] += 1
        try:
            with powercut.mounted(state.image, os.path.join(directory, "check"), filesystem) as place:
                found = missing_in(state, place)
        except RuntimeError as error:
            found = [str(error)]
        if found:
            lossy += 1
            problems += [f"{state}:", *(f"  {line}" for line in found[:5])]
            if options.keep and discipline in KEEPING:
                os.makedirs(options.keep, exist_ok=True)
                powercut.copy_sparse(state.image, os.path.join(
                    options.keep, f"{filesystem}-{state.number}.img"))
            if discipline not in KEEPING:
                break
    log.close()
    for leftover in (disk.log, disk.base):
        os.unlink(leftover)
    summary = (f"{sum(recipes.values())} states ({', '.join(f'{k} {v}' for k, v in recipes.items())}) of "
               f"{kinds['W']} writes, {kinds['F']} flushes, {kinds['M']} marks")
    return lossy, problems, summary


def run(results, options, workspace, filesystem, state_count):
    """Adds five results for the file system. options: logdisk, seed, keep."""
    for discipline in KEEPING:
        started = time.monotonic()
        lossy, problems, summary = _try_discipline(options, workspace, filesystem, discipline, state_count,
                                                   2 + state_count / 100)
        results.check(lossy == 0, f"{filesystem}: everything promised survives ({discipline})", problems)
        results.note(f"{summary}; {time.monotonic() - started:.1f} s")
    for discipline in ("no flush", "flush before rename", "promise before flush"):
        lossy, problems, summary = _try_discipline(options, workspace, filesystem, discipline, 60, 0.5)
        results.check(lossy > 0, f"{filesystem}: \"{discipline}\" is caught", [summary])
        if lossy:
            results.note(problems[0] + problems[1])
