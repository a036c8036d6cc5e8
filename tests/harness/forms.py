"""tests/harness/forms - mail on every way that an instance has, and where it must end.

Beside virtual and system users and the other server: virtual aliases, aliases of local with addresses,
lists, commands and files, a .forward file, pipe, LMTP, discard, the error transport, and sendmail's
drops. Each address that Forms adds leads to ends: a Maildir ("user@domain"), the other server
("x@there.test"), the mail store ("x@store.test"), a directory in which a command leaves a file for each
message ("command:NAME") or a file that is appended to ("file:NAME"). No two addresses share one, so each
end must have each message once; a command, a file and another server may get it again when the process
that had given it was killed before it could say so.

Callers: tests/kill, tests/faults, tests/powercut."""

import os
import pathlib
import threading

from . import load as loads

# A message stands under its name when it is whole and on disk, and the command does not say so earlier.
KEEP = """#!/bin/sh
new=$(mktemp "$1/tmp.XXXXXX") && cat >"$new" && sync "$new" && mv "$new" "$1/msg.${new##*.}" &&
sync "$1" || exit 75
"""
DROPS_PER_S = 4


class Forms:
    """directory: where it all lies, visible to every user. system_users: a SystemUsers with the extra
    user "forwarder", or None where there is no root part of local. transports: further entries of
    transport_maps."""

    def __init__(self, directory, system_users, domain="here.test", store_path=None, transports=()):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.domain, self.store_path = domain, store_path
        self.ends = {}      # address -> its ends
        self.mailboxes = []  # users with a virtual mailbox that only forms lead to
        self.forwarded = set()  # ends that another message leads to, which local makes
        self._keep = self.directory / "keep"
        self._keep.write_text(KEEP)
        self._keep.chmod(0o755)
        self.services = (f"keep unix - n n - 4 pipe\n  user=nobody argv={self._keep} "
                         f"{self._place('pipe')}\n")
        transports = ["{ pipe.test=keep: }", "{ discard.test=discard: }",
                      "{ error.test=error:5.1.1 nobody lives there }", *transports]
        self.ends["any@pipe.test"] = ["command:pipe"]
        self.ends["any@discard.test"] = []
        self.ends["never-here@error.test"] = ["never-here@error.test"]
        self.only_dropped = {"never-here@error.test"}
        if store_path:
            self.services += "lmtp unix - - y - - lmtp\nconnectd unix - n n - 1 connectd\n"
            transports.append(f"{{ store.test=lmtp:unix:{store_path} }}")
            self.ends["any@store.test"] = ["any@store.test"]
        self.settings = {
            "relay_domains": "pipe.test discard.test error.test store.test",
            "transport_maps": f"inline:{{ {', '.join(transports)} }}",
            "virtual_alias_domains": "alias.test",
            "virtual_alias_maps": f"inline:{{ {{ both@alias.test={self._mailbox('aliased')} aliased@there.test }}, "
                                  f"{{ one@alias.test={self._mailbox('single')} }} }}",
            "delay_warning_time": "2s",
            # Whoever held the lock of a mailbox file may have been killed.
            "stale_lock_time": "2s", "deliver_lock_delay": "1s",
        }
        if store_path:
            self.settings["lmtp_unix_sockets"] = str(store_path)
        self.ends["both@alias.test"] = [f"aliased@{domain}", "aliased@there.test"]
        self.ends["one@alias.test"] = [f"single@{domain}"]
        self._aliases = ""
        if system_users:
            self._add_local(system_users)

    def _place(self, name):
        """A directory that everybody may leave something in."""
        place = self.directory / name
        if not place.exists():
            place.mkdir()
            place.chmod(0o1777)
        return place

    def _mailbox(self, name):
        self.mailboxes.append(f"{name}@{self.domain}")
        return self.mailboxes[-1]

    def _add_local(self, system_users):
        domain, files = system_users.domain, self._place("files")
        members = self.directory / "members"
        members.write_text(f"{self._mailbox('member1')}\n{self._mailbox('member2')}, member3@there.test\n")

        def command(name):
            return f'"|{self._keep} {self._place(name)}"'

        self._aliases = (f"list: :include:{members}\n"
                         f"command: {command('command')}\n"
                         f"file: {files}/file\n"
                         f"mixed: {self._mailbox('mixed')}, {files}/mixed, {command('mixed')}\n"
                         f"folder: {self._place('folder')}/\n")
        self.ends[f"list@{domain}"] = [f"member1@{self.domain}", f"member2@{self.domain}", "member3@there.test"]
        self.ends[f"command@{domain}"] = ["command:command"]
        self.ends[f"file@{domain}"] = ["file:file"]
        self.ends[f"mixed@{domain}"] = [f"mixed@{self.domain}", "file:mixed", "command:mixed"]
        self.ends[f"folder@{domain}"] = ["maildir:folder"]
        self.forwarded = {f"{name}@{self.domain}" for name in ("member1", "member2", "mixed", "forwarded")}
        home = system_users.homes["forwarder"]
        forward = home / ".forward"
        forward.write_text(f"\\forwarder, {self._mailbox('forwarded')}, {home}/box, {command('forward')}\n")
        owner = home.stat().st_uid
        os.chown(forward, owner, owner)
        self._home = home
        self.ends[f"forwarder@{domain}"] = [f"forwarder@{domain}", f"forwarded@{self.domain}", "file:home",
                                            "command:forward"]
        aliases = f"hash:{self.directory}/aliases"
        names = system_users.settings["local_recipient_maps"]
        self.settings.update(alias_maps=aliases, local_recipient_maps=f"{names}, {aliases}")

    def give_to(self, load):
        load.ends, load.only_dropped, load.store_path = self.ends, self.only_dropped, self.store_path

    def prepare(self, instance):
        """The tables, made by the instance's own command, before it starts."""
        if self._aliases:
            (self.directory / "aliases").write_text(self._aliases)
            instance.run("postalias", f"hash:{self.directory}/aliases", check=True)

    def file_of(self, name):
        return self._home / "box" if name == "home" else self.directory / "files" / name

    def _named(self, kind):
        return {end: end.partition(":")[2] for ends in self.ends.values() for end in ends
                if end.startswith(kind + ":")}

    def mailboxes_for(self, find, users, system_users):
        """A Mailboxes that reads all of it."""
        def place_of(user):
            return self.directory / user[8:] if user.startswith("maildir:") else find(user)

        local = ["maildir:folder", f"forwarder@{system_users.domain}"] if self._aliases else []
        return loads.Mailboxes(
            place_of, users + self.mailboxes + local,
            {end: self.directory / name for end, name in self._named("command").items()},
            {end: self.file_of(name) for end, name in self._named("file").items()})


class Drops:
    """A thread in which a local program calls sendmail; its status is the acknowledgement."""

    def __init__(self, load, instance, rate=DROPS_PER_S):
        self._load, self._instance, self._rate = load, instance, rate
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join(120)

    def _run(self):
        while not self._is_over.wait(1 / self._rate):
            message_id, recipients, lines = self._load.compose_from_outside()
            entry = loads.Entry(recipients, loads.UNKNOWN, self._load.phase, is_dropped=True)
            self._load.ledger[message_id] = entry
            done = self._instance.sendmail("-oi", "-f", self._load.sender, *recipients, check=False,
                                           content="".join(line + "\n" for line in lines))
            entry.reply = f"sendmail: {done.returncode}"
            if done.returncode == 0:
                entry.state = loads.ACKNOWLEDGED
                self._load.on_event(f"ack {message_id}")
