"""Mail through a provider that wants to know who we are: SASL in the smtp and lmtp clients."""

import base64
import os
import pathlib
import re
import socket
import subprocess
import types

import pytest

from harness import more_peers, peers
from harness.authenticating import AuthenticatingServer
from harness.instance import free_port, wait_until
from harness.intruder import Liar
from harness.processes import memory_of, parent_of, processes_of, running

USER, PASSWORD = "mail,er=1", "p\u00e4ss w\u00f6rd"
TOKEN = "dG9rZW4gb2YgbWFpbGVy"


def provider(mechanisms, **arguments):
    return AuthenticatingServer(mechanisms, {USER: PASSWORD, "other": "0ther"}, **arguments)


@pytest.fixture
def relay(make_instance):
    def make(server, passwords=None, **settings):
        if passwords is None:
            passwords = {f"[127.0.0.1]:{server.port}": f"{USER}:{PASSWORD}"}
        one = make_instance("here", users=["you@here.test"], settings={
            "relayhost": f"[127.0.0.1]:{server.port}", "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s", "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_security_options": "noanonymous", **settings})
        table = one.etc / "sasl_passwd"
        one.set(smtp_sasl_password_maps=f"hash:{table}")
        set_passwords(one, passwords)
        return one.start()
    return make


def set_passwords(one, passwords):
    """As an administrator has it: for root's eyes only."""
    table = one.etc / "sasl_passwd"
    table.write_text("".join(f"{key} {value}\n" for key, value in passwords.items()))
    table.chmod(0o600)
    one.run("postmap", f"hash:{table}", check=True)
    if os.geteuid() == 0:
        os.chown(f"{table}.db", 0, 0)
        (one.etc / "sasl_passwd.db").chmod(0o600)


def deferral(one, queue_id, text, dsn="4.7.0"):
    one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*dsn={re.escape(dsn)}, status=deferred "
                     rf"\({text}\)$")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_mechanisms(relay, mechanism):
    with provider([mechanism]) as server:
        one = relay(server)
        queue_id = one.send("friend@there.test")
        one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*status=sent \(250 2\.0\.0 Ok\)")
        assert server.messages == [(USER, "sender@client.example", ["friend@there.test"])]
        one.wait_for_empty_queue()
        assert PASSWORD not in one.log()


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_tokens(relay, mechanism):
    """Longer than a command line: the token goes when the server asks for it."""
    token = TOKEN * 40
    with AuthenticatingServer([mechanism, "PLAIN"], {"u@example.com": token}) as server:
        one = relay(server, {f"[127.0.0.1]:{server.port}": f"u@example.com:{token}"},
                    smtp_sasl_mechanism_filter=mechanism.lower())
        one.send("friend@there.test")
        wait_until(lambda: server.messages, "the mail is there")
        assert server.messages[0][0] == "u@example.com"
        assert f"AUTH {mechanism}" in server.commands
        assert max(map(len, server.commands)) > 512


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_that_is_refused(relay, mechanism):
    with AuthenticatingServer([mechanism], {"u@example.com": TOKEN}) as server:
        one = relay(server, {"127.0.0.1": "u@example.com:b2xk"})
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL authentication failed; server .* said: 535 5\.7\.8 .*", "4.7.8")
        one.wait_for_log(r'warning: 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: SASL authentication: '
                         r'\{"status":"invalid_token","scope":"mail"\}$')


