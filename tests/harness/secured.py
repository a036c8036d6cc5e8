"""tests/harness/secured - TLS and AUTH for the load, on its way in and on its way to the other server.

Secured gives an instance a certificate, users with passwords, submission ports, a smarthost that wants
to know who we are, and a domain with an MTA-STS policy, with the authority, the name server and the HTTPS
server that belong to them. The load's sessions come in by Doors: in the clear, by STARTTLS, or as a user
who logs in. Its other server takes mail for sts.there.test only from who shows a certificate of ours, and
for auth.there.test only from who logs in; a client that is content with less has its mail refused for
good, which the account then finds.

Callers: tests/kill, tests/faults."""

import base64
import contextlib
import os
import pathlib
import ssl
import time

from .authenticating import MECHANISMS, Refused
from .authentication import Scram
from .authority import Authority

try:
    from . import https
except ModuleNotFoundError:
    https = None

SUBMISSION_PORT, SUBMISSIONS_PORT = 2587, 2465
STS_DOMAIN, AUTH_DOMAIN = "sts.there.test", "auth.there.test"
POLICY_HOST, MAIL_HOST, REPORT_HOST = (f"{name}.{STS_DOMAIN}" for name in ("mta-sts", "mx", "reports"))
USERS = {f"author{number}": f"pass word {number}" for number in range(3)}
MAILER, MAILER_PASSWORD = "mailer", "p4ss"


def why_not():
    """The reason why there can be no Secured here, or None."""
    return None if https else "needs python3-dnspython"


def encode(data):
    return base64.b64encode(data).decode()


class Door:
    """A way into the instance. context: STARTTLS, or TLS at once with is_wrapped; mechanism: log in."""

    def __init__(self, name, program, port, context=None, is_wrapped=False, mechanism=None):
        self.name, self.program, self.port, self.context = name, program, port, context
        self.is_wrapped, self.mechanism = is_wrapped, mechanism

    async def enter(self, client, chance):
        """From the greeting to where mail may be given; False: not now, as the client's replies say."""
        if self.is_wrapped:
            await client.start_tls(self.context)
        if (await client.reply())[0] != "2" or (await client.say("EHLO load.test"))[0] != "2":
            return False
        if self.context and not self.is_wrapped:
            if (await client.say("STARTTLS"))[0] != "2":
                return False
            await client.start_tls(self.context)
            if (await client.say("EHLO load.test"))[0] != "2":
                return False
        if not self.mechanism:
            return True
        user = chance.choice(sorted(USERS))
        return await (_log_in_plain if self.mechanism == "PLAIN" else _log_in_scram)(client, user, USERS[user])


async def _log_in_plain(client, user, password):
    return (await client.say("AUTH PLAIN " + encode(f"\0{user}\0{password}".encode())))[0] == "2"


async def _log_in_scram(client, user, password):
    """RFC 5802. The server proves that it knows the password, too."""
    scram = Scram(user, password, "sha256")
    answer = await client.say("AUTH SCRAM-SHA-256 " + encode(scram.first()))
    if answer[0] != "3":
        return False
    answer = await client.say(encode(scram.final(base64.b64decode(answer[4:]))))
    if answer[0] != "3":
        return False
    assert scram.is_proved(base64.b64decode(answer[4:])), answer
    return (await client.say(""))[0] == "2"


class Smarthost:
    """What the mechanisms of authenticating.py ask of a server and its session."""

    mechanisms, offers_plus, is_impostor = ("SCRAM-SHA-256", "PLAIN"), False, False

    def __init__(self):
        self.login_count = 0

    def password(self, user):
        if user != MAILER:
            raise Refused
        return MAILER_PASSWORD.encode()

    def check(self, user, password):
        if self.password(user) != password.encode():
            raise Refused

    async def authenticate(self, line, reader, writer):
        """The reply to AUTH (RFC 4954 section 4)."""
        name, _, initial = line[5:].partition(" ")
        try:
            steps = MECHANISMS[name.upper()](self, self)
            challenge = next(steps)
            if initial:
                challenge = steps.send(b"" if initial == "=" else base64.b64decode(initial))
            while True:
                writer.write(f"334 {encode(challenge)}\r\n".encode())
                challenge = steps.send(base64.b64decode((await reader.readuntil(b"\r\n"))[:-2]))
        except StopIteration:
            self.login_count += 1
            return "235 2.7.0 welcome"
        except (Refused, ValueError, KeyError):
            return "535 5.7.8 not you"


