"""tests/harness/users - users of the system for the daemon "local", in a mount namespace of the test's
own only.

Callers: tests/kill, tests/faults, tests/system."""

import os
import pathlib
import subprocess


class SystemUsers:
    """Four users with home directories below the workspace, and their addresses in one domain; others
    exist and have no part in addresses."""

    def __init__(self, workspace, domain="system.test", first_uid=57800, others=(), homes=None):
        """homes: where the home directories are, if not in the workspace."""
        self.domain = domain
        names = [f"carrier{number}" for number in range(4)]
        self.homes = {name: pathlib.Path(homes or workspace) / name for name in [*names, *others]}
        lines = [pathlib.Path("/etc/passwd").read_text()]
        for number, (name, home) in enumerate(self.homes.items(), first_uid):
            home.mkdir()
            os.chown(home, number, number)
            lines.append(f"{name}:x:{number}:{number}::{home}:/bin/sh\n")
        passwd = pathlib.Path(workspace) / "passwd"
        passwd.write_text("".join(lines))
        subprocess.run(["mount", "--bind", passwd, "/etc/passwd"], check=True)
        self.addresses = [f"{name}@{domain}" for name in names]
        self.settings = {"mydestination": domain, "home_mailbox": "Maildir/", "alias_maps": "",
                         "local_recipient_maps": f"inline:{{ {', '.join(name + '=x' for name in self.homes)} }}"}

    def close(self):
        """Only where the mount namespace goes on to be used."""
        subprocess.run(["umount", "--lazy", "/etc/passwd"], check=True)

    def maildir_of(self, instance):
        """A function for Mailboxes: these users' and the instance's own."""
        def find(user):
            name, domain = user.split("@")
            return self.homes[name] / "Maildir" if domain == self.domain else instance.maildir(user)
        return find