def test_the_strongest_mechanism_is_taken(relay):
    with provider(["LOGIN", "PLAIN", "X-UNKNOWN", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2"]) as server:
        one = relay(server)
        one.send("friend@there.test")
        wait_until(lambda: server.messages, "the mail is there")
        assert any(command.startswith("AUTH SCRAM-SHA-256 ") for command in server.commands)


def test_passwords_stay_home_without_tls(relay):
    """noplaintext, the default: rather no mail than a password in clear."""
    with provider(["PLAIN", "LOGIN"]) as server:
        one = relay(server, smtp_sasl_security_options="noplaintext, noanonymous")
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL authentication failed: server 127\.0\.0\.1\[127\.0\.0\.1\] offered no "
                 r"compatible authentication mechanisms for this type of connection security level")
        assert not any(command.startswith("AUTH") for command in server.commands)
        one.wait_for_log(r"warning: 127\.0\.0\.1\[127\.0\.0\.1\]:\d+ offered no supported AUTH mechanisms: "
                         r"'PLAIN LOGIN'$")


def test_mechanism_filter(relay):
    with provider(["SCRAM-SHA-256", "CRAM-MD5", "PLAIN"]) as server:
        one = relay(server, smtp_sasl_mechanism_filter="!scram-sha-256, !cram-md5, static:rest")
        one.send("friend@there.test")
        wait_until(lambda: server.messages, "the mail is there")
        assert any(command.startswith("AUTH PLAIN ") for command in server.commands)


def test_strangers(relay):
    """No password for that server: mail goes as it would without all this."""
    with provider(["PLAIN"]) as server:
        server.takes_strangers = True
        one = relay(server, {"elsewhere.test": f"{USER}:{PASSWORD}"}, smtp_send_dummy_mail_auth="yes")
        one.send("friend@there.test")
        wait_until(lambda: server.messages, "the mail is there")
        assert server.messages[0][0] is None
        assert not any("AUTH" in command for command in server.commands)


def test_nobody_is_vouched_for(relay):
    with provider(["CRAM-MD5"]) as server:
        one = relay(server, smtp_send_dummy_mail_auth="yes")
        one.send("friend@there.test")
        wait_until(lambda: server.messages, "the mail is there")
        assert any(command.startswith("MAIL ") and command.endswith(" AUTH=<>") for command in server.commands)


def test_a_wrong_password_defers(relay):
    with provider(["SCRAM-SHA-256"]) as server:
        one = relay(server, {"127.0.0.1": f"{USER}:wrong"})
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL authentication failed; server 127\.0\.0\.1\[127\.0\.0\.1\] said: 535 5\.7\.8 "
                 r"authentication credentials invalid", "4.7.8")
        # The password is put right, in a file that only root reads; nobody reloads.
        set_passwords(one, {"127.0.0.1": f"{USER}:{PASSWORD}"})
        one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*status=sent ")
        one.wait_for_empty_queue()


def test_a_wrong_password_bounces_if_wanted(relay):
    with provider(["PLAIN"]) as server:
        one = relay(server, {"127.0.0.1": f"{USER}:wrong"}, smtp_sasl_auth_soft_bounce="no")
        queue_id = one.send("friend@there.test", sender="you@here.test")
        one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*dsn=5\.7\.8, status=bounced \(SASL "
                         r"authentication failed; server .* said: 535 ")
        one.wait_for_mail("you@here.test")


def test_a_refused_password_is_not_tried_again(relay):
    with provider(["PLAIN"]) as server:
        one = relay(server, {"127.0.0.1": f"{USER}:wrong"}, smtp_sasl_auth_cache_name="memory",
                    default_destination_concurrency_limit="1")
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL \[CACHED\] authentication failed; server 127\.0\.0\.1\[127\.0\.0\.1\] said: "
                 r"535 5\.7\.8 authentication credentials invalid", "4.7.8")
        processes = len(set(re.findall(r"/smtp\[(\d+)\]: .*SASL authentication failed", one.log())))
        assert sum(command.startswith("AUTH PLAIN") for command in server.commands) == processes


def test_a_busy_server_is_asked_again(relay):
    with provider(["PLAIN"]) as server:
        server.refusal = "454 4.7.0 database is down"
        one = relay(server)
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL authentication failed; server .* said: 454 4\.7\.0 database is down")
        server.refusal = None
        one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*status=sent ")


def test_a_server_that_hangs_up(relay):
    with provider(["SCRAM-SHA-256"]) as server:
        server.hangs_up = True
        one = relay(server)
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"lost connection with 127\.0\.0\.1\[127\.0\.0\.1\] while performing the EHLO "
                 "handshake", "4.4.2")
        server.hangs_up = False
        one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*status=sent ")


def test_an_impostor_gets_no_mail(relay):
    """Whoever lets everybody in, and cannot prove that it knows the password."""
    with provider(["SCRAM-SHA-256"]) as server:
        server.is_impostor = True
        one = relay(server)
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL authentication failed; cannot authenticate to server "
                 r"127\.0\.0\.1\[127\.0\.0\.1\]: the server does not know the password")
        assert not server.messages
        assert "*" in server.commands


def test_nonsense_in_a_challenge(relay):
    with provider(["CRAM-MD5"]) as server:
        server.garble = "not base64!"
        one = relay(server)
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL authentication failed; cannot authenticate to server "
                 r"127\.0\.0\.1\[127\.0\.0\.1\]: malformed SASL challenge from server")
        assert "*" in server.commands


