"""Dialogues with chasquid's SMTP server: lines "c -> TEXT", "c ~> EXPRESSION", "c <- REPLY", "c <~ REGEX",
"c <... LAST LINE", "c tcp_connect", "c tls_connect", "c close". Of a reply its class counts, and the class of
its enhanced status; the words are chasquid's own."""

import ast
import re
import socket
import ssl

from exceptions import contradicts
from harness.certificates import self_signed
from harness.instance import free_port

MESSAGE_SIZE_LIMIT = 1048576  # of the server that the dialogues were written for

EXCEPTIONS = {
    "t-12-minor_dialogs_bad_data": contradicts(
        "RFC 5321 section 3.3", "messages are not to be refused for defects of their header"),
}


class Mismatch(Exception):
    pass


def evaluate(expression):
    """Bytes from a literal with "+" and "*"; nothing else is computed."""
    def value(node):
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return value(node.left) + value(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return value(node.left) * value(node.right)
        raise ValueError(f"not understood: {expression}")
    return value(ast.parse(expression, mode="eval").body).encode()


class Client:
    def __init__(self, instance):
        self.instance = instance
        self.connection = None

    def connect(self, has_tls):
        port = self.instance.submissions if has_tls else self.instance.port
        self.connection = socket.create_connection((self.instance.address, port), 30)
        if has_tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.connection = context.wrap_socket(self.connection)
        self.stream = self.connection.makefile("rb")

    def reply(self):
        while True:
            line = self.stream.readline().decode("utf-8", "replace").rstrip("\r\n")
            if line[3:4] != "-":
                return line

    def expect(self, where, expected):
        got = self.reply()
        match = re.match(r"(\d)\d\d(?: (\d)\.\d+\.\d+)?", expected)
        pattern = rf"{match.group(1)}\d\d" + (rf" {match.group(2)}\.\d+\.\d+ " if match.group(2) else "")
        if not re.match(pattern, got):
            raise Mismatch(f"{where}: expected {expected!r}, got {got!r}")

    def step(self, where, line):
        verb, _, rest = line.partition(" ")
        if verb in ("tcp_connect", "tls_connect"):
            self.connect(verb == "tls_connect")
        elif verb == "close":
            self.connection.close()
        elif verb == "->":
            self.connection.sendall(rest.encode() + b"\r\n")
        elif verb == "~>":
            self.connection.sendall(evaluate(rest))
        elif verb in ("<-", "<~", "<..."):
            self.expect(where, rest)
        else:
            raise Mismatch(f"{where}: not understood: {line}")


def play(path, instance):
    client = Client(instance)
    try:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("c "):
                client.step(f"line {number}", line[2:])
    except (Mismatch, OSError) as problem:
        return str(problem)
    finally:
        if client.connection:
            client.connection.close()
    return None


def run(directory, workbench):
    secrets = workbench.directory_for("chasquid-secrets")
    passwords = secrets / "passwords"
    passwords.write_text("user@testserver:{PLAIN}secretpassword\n")
    port = free_port()
    services = (f"127.0.0.1:{port} inet n - y - - submitd -o smtpd_tls_wrappermode=yes"
                " -o smtpd_hard_error_limit=2\n")
    instance = workbench.instance("chasquid", domain="testserver", users=["user@testserver"], services=services,
                                  settings={
        "auth_databases": f"passwd-file:{passwords}", "auth_failure_delay": "0s",
        "smtpd_tls_chain_files": str(self_signed(secrets, "testserver", "testserver")),
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "mynetworks": "192.0.2.0/24", "message_size_limit": str(MESSAGE_SIZE_LIMIT),
        "virtual_mailbox_limit": str(MESSAGE_SIZE_LIMIT), "smtpd_error_sleep_time": "0",
        "local_header_rewrite_clients": ""})
    instance.submissions = port
    for path in sorted(directory.glob("*.cmy")):
        yield path.stem, play(path, instance)
