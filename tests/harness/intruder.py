"""Whoever has taken a daemon over: its descriptors are ours, and we say with them what we like."""

import contextlib
import ctypes
import os
import pathlib
import re
import select
import socket
import struct
import subprocess

import pytest

SCHEMA = pathlib.Path(__file__).resolve().parent.parent.parent / "lib" / "ipc"
CONTROL = 3     # the descriptor of the channel to master
PEER_LOST = 11  # lib/ipc/schema.def
DELIVER_RESULT, RECIPIENT_RESULT = 92, 93
PIDFD_GETFD = 438


def socket_numbers(pid):
    """The descriptors of another process that are sockets."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):    # it has closed it meanwhile
            if os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                found.append(int(name))
    return found


def take_descriptor(pid, number):
    """A descriptor of another process, as a socket of ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    descriptor = libc.syscall(PIDFD_GETFD, process, number, 0)
    os.close(process)
    if descriptor < 0:
        pytest.skip("other processes' descriptors cannot be had here")
    return socket.socket(fileno=descriptor)


def channel_between(client, server):
    """The client's end of the channel between two processes, as a socket of ours."""
    numbers = [{os.stat(f"/proc/{pid}/fd/{number}").st_ino: number for number in socket_numbers(pid)}
               for pid in (client, server)]
    listed = subprocess.run(["ss", "--no-header", "-xa"], check=True, stdout=subprocess.PIPE, text=True).stdout
    for kind, *_, own, _, other in (line.split()[:8] for line in listed.splitlines()):
        if kind == "u_seq" and int(own) in numbers[0] and int(other) in numbers[1]:
            return take_descriptor(client, numbers[0][int(own)])
    raise AssertionError("there is no such channel")


def listening_sockets(pid):
    found = []
    for number in socket_numbers(pid):
        one = take_descriptor(pid, number)
        if one.type == socket.SOCK_STREAM and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found.append(one)
        else:
            one.close()
    return found


def record(number, version, attributes, request=0):
    """One message as lib/ipc has it on the wire."""
    body = b"".join(struct.pack(">BH", tag, len(value)) + value for tag, value in attributes)
    return struct.pack(">HBBIHBB", number, version, 0, request, len(body), 0, 0) + body


def version_of(number):
    """The version that a kind of message has: what comes with another one is not even looked at."""
    for schema in SCHEMA.glob("schema*.def"):
        found = re.search(rf"^IPC_MESSAGE\(\w+, \w+, {number}, (\d+)\)", schema.read_text(), re.MULTILINE)
        if found:
            return int(found.group(1))
    raise AssertionError(f"there is no message {number}")


class Liar:
    """Says to master that channels of a process have closed."""

    def __init__(self, pid):
        self.control = take_descriptor(pid, CONTROL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.control.close()

    def says_lost(self, numbers, as_server=False):
        newest = struct.pack(">I", 0xffffffff)
        packet = b"".join(record(PEER_LOST, 2, [(1, struct.pack(">I", number)), (2, bytes([as_server])), (3, newest)])
                          for number in numbers)
        while True:
            try:
                self.control.send(packet)
                return
            except BlockingIOError:     # it is master's pace
                select.select([], [self.control], [], 1)


def delivered(queue_id, index, delivery=1):
    """What an agent says of a recipient who has the message, for its channel with qmgr."""
    outcome = struct.pack(">BHHHH", 0, 250, 2, 0, 0) + b"believe me"
    result = b"".join(struct.pack(">BH", tag, len(value)) + value
                      for tag, value in [(1, struct.pack(">I", index)), (2, outcome)])
    return record(DELIVER_RESULT, version_of(DELIVER_RESULT), [
        (1, queue_id.encode()), (2, struct.pack(">Q", delivery)), (3, struct.pack(">I", 1)),
        (4, struct.pack(">HBH", RECIPIENT_RESULT, version_of(RECIPIENT_RESULT), len(result)) + result), (5, b"\1")])
