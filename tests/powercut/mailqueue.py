"""tests/powercut/mailqueue - Posthouse itself on a disk whose power is cut.

Queue, keys, mailboxes and all other places where an instance leaves mail (harness/forms.py) lie on the
logged disk while mail comes in, also from sendmail, is delivered, deferred and returned; each 250 and
each message that the other server took is marked in the log. At each rebuilt state the instance is
started on the mounted image, as after a power cut, and when its queue has run empty every message
acknowledged before the cut must be in the Maildir of each local recipient, once, with the other server
for each remote one, in a file or with a command for those, or reported to its sender. Of some states the
recovery itself runs on a logged disk and is cut short in its turn.

That this can fail is shown with flushes that do nothing but say that they went well: those of qmgr lose
what was promised to clients, those of virtual what the queue has already let go.

Callers: tests/powercut/run."""

import collections
import os
import pathlib
import random
import shutil
import time

import powercut
from harness.forms import Drops, Forms
from harness.instance import Instance, wait_until
from harness.load import Load, account
from harness.processes import Injection
from harness.users import SystemUsers

HEAD = ["file system", "states", "messages", "promises checked", "states with a loss or a second copy",
        "relayed twice", "handed twice", "reported twice",
        "forwarded twice"]
PORT, RELAY_PORT = 2525, 2526
SESSIONS = 6
RECOVERY_DEADLINE_S = 20


def _make_instance(programs, disk, outside, load, delivered_to):
    """All that must survive lies on the disk; what a boot finds empty, and the log, do not.
    Returns (instance, system users, forms, a function that makes a Mailboxes)."""
    for name in ("run", "logs"):
        (outside / name).mkdir()
    os.chmod(disk.path, 0o755)
    homes = pathlib.Path(disk.path) / "homes"
    homes.mkdir()
    system_users = SystemUsers(outside, others=("forwarder",), homes=homes)
    forms = Forms(pathlib.Path(disk.path) / "forms", system_users, store_path=outside / "store")
    load.system_users = system_users.addresses
    forms.give_to(load)
    instance = Instance(programs, disk.path, "here", users=load.users + forms.mailboxes, uid_base=58000,
                        port=PORT, services=forms.services, settings={
        **system_users.settings, **forms.settings,
        "run_directory": outside / "run", "maillog_file": outside / "logs/mail.log",
        "maillog_file_prefixes": outside / "logs", "relayhost": f"[127.0.0.1]:{RELAY_PORT}",
        "minimal_backoff_time": "1s", "maximal_backoff_time": "2s",
        "virtual_delivered_to": delivered_to})
    instance.log_file = outside / "logs/mail.log"
    forms.prepare(instance)
    os.sync()  # the installation is older than the power cut
    disk.mark("begin")

    def mailboxes():
        return forms.mailboxes_for(system_users.maildir_of(instance), load.users + load.system_users,
                                   system_users)
    return instance, system_users, forms, mailboxes


def _record(disk, instance, load, seconds, liar):
    """liar: the daemon whose flushes do nothing, or None."""
    load.on_event = disk.mark
    load.listen()
    with instance:
        lies = liar and Injection(instance.programs, liar, "fsync,fdatasync,syncfs", "retval=0", "1+1",
                                  instance.log_file.parent / "trace")
        with Drops(load, instance):
            load.resume(SESSIONS)
            time.sleep(seconds)
            load.pause()
        time.sleep(0.5)  # what is under way goes on for a moment
        if lies:
            lies.end()
    load.on_event = lambda _text: None


def _boot(instance, load):
    """As after a power cut: what lives in memory is gone."""
    load.received.clear()
    shutil.rmtree(instance.settings["run_directory"])
    os.mkdir(instance.settings["run_directory"])
    instance.log_file.unlink(missing_ok=True)


def _recover(instance, load, mailboxes, forwarded, texts, deadline_s):
    """Problems after these marks, and how often something arrived twice elsewhere than in a Maildir."""
    marks = [text.split(" ") for text in texts]
    acknowledged = {mark[1] for mark in marks if mark[0] == "ack"}
    before = collections.Counter((mark[1], mark[2]) for mark in marks if mark[0] == "got")
    _boot(instance, load)

    def read():
        return account(load, mailboxes, before + load.received, acknowledged)

    try:
        with instance:
            try:
                wait_until(lambda: not read().missing and not instance.queue(), "recovered",
                           deadline_s, 0.1)
            except AssertionError:
                pass  # what is missing says it better
            queue = instance.queue()
        found = read()
    except AssertionError as error:
        return [str(error)], (0, 0, 0, 0)
    problems = [f"lost: {message_id} {recipient}" for message_id, recipient in found.missing]
    again = [key for key in found.doubled_local if key[1] in forwarded]
    problems += [f"twice: {message_id} {recipient}" for message_id, recipient in found.doubled_local
                 if recipient not in forwarded]
    problems += [f"damaged: {key}" for key in found.damaged]
    problems += [f"returned without a reason: {key}" for key in found.bounced]
    problems += [f"still in the queue: {text}" for text in queue.values()]
    return problems, (len(found.doubled_relay), len(found.doubled_handed), len(found.doubled_reports), len(again))


