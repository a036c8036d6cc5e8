"""Tables that hang, die and change while addrd serves."""

import os
import re
import signal
import socket
import threading

from harness.instance import wait_until

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