def test_senders_with_passwords_of_their_own(relay):
    with provider(["PLAIN"]) as server:
        one = relay(server, {"a@here.test": "other:0ther", "127.0.0.1": f"{USER}:{PASSWORD}"},
                    smtp_sender_dependent_authentication="yes")
        for sender in ("a@here.test", "b@here.test", "a@here.test", ""):
            one.send("friend@there.test", sender=sender)
        wait_until(lambda: len(server.messages) == 4, "all mail is there")
        assert {(sender, user) for user, sender, _ in server.messages} == {
            ("a@here.test", "other"), ("b@here.test", USER), ("", USER)}


def test_a_missing_table_defers(relay):
    with provider(["PLAIN"]) as server:
        one = relay(server)
        one.stop()
        one.set(smtp_sasl_password_maps=f"hash:{one.etc}/nothing")
        one.start()
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL authentication failed; cannot authenticate to server .*: "
                 r"hash:.*/nothing: .*No such file or directory.*", "4.3.0")
        assert not server.messages


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificate")
    names = (str(directory / "certificate.pem"), str(directory / "key.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=auth.test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "9", "-out",
                    names[0], "-keyout", names[1]], check=True, capture_output=True)
    return names


def test_bound_to_the_connection(relay, certificate):
    """-PLUS where there is TLS: the proof is good for this connection only."""
    with provider(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], certificate=certificate) as server:
        one = relay(server, smtp_tls_security_level="encrypt")
        one.send("friend@there.test")
        wait_until(lambda: server.messages, "the mail is there")
        assert server.messages[0][0] == USER
        assert any(command.startswith("AUTH SCRAM-SHA-256-PLUS ") for command in server.commands)


def test_passwords_travel_in_tls_if_that_is_allowed(relay, certificate):
    with provider(["PLAIN"], certificate=certificate) as server:
        one = relay(server, smtp_tls_security_level="encrypt",
                    smtp_sasl_security_options="noplaintext, noanonymous",
                    smtp_sasl_tls_security_options="noanonymous")
        one.send("friend@there.test")
        wait_until(lambda: server.messages, "the mail is there")
        assert server.messages[0][0] == USER


def test_passwords_for_verified_servers_only(relay, certificate):
    with provider(["PLAIN"], certificate=certificate) as server:
        one = relay(server, smtp_tls_security_level="encrypt",
                    smtp_sasl_security_options="noplaintext", smtp_sasl_tls_security_options="noplaintext",
                    smtp_sasl_tls_verified_security_options="noanonymous")
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, "SASL authentication failed: server .* offered no compatible authentication "
                 "mechanisms for this type of connection security level")
        fingerprint = subprocess.run(["openssl", "x509", "-in", certificate[0], "-noout", "-fingerprint", "-sha256"],
                                     check=True, capture_output=True, text=True).stdout.strip().split("=")[1]
        one.set(smtp_tls_security_level="fingerprint", smtp_tls_fingerprint_cert_match=fingerprint)
        one.reload()
        one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*status=sent ")


def test_a_table_that_hangs(relay):
    with provider(["PLAIN"]) as server, socket.create_server(("127.0.0.1", 0)) as silent:
        one = relay(server)
        one.set(smtp_sasl_password_maps=f"tcp:127.0.0.1:{silent.getsockname()[1]}", auth_database_timeout="1s")
        one.reload()
        queue_id = one.send("friend@there.test")
        deferral(one, queue_id, r"SASL authentication failed; cannot authenticate to server .*", "4.3.0")
        one.set(smtp_sasl_password_maps="inline:{127.0.0.1=other:0ther}")
        one.reload()
        one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*status=sent ")


def test_lmtp(make_instance):
    with provider(["SCRAM-SHA-1"], lmtp=True) as server:
        one = make_instance("here", users=["you@here.test"], services="store unix - - y - - lmtp\n", settings={
            "relayhost": "", "default_transport": f"store:inet:127.0.0.1:{server.port}",
            "lmtp_sasl_auth_enable": "yes", "lmtp_sasl_password_maps": "inline:{127.0.0.1=other:0ther}"})
        one.start()
        queue_id = one.send("friend@there.test")
        one.wait_for_log(rf"/lmtp\[\d+\]: {queue_id}: to=<friend@there\.test>, .*status=sent ")
        assert server.messages == [("other", "sender@client.example", ["friend@there.test"])]