class _Trial:
    """The rebuilt states of one recording, one after the other."""

    def __init__(self, options, instance, load, mailboxes, forwarded, disk, is_lying):
        self.options, self.instance, self.load, self.disk = options, instance, load, disk
        self.mailboxes, self.forwarded = mailboxes, forwarded
        self.is_lying = is_lying  # losses are what we want to see
        self.deadline_s = 6 if is_lying else RECOVERY_DEADLINE_S
        self.tried = self.lossy = self.relayed_twice = self.handed_twice = self.reported_twice = self.forwarded_twice = self.acknowledged = 0
        self.recipes = collections.Counter()
        self.problems = []

    def check(self, state, marks, before=None):
        """before: the state whose recovery was cut short, if any."""
        again = f"{before.number}-again-" if before else ""
        name = f"{before}, cut again: " if before else ""
        self.tried += 1
        self.recipes[state.recipe] += 1
        try:
            # At the path where it was written, which the configuration names.
            with powercut.mounted(state.image, self.disk.path, self.disk.filesystem):
                found, doubled = _recover(self.instance, self.load, self.mailboxes(), self.forwarded, marks,
                                           self.deadline_s)
        except RuntimeError as error:
            found, doubled = [str(error)], (0, 0, 0, 0)
        self.relayed_twice += doubled[0]
        self.handed_twice += doubled[1]
        self.reported_twice += doubled[2]
        self.forwarded_twice += doubled[3]
        self.acknowledged += sum(mark.startswith("ack ") for mark in marks)
        if found:
            self.lossy += 1
            self.problems += [f"{name}{state}:", *(f"  {line}" for line in found[:8]),
                              *(f"  | {line}" for line in self.instance.log().splitlines()[-25:])]
            self._keep(state, f"{self.disk.filesystem}-{again}{state.number}")

    def _keep(self, state, name):
        if self.options.keep and not self.is_lying:
            os.makedirs(self.options.keep, exist_ok=True)
            powercut.copy_sparse(state.image, os.path.join(self.options.keep, name + ".img"))
            if self.instance.log_file.exists():
                shutil.copy(self.instance.log_file, os.path.join(self.options.keep, name + ".log"))

    def cut_recovery_short(self, state, directory, chance):
        """Recovers for a moment on a logged disk, and checks two states of that."""
        directory.mkdir()
        _boot(self.instance, self.load)
        try:
            with powercut.LoggedDisk(str(directory), self.disk.filesystem, self.options.logdisk,
                                     state.image, self.disk.path) as second:
                self.load.on_event = second.mark
                with self.instance:
                    time.sleep(chance.uniform(0.0, 1.5))
                self.load.on_event = lambda _text: None
        except (AssertionError, RuntimeError) as error:
            self.lossy += 1
            self.problems.append(f"{state}: recovery on a logged disk: {error}")
            return
        finally:
            self.load.on_event = lambda _text: None
        log = powercut.Log(second.log)
        for inner in powercut.states(log, second, 2, chance.random()):
            self.check(inner, state.marks + inner.marks, state)
        log.close()
        shutil.rmtree(directory)


def _try(options, workspace, filesystem, programs, state_count, liar=None):
    """(trial, load, summary)"""
    started = time.monotonic()
    outside = pathlib.Path(workspace) / f"{filesystem}-posthouse"
    outside.mkdir()
    load = Load("127.0.0.1", PORT, RELAY_PORT, seed=options.seed)
    load.rate = 60
    with powercut.LoggedDisk(str(outside), filesystem, options.logdisk) as disk:
        # Recipients of one message share a file by links, or do not.
        delivered_to = random.Random(f"{options.seed} {filesystem}").choice(("yes", "no"))
        instance, system_users, forms, mailboxes = _make_instance(programs, disk, outside, load, delivered_to)
        _record(disk, instance, load, 1.5 if liar else 3 + state_count / 40, liar)
    log = powercut.Log(disk.log)
    kinds = collections.Counter(record.kind for record in log.records)
    trial = _Trial(options, instance, load, mailboxes, forms.forwarded, disk, liar is not None)
    chance = random.Random(options.seed)
    for state in powercut.states(log, disk, state_count, options.seed):
        if state.number % 8 == 5 and not liar:
            trial.cut_recovery_short(state, outside / "again", chance)
        trial.check(state, state.marks)
        if trial.lossy >= (1 if liar else 5):
            break
    log.close()
    load.stop()
    system_users.close()
    shutil.rmtree(outside, ignore_errors=True)
    return trial, load, (
        f"virtual_delivered_to = {delivered_to}; {load.count()} messages acknowledged; {kinds['W']} writes, "
        f"{kinds['F']} flushes; states: "
        f"{', '.join(f'{name} {count}' for name, count in trial.recipes.items())}; relayed twice: "
        f"{trial.relayed_twice}, handed over twice: {trial.handed_twice}, "
        f"reported twice: {trial.reported_twice}, forwarded twice: {trial.forwarded_twice}; {time.monotonic() - started:.1f} s")


def run(results, options, workspace, filesystem, programs, state_count):
    """Adds one result for the file system, and two on ext4 which show that there can be another. Returns
    the line of the table, whose head is HEAD."""
    trial, load, summary = _try(options, workspace, filesystem, programs, state_count)
    results.check(trial.lossy == 0 and load.count() > 0,
                  f"{filesystem}: Posthouse keeps what it acknowledged in {trial.tried} states", trial.problems)
    results.note(summary)
    row = [filesystem, trial.tried, load.count(), trial.acknowledged, trial.lossy, trial.relayed_twice,
           trial.handed_twice, trial.reported_twice, trial.forwarded_twice]
    if filesystem != "ext4":
        return row
    for liar in ("qmgr", "virtual"):
        name = f"{filesystem}: flushes of {liar} that do nothing are caught"
        if not shutil.which("strace"):
            results.skip(name, "needs strace")
            continue
        trial, load, summary = _try(options, workspace, filesystem, programs, 20, liar)
        is_caught = any("lost: " in problem or "damaged: " in problem for problem in trial.problems)
        results.check(is_caught, name, [summary, *trial.problems])
        results.note("; ".join(line.strip() for line in trial.problems[:2]))
    return row
