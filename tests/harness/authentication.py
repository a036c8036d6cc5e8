"""tests/harness/authentication - ask an authentication server by Dovecot's protocol, and SCRAM as a
client (RFC 5802), both written from their documents and sharing nothing with what is tested.

Callers: tests/system, secured.py."""

import base64
import hashlib
import hmac
import json
import os
import socket


def encode(data):
    return base64.b64encode(data).decode()


class Asker:
    """One connection to the socket of an authentication server."""

    def __init__(self, path, version=2):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(30)
        self.connection.connect(str(path))
        self.stream = self.connection.makefile("rb")
        self.number = 0
        self.mechanisms = {}
        self.send(f"VERSION\t1\t{version}", f"CPID\t{os.getpid()}")
        while (words := self.read())[0] != "DONE":
            if words[0] == "MECH":
                self.mechanisms[words[1]] = words[2:]

    def send(self, *lines):
        self.connection.sendall("".join(line + "\n" for line in lines).encode())

    def read(self):
        line = self.stream.readline()
        return line.decode().rstrip("\n").split("\t") if line else [""]

    def begin(self, mechanism, response=None, address="192.0.2.7", service="smtp", **more):
        self.number += 1
        words = ["AUTH", str(self.number), mechanism, f"service={service}", "nologin", "lip=192.0.2.1",
                 *(f"{key}={value}" for key, value in more.items())]
        if address is not None:
            words.append(f"rip={address}")
        if response is not None:
            words.append("resp=" + encode(response))
        self.send("\t".join(words))
        return self.number

    def go_on(self, response, number=None):
        self.send(f"CONT\t{number or self.number}\t{encode(response)}")

    def plain(self, user, password, **more):
        """("OK" or "FAIL", the words behind the number)."""
        self.begin("PLAIN", f"\0{user}\0{password}".encode(), **more)
        words = self.read()
        assert words[1] == str(self.number), words
        return words[0], words[2:]

    def login(self, user, password, **more):
        self.begin("LOGIN", **more)
        for text in (user, password):
            words = self.read()
            assert words[:2] == ["CONT", str(self.number)], words
            self.go_on(text.encode())
        words = self.read()
        return words[0], words[2:]

    def cram_md5(self, user, password, **more):
        self.begin("CRAM-MD5", **more)
        words = self.read()
        assert words[:2] == ["CONT", str(self.number)], words
        self.go_on(f"{user} {hmac.new(password.encode(), base64.b64decode(words[2]), 'md5').hexdigest()}".encode())
        words = self.read()
        return words[0], words[2:]

    def scram(self, user, password, digest="sha256", mechanism="SCRAM-SHA-256", **more):
        client = Scram(user, password, digest)
        self.begin(mechanism, client.first(), **more)
        words = self.read()
        if words[0] != "CONT":
            return words[0], words[2:]
        self.go_on(client.final(base64.b64decode(words[2])))
        words = self.read()
        if words[0] == "CONT":      # what the server proves
            assert client.is_proved(base64.b64decode(words[2])), words
            self.go_on(b"")
            words = self.read()
        return words[0], words[2:]

    def close(self):
        self.stream.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Scram:
    """header: of GS2, what it says of channel bindings; binding: its bytes."""

    def __init__(self, user, password, digest, header="n,,", binding=b""):
        self.header, self.binding = header, binding
        self.user = user.replace("=", "=3D").replace(",", "=2C")
        self.password, self.digest = password.encode(), digest
        self.nonce = encode(os.urandom(18))
        self.server_signature = b""
        self.salt = b""

    def first(self):
        self.bare = f"n={self.user},r={self.nonce}"
        return (self.header + self.bare).encode()

    def final(self, server_first):
        text = server_first.decode()
        fields = dict(word.split("=", 1) for word in text.split(","))
        assert fields["r"].startswith(self.nonce) and fields["r"] != self.nonce
        self.salt = base64.b64decode(fields["s"])
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, self.salt, int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", self.digest)
        stored_key = hashlib.new(self.digest, client_key).digest()
        without_proof = f"c={encode(self.header.encode() + self.binding)},r={fields['r']}"
        message = ",".join((self.bare, text, without_proof)).encode()
        signature = hmac.digest(stored_key, message, self.digest)
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", self.digest), message, self.digest)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return f"{without_proof},p={encode(proof)}".encode()

    def is_proved(self, server_final):
        return server_final == f"v={encode(self.server_signature)}".encode()


def scram_verifier(password, digest="sha256", iterations=4096):
    """As Dovecot writes it, behind {SCRAM-SHA-256} or its like."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), salt, iterations)
    stored = hashlib.new(digest, hmac.digest(salted, b"Client Key", digest)).digest()
    server = hmac.digest(salted, b"Server Key", digest)
    return f"{iterations},{encode(salt)},{encode(stored)},{encode(server)}"


def encode_url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(claims, secret, algorithm="HS256"):
    """A token signed with a shared secret (RFC 7515)."""
    text = ".".join(encode_url(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, claims))
    return text + "." + encode_url(hmac.digest(secret, text.encode(), "sha256"))
