"""tests/powercut/powercut - a disk whose power can be cut at any moment, afterwards.

LoggedDisk makes a file system on a loop device whose backing file is served by logdisk, which logs
each write, discard, flush and mark. states() rebuilds from that log what a disk with a volatile write
cache may hold when the power fails: everything up to the last completed flush, and of the writes since
then any subset, of some only a part of their sectors or blocks. Whatever the page cache had not yet
written is gone by nature. mounted() mounts such an image, which replays its journal.

A promise is checked like this: the workload writes a mark when something is promised (a 250 was seen);
each state knows the marks that came before its cut, and must keep what they say.

Callers: tests/powercut/selftest, tests/powercut/run."""

import contextlib
import dataclasses
import os
import random
import signal
import struct
import subprocess
import time

_RECORD = struct.Struct("=5Q")  # as struct log_record in logdisk.c
SECTOR, BLOCK = 512, 4096
# ext4 writes its superblock, two sectors under one checksum, in place and cannot be mounted when it is
# torn: that is between ext4 and the disk, which writes its first 4 KiB at once here.
WHOLE_BELOW = BLOCK

# mkfs: no discard and no lazy work, so that the log begins with the workload. The size is the least
# that each mkfs accepts, roughly; images are sparse. tear: the unit that a cut may split writes into.
# xfs and btrfs take a block of metadata to be written whole: xfs's recovery passes over a torn one
# because its first sector is new enough already, btrfs has its superblock under one checksum.
FILE_SYSTEMS = {
    "ext4": {"size": 96 << 20, "tear": SECTOR, "mount": "",
             "mkfs": ["mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=8",
                      "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"]},
    "xfs": {"size": 320 << 20, "tear": BLOCK, "mount": "",
            "mkfs": ["mkfs.xfs", "-q", "-f", "-K"]},
    "btrfs": {"size": 144 << 20, "tear": BLOCK, "mount": "",
              "mkfs": ["mkfs.btrfs", "-q", "-f", "-K"]},
}


def why_not(filesystem, logdisk):
    """The reason why a logged disk cannot be had here, or None."""
    if not os.path.exists(logdisk):
        return f"{logdisk} was not built (needs libfuse3)"
    for device in ("/dev/fuse", "/dev/loop-control"):
        try:
            os.close(os.open(device, os.O_RDWR))
        except OSError as error:
            return f"needs {device}: {error.strerror}"
    program = FILE_SYSTEMS[filesystem]["mkfs"][0]
    if not any(os.access(os.path.join(path, program), os.X_OK)
               for path in [*os.environ["PATH"].split(":"), "/sbin", "/usr/sbin"]):
        return f"needs {program}"
    return None


def _run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout.strip() or done.returncode}")


