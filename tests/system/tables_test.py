"""Tables that hang, die and change while addrd serves."""

import os
import re
import signal
import smtplib
import socket
import threading

from harness.instance import free_port, wait_until

USERS = ["you@here.test", "friend@here.test"]


class SilentServer:
    """Takes connections and questions, and never answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.questions = 0
        self.connections = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.listen, args=(connection,), daemon=True).start()

    def listen(self, connection):
        while connection.recv(1000):
            self.questions += 1

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()


class MapServer(SilentServer):
    """A socketmap server with one table."""

    def __init__(self, entries):
        self.entries = entries
        super().__init__()

    def listen(self, connection):
        try:
            while request := connection.recv(1000).decode():
                key = request.partition(":")[2].rstrip(",").partition(" ")[2]
                answer = f"OK {self.entries[key]}" if key in self.entries else "NOTFOUND "
                connection.sendall(f"{len(answer)}:{answer},".encode())
        except OSError:
            pass    # closed at the end of the test


def rcpt(one, recipient):
    with one.client(timeout_s=60) as client:
        client.ehlo()
        client.mail("s@client.example")
        return client.rcpt(recipient)


def test_aliases_from_a_server(make_instance):
    server = MapServer({"a@here.test": "you@here.test,friend@here.test"})
    one = make_instance("here", users=USERS, settings={
        "virtual_alias_maps": f"socketmap:inet:127.0.0.1:{server.port}:aliases"}).start()
    one.send("a@here.test")
    for user in USERS:
        one.wait_for_mail(user)
    one.wait_for_empty_queue()
    server.close()
    code, text = rcpt(one, "a@here.test")
    assert code == 451 and b"Temporary lookup failure" in text


def test_a_server_that_never_answers_stalls_nobody_else(make_instance):
    """Its own questions wait and come back as temporary failures; all the others go on."""
    server = SilentServer()
    one = make_instance("here", users=USERS, settings={
        "addrd_lookup_timeout": "2s", "relay_domains": "slow.test",
        "relay_recipient_maps": f"socketmap:inet:127.0.0.1:{server.port}:x",
        "local_recipient_maps": "unix:passwd.byname", "mydestination": "local.test"}).start()
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(rcpt(one, "a@slow.test"))) for _ in range(10)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: server.questions > 0, "the server was asked")
    for _ in range(5):
        assert rcpt(one, "you@here.test")[0] == 250
        assert rcpt(one, "root@local.test")[0] == 250   # through a worker, too
        assert rcpt(one, "no-such-user@local.test")[0] == 550
    assert not answers or all(code == 451 for code, _ in answers)
    for thread in waiting:
        thread.join()
    assert [code for code, _ in answers] == [451] * 10
    one.wait_for_log("warning: .*(a worker does not answer|no answer in time|a worker has ended)")
    server.close()


def test_an_expression_that_never_ends_stalls_nobody_else(make_instance, workspace):
    """As a server that does not answer: what it was asked for is answered for now, again and again."""
    table = workspace / "relayed"
    table.write_text(r"/^(.*)(.*)(.*)(.*)(.*)(.*)\1\2\3\4\5\6x@/ OK" + "\n/^good@/ OK\n")
    one = make_instance("here", users=USERS, settings={
        "addrd_lookup_timeout": "2s", "relay_domains": "slow.test", "relay_recipient_maps": f"regexp:{table}",
        "local_recipient_maps": "regexp:{ {/^root@/ x} }", "mydestination": "local.test"}).start()
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(rcpt(one, "a" * 60 + "@slow.test"))) for _ in range(4)]
    for thread in waiting:
        thread.start()
    for _ in range(5):
        assert rcpt(one, "root@local.test")[0] == 250    # another table, through a worker, too
        assert rcpt(one, "no-such-user@local.test")[0] == 550
    for thread in waiting:
        thread.join()
    assert [code for code, _ in answers] == [451] * 4
    wait_until(lambda: rcpt(one, "good@slow.test")[0] == 250, "the table is asked again")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def test_killed_workers_are_replaced(make_instance):
    server = MapServer({"a@here.test": "you@here.test"})
    one = make_instance("here", users=USERS, settings={
        "virtual_alias_maps": f"socketmap:inet:127.0.0.1:{server.port}:aliases"}).start()
    assert rcpt(one, "a@here.test")[0] == 250
    nurseries = [child for line in os.popen("ps -eo pid,comm").read().splitlines()
                 if re.search(r"\baddrd$", line) for child in [int(line.split()[0])] if children_of(child)]
    workers = [worker for nursery in nurseries for worker in children_of(nursery)
               if not children_of(worker)]
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    one.wait_for_log("a worker has ended; another takes its place")
    wait_until(lambda: rcpt(one, "a@here.test")[0] == 250, "the new workers answer")
    server.close()


def test_rebuilt_under_readers(make_instance):
    """A table is replaced again and again: no question fails, none sees a part of it."""
    one = make_instance("here", users=USERS, settings={
        "relay_domains": "relay.test", "smtpd_soft_error_limit": 100000, "smtpd_hard_error_limit": 100000})
    types = [name for name in ("hash", "btree", "cdb", "lmdb")
             if name in one.run("postconf", "-m").stdout.split()]
    for name in types:
        path = one.etc / f"t{name}"
        path.write_text("a@relay.test x\n")
        one.run("postmap", f"{name}:{path}", check=True)
    one.set(relay_recipient_maps=" ".join(f"{name}:{one.etc}/t{name}" for name in types))
    one.start()
    done = threading.Event()
    failures = []

    def rebuild():
        for i in range(12):
            filler = "".join(f"x{i}-{n}@relay.test y\n" for n in range(400))
            for name in types:
                path = one.etc / f"t{name}"
                path.write_text(f"{filler}a@relay.test {i}\nz{i}@relay.test 1\n")
                done_ok = one.run("postmap", f"{name}:{path}")
                if done_ok.returncode != 0:
                    failures.append(done_ok.stderr)
        done.set()

    thread = threading.Thread(target=rebuild)
    thread.start()
    asked = 0
    with one.client() as client:
        client.ehlo()
        while not done.is_set() or asked < 50:
            client.mail("s@client.example")
            if client.rcpt("a@relay.test")[0] != 250 or client.rcpt("nobody@relay.test")[0] != 550:
                failures.append(one.log()[-2000:])
                break
            client.rset()
            asked += 1
    thread.join()
    assert not failures, failures[0]
    assert rcpt(one, "z11@relay.test")[0] == 250


def test_results_by_other_names(make_instance):
    """default_delivery_status_filter, at agents that only deliver on this machine."""
    one = make_instance("here", users=["you@here.test"], services=(
        "deaf unix - n n - 2 pipe\n  user=nobody argv=/bin/true\n"), settings={
            "transport_maps": "inline:{ {left.test=error:5.1.6 User has moved},"
                              " {later.test=retry:4.3.2 Back on Monday}, {deaf.test=deaf:} }",
            "mydestination": "local.test", "local_recipient_maps": "",
            "default_delivery_status_filter": "pcre:{{/^(2\\.\\d\\.\\d) delivered to maildir/ $$1 filed}"
                                              " {/^5(\\.1\\.6 .*)/ 4$$1 for now} {/^4\\.3\\.2/ 5.7.7 never}"
                                              " {/^5\\.1\\.1/ 5.1.10 no such name}}",
            "pipe_delivery_status_filter": "regexp:{{/^2/ 2.6.4}}"}).start()
    one.sendmail("you@here.test", "a@left.test", "b@later.test", "c@deaf.test", "nobody-here@local.test")
    one.wait_for_log(r"/virtual\[\d+\]: .*to=<you@here.test>.*dsn=2\.0\.0, status=sent \(filed\)")
    one.wait_for_log(r"to=<a@left.test>.*dsn=4\.1\.6, status=deferred \(User has moved for now\)")
    one.wait_for_log(r"to=<b@later.test>.*dsn=5\.7\.7, status=bounced \(never\)")
    one.wait_for_log(r"to=<c@deaf.test>.*dsn=2\.6\.4, status=sent \(delivered via deaf service\)")
    one.wait_for_log(r"to=<nobody-here@local.test>.*dsn=5\.1\.10, status=bounced \(no such name\)")


def test_a_table_that_no_sandbox_can_ask(make_instance):
    one = make_instance("here", settings={"local_delivery_status_filter": "socketmap:unix:/run/map:filter"})
    for command in ("check", "start"):
        done = one.run("posthouse", command)
        assert done.returncode != 0
        assert re.search(r"main\.cf, line \d+: local_delivery_status_filter: socketmap:unix:/run/map:filter: "
                         r"a table of type btree", done.stderr), done.stderr


# ---- tables of smtpd's lists and of senders, which addrd asks for it

TEXTS = {"hash": "{key} {value}\n", "btree": "{key} {value}\n", "cdb": "{key} {value}\n", "lmdb": "{key} {value}\n",
         "texthash": "{key} {value}\n", "pcre": "/^{key}$/ {value}\n", "regexp": "/^{key}$/ {value}\n"}


def write_table(one, kind, key, value, name="table"):
    path = one.etc / f"{name}-{kind}"
    fresh = one.etc / f"{name}-{kind}.new"
    fresh.write_text(TEXTS[kind].format(key=key, value=value))
    fresh.rename(path)
    if kind in ("hash", "btree", "cdb", "lmdb"):
        one.run("postmap", f"{kind}:{path}", check=True)
    return f"{kind}:{path}"


def test_changed_tables_count_at_once(make_instance):
    """In the middle of a session, and without a reload."""
    one = make_instance("here", users=USERS, settings={"smtpd_soft_error_limit": 1000})
    types = [name for name in TEXTS if name in one.run("postconf", "-m").stdout.split()]
    names = {name: write_table(one, name, "nobody@client.example", "OK") for name in types}
    one.set(smtpd_sender_restrictions=", ".join(f"check_sender_access {names[name]}" for name in types))
    one.start()
    with one.client() as client:
        client.ehlo()
        for name in types:
            client.mail("s@client.example")
            assert client.rcpt("you@here.test")[0] == 250
            write_table(one, name, "s@client.example", f"REJECT says {name}")
            code, text = client.rcpt("friend@here.test")
            assert code == 554 and text.endswith(f"Sender address rejected: says {name}".encode()), (name, code, text)
            write_table(one, name, "nobody@client.example", "OK")
            assert client.rcpt("friend@here.test")[0] == 250
            client.rset()
    assert "generation" not in one.log()


def test_recipients_come_at_once_and_go_in_a_second(make_instance):
    """That one exists is remembered for a moment; that one does not, never."""
    one = make_instance("here", users=USERS)
    one.start()
    users = one.etc / "users"

    def write(text):
        fresh = one.etc / "users.new"
        fresh.write_text(text)
        fresh.rename(users)

    before = users.read_text()
    with one.client() as client:
        client.ehlo()
        client.mail("s@client.example")
        assert client.rcpt("you@here.test")[0] == 250
        for _ in range(3):
            assert client.rcpt("friend@here.test")[0] == 250
            assert client.rcpt("new@here.test")[0] == 550
            write(before + "new@here.test new/\n")
            assert client.rcpt("new@here.test")[0] == 250
            write(before)
            wait_until(lambda: client.rcpt("new@here.test")[0] == 550, "the recipient is unknown again", interval_s=0.2)


def test_tables_about_commands_count_at_once(make_instance):
    """Other commands, keywords of EHLO, footers. Keys are looked up as they are, in capitals or not."""
    one = make_instance("here", users=USERS)
    names = {name: write_table(one, "texthash", "nothing", "nothing", name) for name in ("commands", "keywords")}
    footers, further = (write_table(one, "pcre", "nothing", "nothing", name) for name in ("footers", "commands"))
    one.set(smtpd_command_filter=f"{names['commands']}, {further}",
            smtpd_discard_ehlo_keyword_address_maps=names["keywords"], smtpd_reject_footer_maps=footers)
    one.start()
    secret = "AHVzZXIAc2VjcmV0"
    with one.client() as client:
        assert client.docmd("xyzzy")[0] == 500
        write_table(one, "texthash", "xyzzy", "NOOP", "commands")
        assert client.docmd("xyzzy")[0] == 250
        assert client.docmd("XYZZY")[0] == 500
        assert client.docmd("RSET now")[1] == b"5.5.4 Syntax: RSET"
        write_table(one, "pcre", "501 .*RSET", "see our page", "footers")
        assert client.docmd("RSET now")[1] == b"5.5.4 Syntax: RSET\n5.5.4 see our page"
        assert client.docmd(f"AUTH PLAIN {secret}")[0] >= 500
        write_table(one, "pcre", "AUTH PLAIN", "NOOP", "commands")
        assert client.docmd(f"AUTH PLAIN {secret}")[0] == 250, "what follows the mechanism is nobody else's business"
    one.wait_for_log(r'replacing command "AUTH \.\.\." with "NOOP"')
    assert secret not in one.log()
    write_table(one, "texthash", "127.0.0.1", "dsn, vrfy", "keywords")
    with one.client() as client:
        client.ehlo()
        assert not client.has_extn("dsn") and not client.has_extn("vrfy") and client.has_extn("size")
    assert "generation" not in one.log()


def test_access_by_a_server_and_a_table_that_comes_late(make_instance):
    """Any type is right in a list of restrictions; what cannot be asked now puts off, and nothing more."""
    server = MapServer({"s@client.example": "REJECT by map", "client.example": "OK"})
    one = make_instance("here", users=USERS)
    one.set(smtpd_sender_restrictions=f"check_sender_access socketmap:inet:127.0.0.1:{server.port}:senders",
            smtpd_recipient_restrictions=f"check_recipient_access hash:{one.etc}/late")
    one.start()
    with one.client() as client:
        client.ehlo()
        client.mail("s@client.example")
        assert client.rcpt("you@here.test") == (554, b"5.7.1 <s@client.example>: Sender address rejected: by map")
        client.rset()
        client.mail("other@client.example")
        assert client.rcpt("you@here.test") == (451, b"4.3.0 <you@here.test>: Temporary lookup failure")
        one.wait_for_log(r"smtpd\[\d+\]: warning: hash:\S+/late: lookup error")
        one.wait_for_log(r"addrd\[\d+\]: warning: .*late\.db: No such file or directory")
        (one.etc / "late").write_text("friend@here.test REJECT not him\n")
        one.run("postmap", f"hash:{one.etc}/late", check=True)
        assert client.rcpt("you@here.test")[0] == 250
        assert client.rcpt("friend@here.test")[0] == 554
    server.close()


def test_services_have_tables_of_their_own(make_instance):
    """-o in master.cf names a table that main.cf does not."""
    port = free_port()
    one = make_instance("here", users=USERS, services=(
        f"127.0.0.1:{port} inet n - y - - smtpd -o smtpd_client_restrictions=$other -o "
        "{other=check_client_access texthash:$config_directory/clients}\n"))
    (one.etc / "clients").write_text("127.0.0.1 REJECT not there\n")
    one.start()
    one.send("you@here.test")
    with smtplib.SMTP("127.0.0.1", port, "client.example", 30) as client:
        client.ehlo()
        client.mail("s@client.example")
        assert client.rcpt("you@here.test")[0] == 554


def test_owners_of_senders_in_a_table(make_instance):
    one = make_instance("here", users=USERS, settings={
        "smtpd_sender_restrictions": "reject_sender_login_mismatch", "mynetworks": "127.0.0.0/8"})
    owners = one.etc / "owners"
    owners.write_text("@here.test bob\n")
    one.run("postmap", f"hash:{owners}", check=True)
    one.set(smtpd_sender_login_maps=f"inline:{{you@here.test=alice}}, hash:{owners}")
    one.start()
    with one.client() as client:
        client.ehlo()
        for sender in ("you@here.test", "friend@here.test"):
            client.mail(sender)
            assert client.rcpt("you@here.test")[1].endswith(b"Sender address rejected: not logged in")
            client.rset()
        owners.write_text("@other.test bob\n")
        one.run("postmap", f"hash:{owners}", check=True)
        client.mail("friend@here.test")
        assert client.rcpt("you@here.test")[0] == 250
