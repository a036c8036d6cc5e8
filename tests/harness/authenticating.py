"""tests/harness/authenticating - an SMTP or LMTP server that takes mail from those only who authenticate.

It knows PLAIN, LOGIN, CRAM-MD5, SCRAM with SHA-1 and SHA-256 (-PLUS by tls-unique), XOAUTH2 and
OAUTHBEARER, as their RFCs have them, by Python's hashlib: nothing of it is ours. certificate: it has
STARTTLS (TLS 1.2, of which Python knows the binding).

Callers: tests/system, secured.py."""

import base64
import hashlib
import hmac
import os
import re
import socketserver
import ssl
import threading


class Refused(Exception):
    pass


def plain(server, session):
    authzid, user, password = (yield b"").decode().split("\0")
    server.check(user, password)
    return authzid or user


def login(server, session):
    user = (yield b"User Name\0").decode()
    password = (yield b"Password\0").decode()
    server.check(user, password)
    return user


def cram_md5(server, session):
    challenge = f"<{os.urandom(8).hex()}@auth.test>".encode()
    user, _, digest = (yield challenge).decode().rpartition(" ")
    if digest != hmac.new(server.password(user), challenge, "md5").hexdigest():
        raise Refused
    return user


def scram(name, plus):
    def run(server, session):
        first = (yield b"").decode()
        flag, authzid, bare = first.split(",", 2)
        fields = dict(part.split("=", 1) for part in bare.split(","))
        user = fields["n"].replace("=2C", ",").replace("=3D", "=")
        if plus != flag.startswith("p=") or (flag == "y" and session.offers_plus):
            raise Refused
        nonce = fields["r"] + base64.b64encode(os.urandom(9)).decode()
        salt = os.urandom(16)
        server_first = f"r={nonce},s={base64.b64encode(salt).decode()},i=4096"
        final = (yield server_first.encode()).decode()
        without_proof, _, proof = final.rpartition(",p=")
        binding = f"{flag},{authzid},".encode() + (session.binding() if plus else b"")
        if without_proof != f"c={base64.b64encode(binding).decode()},r={nonce}":
            raise Refused
        salted = hashlib.pbkdf2_hmac(name, server.password(user), salt, 4096)
        text = f"{bare},{server_first},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", name)
        signature = hmac.digest(hashlib.new(name, client_key).digest(), text, name)
        if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(client_key, signature)):
            raise Refused
        server_key = hmac.digest(salted if not server.is_impostor else b"guessed", b"Server Key", name)
        yield b"v=" + base64.b64encode(hmac.digest(server_key, text, name))
        return user
    return run


def bearer(server, session):
    message = (yield b"").decode()
    user = re.search("(?:user=|a=)([^,\1]+)", message).group(1).replace("=2C", ",").replace("=3D", "=")
    token = re.search("\1auth=Bearer ([^\1]+)\1\1$", message).group(1)
    if token.encode() != server.password(user):
        yield b'{"status":"invalid_token","scope":"mail"}'
        raise Refused
    return user


MECHANISMS = {"PLAIN": plain, "LOGIN": login, "CRAM-MD5": cram_md5, "XOAUTH2": bearer, "OAUTHBEARER": bearer,
              "SCRAM-SHA-1": scram("sha1", False), "SCRAM-SHA-256": scram("sha256", False),
              "SCRAM-SHA-1-PLUS": scram("sha1", True), "SCRAM-SHA-256-PLUS": scram("sha256", True)}
SERVER_FIRST = {"LOGIN", "CRAM-MD5"}