@contextlib.contextmanager
def mounted(image, mountpoint, filesystem):
    """Raises RuntimeError when the image cannot be mounted."""
    os.makedirs(mountpoint, exist_ok=True)
    # The kernel frees the loop device with the last unmount.
    _run("mount", "-t", filesystem, "-o", "loop,noatime" + FILE_SYSTEMS[filesystem]["mount"], image,
         mountpoint)
    try:
        yield mountpoint
    finally:
        for attempt in range(50):  # a process on its way out may hold a file for a moment
            if subprocess.run(["umount", mountpoint], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
            time.sleep(0.02 * (attempt + 1))
        else:
            raise RuntimeError(f"{mountpoint} stays busy")


class LoggedDisk:
    """with LoggedDisk(...) as disk: work below disk.path, calling disk.mark(text). It begins with an
    empty file system, or with a given image, and is mounted in the directory unless path says where."""

    def __init__(self, directory, filesystem, logdisk, image=None, path=None):
        self.filesystem = filesystem
        self._begin_with = image
        self.base = os.path.join(directory, "base.img")
        self.log = os.path.join(directory, "log")
        self.path = path or os.path.join(directory, "disk")
        self._image = os.path.join(directory, "live.img")
        self._served = os.path.join(directory, "served")
        self._logdisk = logdisk
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        kind = FILE_SYSTEMS[self.filesystem]
        for place in (self._served, self.path):
            os.makedirs(place, exist_ok=True)
        if self._begin_with:
            copy_sparse(self._begin_with, self._image)
        else:
            with open(self._image, "wb") as image:
                image.truncate(kind["size"])
            _run(*kind["mkfs"], self._image)
        copy_sparse(self._image, self.base)
        with contextlib.ExitStack() as stack:
            stack.callback(os.unlink, self._image)
            server = subprocess.Popen([self._logdisk, self._image, self.log, self._served],
                                      start_new_session=True)  # ^C is for us; we end it in our order
            stack.callback(self._stop, server)
            deadline = time.monotonic() + 10
            while not os.path.exists(os.path.join(self._served, "disk")):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("logdisk does not serve")
                time.sleep(0.01)
            mark_fd = os.open(os.path.join(self._served, "mark"), os.O_WRONLY)
            stack.callback(os.close, mark_fd)
            self._mark_fd = mark_fd
            stack.enter_context(mounted(os.path.join(self._served, "disk"), self.path,
                                        self.filesystem))
            self._stack = stack.pop_all()
        self.mark("begin")
        return self

    def __exit__(self, *failure):
        with contextlib.suppress(OSError):
            self.mark("end")
        return self._stack.__exit__(*failure)

    def mark(self, text):
        """On return the text stands in the log, behind each write that was answered before."""
        os.write(self._mark_fd, text.encode())

    @staticmethod
    def _stop(server):
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def copy_sparse(source, target):
    """Copies the parts of source that hold data; target's holes read as zeros, as in source."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        end = os.fstat(reader.fileno()).st_size
        os.truncate(writer.fileno(), end)
        position = 0
        while position < end:
            try:
                position = os.lseek(reader.fileno(), position, os.SEEK_DATA)
            except OSError:
                return  # ENXIO: only a hole is left
            hole = os.lseek(reader.fileno(), position, os.SEEK_HOLE)
            while position < hole:
                block = os.pread(reader.fileno(), min(hole - position, 1 << 20), position)
                os.pwrite(writer.fileno(), block, position)
                position += len(block)


@dataclasses.dataclass
class Record:
    kind: str  # W(rite), Z(ero), F(lush), M(ark), E(nd)
    time_ns: int
    offset: int
    length: int
    bytes_at: int  # where the bytes stand in the log file


class Log:
    """The records of a log; the bytes of writes stay in the file until asked for."""

    def __init__(self, path):
        self.records = []
        self._file = open(path, "rb")
        size = os.fstat(self._file.fileno()).st_size
        at = 0
        while at + _RECORD.size <= size:
            kind, sequence, time_ns, offset, length = _RECORD.unpack(
                os.pread(self._file.fileno(), _RECORD.size, at))
            at += _RECORD.size
            if sequence != len(self.records):
                raise RuntimeError("the log is damaged")
            self.records.append(Record(chr(kind), time_ns, offset, length, at))
            at += length if chr(kind) in "WM" else 0
        if not self.records or self.records[-1].kind != "E":
            raise RuntimeError("the log has no end: the logged disk failed")

    def bytes_of(self, record):
        if record.kind == "Z":
            return bytes(record.length)
        return os.pread(self._file.fileno(), record.length, record.bytes_at)

    def marks(self):
        """(index, text) of each mark."""
        return [(index, self.bytes_of(record).decode())
                for index, record in enumerate(self.records) if record.kind == "M"]

    def close(self):
        self._file.close()


@dataclasses.dataclass
class State:
    number: int
    cut: int     # index of the first record that did not happen any more
    recipe: str  # what became of the writes since the last flush
    volatile: int  # how many those were
    marks: list  # the marks before the cut
    image: str

    def __str__(self):
        return (f"state {self.number}: cut before record {self.cut}, {self.volatile} writes since the "
                f"flush, {self.recipe}, {len(self.marks)} marks")


RECIPES = ("none", "all", "some", "torn", "late")


def states(log, disk, count, seed):
    """Yields count states in the order of their cuts; each image is valid until the next is asked for."""
    chance = random.Random(seed)
    marks = log.marks()
    begin = max(index for index, text in marks if text == "begin")  # again after an installation
    end = next(index for index, text in marks if text == "end")
    promises = [index for index, _text in marks if begin < index < end] or [begin]
    flushes = _flushes_of_something(log.records, begin, end) or [end]
    cuts = sorted(_choose_cut(chance, promises, flushes, begin, end) for _ in range(count))
    current = os.path.join(os.path.dirname(disk.base), "cursor.img")
    image = os.path.join(os.path.dirname(disk.base), "state.img")
    copy_sparse(disk.base, current)
    volatile = []  # writes of the log that no flush follows yet
    position = 0
    with open(current, "r+b") as cursor:
        for number, cut in enumerate(cuts):
            for record in log.records[position:cut]:
                if record.kind in "WZ":
                    volatile.append(record)
                elif record.kind == "F":
                    for written in volatile:
                        os.pwrite(cursor.fileno(), log.bytes_of(written), written.offset)
                    volatile.clear()
            position = cut
            recipe = chance.choice(RECIPES) if volatile else "none"
            copy_sparse(current, image)
            with open(image, "r+b") as target:
                for offset, data in _survivors(chance, log, volatile, recipe,
                                               FILE_SYSTEMS[disk.filesystem]["tear"]):
                    os.pwrite(target.fileno(), data, offset)
            yield State(number, cut, recipe, len(volatile),
                        [text for index, text in marks if begin < index < cut], image)
    for path in (current, image):
        os.unlink(path)


def _flushes_of_something(records, begin, end):
    """Indexes of the flushes with writes to lose before them."""
    found, is_pending = [], False
    for index in range(begin + 1, end):
        if records[index].kind in "WZ":
            is_pending = True
        elif records[index].kind == "F":
            found += [index] if is_pending else []
            is_pending = False
    return found


def _choose_cut(chance, mark_indexes, flush_indexes, begin, end):
    """Half of them directly behind a mark, where nothing has had time to become durable after the
    promise; most others where most writes are in flight, just before a flush; the rest anywhere."""
    place = chance.random()
    if place < 0.5:
        return chance.choice(mark_indexes) + 1
    if place < 0.9:
        return chance.choice(flush_indexes)
    return chance.randint(begin + 1, end)


def _survivors(chance, log, volatile, recipe, tear):
    """(offset, bytes) of what reached the platter, in the order in which it did. A disk keeps the later
    of two writes to one sector or the earlier, hence the shuffle."""
    if recipe == "none":
        return
    share = {"all": 1.0, "torn": 0.9}.get(recipe, chance.choice((0.1, 0.5, 0.9)))
    kept = [record for record in volatile if chance.random() < share]
    if recipe == "late":  # the latest writes came first
        kept = kept[-max(1, len(kept) // 4):]
    chance.shuffle(kept)
    for record in kept:
        data = log.bytes_of(record)
        if recipe != "torn" or record.offset < WHOLE_BELOW or chance.random() < 0.5:
            yield record.offset, data
            continue
        for start in range(0, len(data), tear):
            if chance.random() < 0.5:
                yield record.offset + start, data[start:start + tear]