def test_services_have_passwords_of_their_own(make_instance):
    """-o in master.cf: tables, what stands between user and password, and how long a refusal counts."""
    with provider(["PLAIN"]) as first, provider(["PLAIN"]) as second:
        one = make_instance("here", users=["you@here.test"], settings={
            "minimal_backoff_time": "1s", "maximal_backoff_time": "1s", "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_security_options": "noanonymous", "smtp_sasl_password_maps": "inline:{127.0.0.1=other:wrong}",
            "transport_maps": f"inline:{{first.test=smtp:[127.0.0.1]:{first.port}, "
                              f"second.test=special:[127.0.0.1]:{second.port}}}"}, services=(
            "special unix - - y - - smtp -o smtp_sasl_password_maps=hash:$config_directory/special\n"
            "  -o smtp_sasl_password_result_delimiter=| -o smtp_sasl_auth_cache_name=on\n"))
        (one.etc / "special").write_text(f"[127.0.0.1]:{second.port} other|0ther\n")
        (one.etc / "special").chmod(0o600)
        one.run("postmap", f"hash:{one.etc}/special", check=True)
        one.start()
        sent, put_off = one.send("friend@second.test"), one.send("friend@first.test")
        one.wait_for_log(rf"/smtp\[\d+\]: {sent}: to=<friend@second\.test>, .*status=sent ")
        one.wait_for_log(rf"{put_off}: to=<friend@first\.test>, .*status=deferred \(SASL authentication failed")
        assert second.messages == [("other", "sender@client.example", ["friend@second.test"])] and not first.messages
        (one.etc / "special").write_text(f"[127.0.0.1]:{second.port} other|worse\n")
        one.run("postmap", f"hash:{one.etc}/special", check=True)
        one.reload()
        put_off = one.send("friend@second.test")
        one.wait_for_log(rf"{put_off}: to=<friend@second\.test>, .*\(SASL \[CACHED\] authentication failed; ")


def test_a_wrong_setting_of_a_service(make_instance):
    one = make_instance("here", services=(
        "special unix - - y - - smtp -o smtp_sasl_auth_cache_time=soon\n"))
    done = one.run("posthouse", "check")
    assert done.returncode != 0
    assert re.search(r"master\.cf, line \d+: -o smtp_sasl_auth_cache_time = soon: a time ", done.stderr), done.stderr
    assert "no effect" not in done.stderr


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_without_root(make_instance, mechanism):
    run_as = 65534 if os.geteuid() == 0 else None
    with provider([mechanism]) as server:
        one = make_instance("here", run_as=run_as, settings={
            "relayhost": f"[127.0.0.1]:{server.port}", "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_security_options": "", "smtp_sasl_password_maps": "inline:{127.0.0.1=other:0ther}"})
        one.start()
        one.send("friend@there.test")
        wait_until(lambda: server.messages, "the mail is there")
        assert server.messages[0][0] == "other"


def parts_of_authd(one):
    """The dispatcher, the keeper below it, and the processes below that, as sets."""
    parents = {pid: parent for pid in running(one.programs, "authd") if (parent := parent_of(pid)) is not None}
    keepers = {pid for pid, parent in parents.items() if parent in parents and parents[parent] not in parents}
    return ({pid for pid, parent in parents.items() if parent not in parents}, keepers,
            {pid for pid, parent in parents.items() if parent in keepers})


def test_whoever_runs_exchanges_may_die(relay):
    with provider(["SCRAM-SHA-256"]) as server:
        one = relay(server, smtp_connection_cache_on_demand="no")
        one.tolerate("authd|killed by signal 9|starting over")
        one.send("friend@there.test")
        wait_until(lambda: len(server.messages) == 1, "the mail is there")
        for count, part in enumerate((2, 0, 1), 2):
            victims = wait_until(lambda which=part: parts_of_authd(one)[which], "it runs")
            for pid in victims:
                os.kill(pid, 9)
            one.send("friend@there.test")
            wait_until(lambda wanted=count: len(server.messages) == wanted, "the mail is there")
        one.wait_for_log("the process for passwords of other servers is gone; starting over")


def test_a_client_has_one_process(relay):
    """However often it says that it needs another."""
    with provider(["SCRAM-SHA-256"]) as server:
        one = relay(server)
        one.send("friend@there.test")
        wait_until(lambda: len(server.messages) == 1, "the mail is there")
        count = len(parts_of_authd(one)[2])
        with Liar(processes_of(one.programs)["smtp"][0]) as liar:
            liar.says_lost(range(1, 200))
            one.wait_for_log("the channel from smtp to authd is missing: making another")
            one.send("friend@there.test")
            wait_until(lambda: len(server.messages) == 2, "the mail is there")
        wait_until(lambda: len(parts_of_authd(one)[2]) == count, "the one before is gone")