class Session(socketserver.StreamRequestHandler):
    timeout = 30

    def reply(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def read(self):
        line = self.rfile.readline(65536)
        if not line.endswith(b"\r\n"):
            raise ConnectionError
        self.server.owner.commands.append(line[:-2].decode())
        return line[:-2].decode()

    def binding(self):
        return self.connection.get_channel_binding("tls-unique")

    @property
    def offers_plus(self):
        return any(name.endswith("-PLUS") for name in self.server.owner.mechanisms)

    def handle(self):
        try:
            self.converse()
        except (ConnectionError, OSError):
            pass

    def converse(self):
        owner = self.server.owner
        user, sender, recipients, is_encrypted = None, None, [], False
        owner.connections += 1
        self.reply("220 auth.test ESMTP")
        while True:
            line = self.read()
            verb = line.split(" ")[0].upper()
            if verb in ("EHLO", "LHLO"):
                words = ["auth.test", "PIPELINING"]
                if owner.context and not is_encrypted:
                    words.append("STARTTLS")
                elif owner.mechanisms is not None:
                    words.append(" ".join(["AUTH", *owner.mechanisms]))
                self.reply("\r\n".join(f"250{' ' if word is words[-1] else '-'}{word}" for word in words))
            elif verb == "STARTTLS":
                self.wfile.write(b"220 2.0.0 go ahead\r\n" + owner.injection)
                self.connection = owner.context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                is_encrypted = True
            elif verb == "AUTH":
                user = self.authenticate(line)
            elif verb == "MAIL":
                sender = re.search("<(.*?)>", line).group(1)
                recipients = []
                self.reply("250 2.1.0 Ok" if user or owner.takes_strangers else
                           "530 5.7.0 Authentication required")
            elif verb == "RCPT":
                recipients.append(re.search("<(.*?)>", line).group(1))
                self.reply("250 2.1.5 Ok" if user or owner.takes_strangers else "503 5.5.1 no")
            elif verb == "DATA":
                if not (user or owner.takes_strangers):
                    self.reply("503 5.5.1 no")
                    continue
                self.reply("354 go on")
                while self.rfile.readline(65536) not in (b".\r\n", b""):
                    pass
                owner.messages.append((user, sender, recipients))
                for _ in recipients if owner.lmtp else [None]:
                    self.reply("250 2.0.0 Ok")
            elif verb == "RSET":
                self.reply("250 2.0.0 Ok")
            elif verb == "QUIT":
                self.reply("221 2.0.0 Bye")
                return
            else:
                self.reply("502 5.5.2 what?")

    def authenticate(self, line):
        """RFC 4954 section 4."""
        owner = self.server.owner
        name, _, initial = line[5:].partition(" ")
        name = name.upper()
        if len(line) + 2 > 512:
            self.reply("500 5.5.6 line too long")
            return None
        if name not in (owner.mechanisms or []):
            self.reply("504 5.5.4 no such mechanism")
            return None
        if owner.refusal:
            self.reply(owner.refusal)
            return None
        if owner.hangs_up:
            raise ConnectionError
        steps = MECHANISMS[name](owner, self)
        try:
            challenge = next(steps)
            if initial and name not in SERVER_FIRST:
                challenge = steps.send(b"" if initial == "=" else base64.b64decode(initial, validate=True))
            while True:
                self.reply(f"334 {owner.garble or base64.b64encode(challenge).decode()}")
                response = self.read()
                if response == "*":
                    self.reply("501 5.7.0 cancelled")
                    return None
                challenge = steps.send(base64.b64decode(response, validate=True))
        except StopIteration as end:
            self.reply("235 2.7.0 welcome")
            return end.value
        except (Refused, ValueError, KeyError, AttributeError):
            self.reply("535 5.7.8 authentication credentials invalid")
            return None


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class AuthenticatingServer:
    def __init__(self, mechanisms, users, certificate=None, address="127.0.0.1", lmtp=False):
        self.mechanisms = mechanisms    # None: AUTH is not offered
        self.users = users
        self.lmtp = lmtp
        self.takes_strangers = False
        self.is_impostor = False        # does not know the password itself
        self.refusal = None             # the answer to AUTH
        self.hangs_up = False           # instead of one
        self.garble = None              # in place of each challenge
        self.injection = b""            # behind the answer to STARTTLS, before the handshake
        self.messages = []              # (who, sender, recipients)
        self.commands = []
        self.connections = 0
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.context.load_cert_chain(*certificate)
        self._server = Server((address, 0), Session)
        self._server.owner = self
        self.port = self._server.server_address[1]

    def password(self, user):
        if user not in self.users:
            raise Refused
        return self.users[user].encode()

    def check(self, user, password):
        if self.password(user) != password.encode():
            raise Refused

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