class _Records(dict):
    """The policy has another id each second, so that it is fetched and saved all the time."""

    def get(self, key, default=None):
        if key == (f"_mta-sts.{STS_DOMAIN}", "TXT"):
            return [f'"v=STSv1; id={int(time.time())};"']
        return super().get(key, default)


class Secured:
    """port: smtpd's; relay_port: where the other server listens, and one above it as the smarthost."""

    def __init__(self, directory, port, relay_port, host="mx.here.test"):
        self.directory = pathlib.Path(directory)
        authority = Authority(self.directory)
        ours, theirs = authority.issue(host), authority.issue(MAIL_HOST)
        self.host = host  # what the instance's certificate says
        self.passwords = self.directory / "passwords"
        self.passwords.write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in USERS.items()))
        relay_passwords = self.directory / "relay_passwords"
        relay_passwords.write_text(f"[127.0.0.1]:{relay_port + 1} {MAILER}:{MAILER_PASSWORD}\n")
        self.web = https.Server({None: authority.issue(POLICY_HOST, REPORT_HOST).chain})
        self.web.answers[POLICY_HOST] = https.Answer(
            f"version: STSv1\nmode: enforce\nmx: {MAIL_HOST}\nmax_age: 86400\n")
        self.web.answers[REPORT_HOST] = https.Answer("", status=201)
        self.names = https.NameServer({})
        self.names.records = _Records({
            (STS_DOMAIN, "MX"): [f"10 {MAIL_HOST}."], (MAIL_HOST, "A"): ["127.0.0.1"],
            (POLICY_HOST, "A"): ["127.0.0.1"], (REPORT_HOST, "A"): ["127.0.0.1"], (f"_mta-sts.{STS_DOMAIN}", "TXT"): []})
        self.smarthost = Smarthost()
        self.server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server_context.load_cert_chain(theirs.chain)
        self.server_context.load_verify_locations(authority.certificate)
        self.server_context.verify_mode = ssl.CERT_REQUIRED
        context = ssl.create_default_context(cafile=authority.certificate)
        self.doors = [
            Door("clear", "smtpd", port), Door("starttls", "smtpd", port, context),
            Door("submission", "submitd", SUBMISSION_PORT, context, mechanism="PLAIN"),
            Door("submission scram", "submitd", SUBMISSION_PORT, context, mechanism="SCRAM-SHA-256"),
            Door("submissions", "submitd", SUBMISSIONS_PORT, context, is_wrapped=True, mechanism="PLAIN")]
        self.services = (
            f"{SUBMISSION_PORT} inet n - y - - submitd -o syslog_name=posthouse/submission\n"
            f"{SUBMISSIONS_PORT} inet n - y - - submitd -o syslog_name=posthouse/submissions\n"
            "  -o smtpd_tls_wrappermode=yes\n")
        self.transports = [f"{{ {STS_DOMAIN}=smtp:{STS_DOMAIN}:{relay_port} }}",
                           f"{{ {AUTH_DOMAIN}=smtp:[127.0.0.1]:{relay_port + 1} }}"]
        self.settings = {
            "smtpd_tls_chain_files": ours.chain, "smtpd_tls_security_level": "may",
            "auth_databases": f"passwd-file:{self.passwords}", "auth_mechanisms": "scram-sha-256, plain",
            "dns_servers": f"127.0.0.1:{self.names.port}", "fetch_https_port": self.web.port,
            "fetch_tls_CAfile": authority.certificate, "fetch_private_networks": "127.0.0.0/8",
            "mta_sts_check_time": "1s", "mta_sts_negative_time": "1s", "mta_sts_fetch_timeout": "5s",
            "smtp_tls_CAfile": authority.certificate, "smtp_tls_chain_files": ours.chain,
            "smtp_tls_policy_maps": f"inline:{{ {{ [127.0.0.1]:{relay_port}=none }} }}",
            "smtp_tlsrpt_enable": "yes", "mydomain": "here.test",
            "tlsrpt_report_delay": "0s", "tlsrpt_retry_time": "1s",
            # Connections are made, with all that belongs to it, and not only used.
            "smtp_connection_reuse_count_limit": "5",
            "smtp_sasl_auth_enable": "yes", "smtp_sasl_security_options": "noanonymous",
            "smtp_sasl_password_maps": f"texthash:{relay_passwords}"}

    def give_to(self, load):
        load.doors, load.secured = self.doors, self
        load.relay_domains = ["there.test", STS_DOMAIN, AUTH_DOMAIN]

    def renew_passwords(self):
        """The file is a new one, which has to be read."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.passwords)

    def close(self):
        self.web.stop()
        self.names.stop()