def test_passwords_change_often(relay):
    """Each time the process that has read them makes room for another, and nobody waits longer for that."""
    with provider(["SCRAM-SHA-256"]) as server:
        one = relay(server, smtp_connection_cache_on_demand="no")
        for number in range(7):
            one.send("friend@there.test")
            wait_until(lambda wanted=number + 1: len(server.messages) == wanted, "the mail is there")
            victims = parts_of_authd(one)[2]
            for pid in victims:
                os.kill(pid, 15)
            wait_until(lambda gone=victims: not gone & parts_of_authd(one)[2], "they are gone")


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of others")
@pytest.mark.parametrize("mechanism, table", [("SCRAM-SHA-256", "hash"), ("CRAM-MD5", "texthash")])
def test_passwords_stay_where_they_are_used(relay, mechanism, table):
    """Only the process that runs the exchange has ever seen it; that it has shows that the search finds
    what is there."""
    password = "unmistakable-Pa55word"
    forms = [password.encode(), base64.b64encode(f"\0{USER}\0{password}".encode())[-20:]]
    with AuthenticatingServer([mechanism], {USER: password}) as server:
        one = relay(server, {"127.0.0.1": f"{USER}:{password}"})
        one.set(smtp_sasl_password_maps=f"{table}:{one.etc}/sasl_passwd")
        one.reload()
        for _ in range(5):
            one.send("friend@there.test")
        wait_until(lambda: len(server.messages) == 5, "all mail is there")
        serving = parts_of_authd(one)[2]
        seen = set()
        for program, pids in processes_of(one.programs).items():
            for pid in pids:
                if any(form in block for block in memory_of(pid) for form in forms):
                    seen.add((program, pid in serving))
        assert seen == {("authd", True)}


def test_reload_changes_the_tables(relay):
    with provider(["SCRAM-SHA-256"]) as server:
        one = relay(server)
        one.send("friend@there.test")
        wait_until(lambda: len(server.messages) == 1, "the mail is there")
        one.set(smtp_sasl_password_maps="inline:{127.0.0.1=other:0ther}")
        one.reload()
        one.send("friend@there.test")
        wait_until(lambda: len(server.messages) == 2, "the mail is there")
        assert [user for user, _, _ in server.messages] == [USER, "other"]


# ---- real peers

@pytest.mark.own_machine
@pytest.mark.skipif(not more_peers.have("dovecot"), reason="no Dovecot")
def test_a_real_postfix_whose_users_a_real_dovecot_knows(relay, workspace):
    with more_peers.Dovecot(workspace / "dovecot-relay", "127.0.0.6", 2426, users=["ann@dovecot.test"]) as dovecot:
        wait_until(dovecot.auth_socket.exists, "Dovecot's socket")
        with peers.Postfix(workspace / "postfix-relay", port=free_port(), users=["you@postfix.test"], settings={
                "mynetworks": "192.0.2.0/24", "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
                "smtpd_sasl_path": dovecot.auth_socket,
                "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject"}) as postfix:
            one = relay(postfix, {"127.0.0.1": "ann@dovecot.test:x"})
            mechanisms = ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"]
            for count, mechanism in enumerate(mechanisms, 1):
                one.set(smtp_sasl_mechanism_filter=mechanism)
                one.reload()
                one.send("you@postfix.test")
                wait_until(lambda wanted=count: len(postfix.messages("you@postfix.test")) == wanted, "the mail is there")
            log = postfix.log()
            for mechanism in mechanisms:
                assert f"sasl_method={mechanism}, sasl_username=ann@dovecot.test" in log


@pytest.mark.parametrize("highest", [None, "<=TLSv1.2"])
def test_our_own_submission_server(relay, make_instance, certificate, highest):
    """Both sides bind to the connection, by what each version of TLS has for that."""
    port = free_port()
    server = make_instance("provider", services=(
        f"127.0.0.1:{port} inet n - y - - submitd -o syslog_name=posthouse/submission"
        " -o smtpd_tls_security_level=encrypt\n"), settings={
        "mynetworks": "192.0.2.0/24", "auth_databases": "static:mail:{PLAIN}s3cret",
        "auth_mechanisms": "scram-sha-256-plus, scram-sha-256, plain"})
    chain = server.etc / "chain.pem"
    chain.write_text("".join(pathlib.Path(name).read_text() for name in reversed(certificate)))
    chain.chmod(0o600)
    server.set(smtpd_tls_chain_files=chain)
    server.start()
    one = relay(types.SimpleNamespace(port=port), {"127.0.0.1": "mail:s3cret"}, smtp_tls_security_level="encrypt",
                **({"smtp_tls_mandatory_protocols": highest} if highest else {}))
    one.send("you@provider.test")
    server.wait_for_log(r"sasl_method=SCRAM-SHA-256-PLUS, sasl_username=mail")
    server.wait_for_mail("you@provider.test")
