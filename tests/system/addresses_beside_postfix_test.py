"""addrd beside Debian's Postfix: the same tables on both; whom a recipient is answered to be, whom it
stands for, and where its mail goes."""

import pathlib
import re
import smtplib

import pytest
from harness import instance, peers

pytestmark = pytest.mark.own_machine

PORT = 2527

# Everything is thrown away; the log says by which transport, and for whom.
SETTINGS = {
    "myhostname": "mx.here.test", "mydomain": "here.test", "myorigin": "here.test",
    "mydestination": "here.test, localhost", "recipient_delimiter": "+",
    "mynetworks": "127.0.0.0/8", "smtpd_peername_lookup": "no", "append_dot_mydomain": "yes",
    "local_transport": "to-local:", "virtual_transport": "to-virtual:", "relay_transport": "to-relay:",
    "default_transport": "to-default:", "local_recipient_maps": "texthash:TABLES/locals", "alias_maps": "",
    "virtual_alias_domains": "alias.test", "virtual_alias_maps": "texthash:TABLES/aliases",
    "virtual_mailbox_domains": "boxes.test", "virtual_mailbox_maps": "texthash:TABLES/boxes",
    "relay_domains": "relay.test", "relay_recipient_maps": "texthash:TABLES/relayed",
    "transport_maps": "texthash:TABLES/transports",
    "sender_dependent_default_transport_maps": "texthash:TABLES/by-sender",
    "canonical_maps": "texthash:TABLES/canonical", "recipient_canonical_maps": "texthash:TABLES/recipients",
    "relocated_maps": "texthash:TABLES/moved", "unverified_recipient_reject_code": "450",
    "smtpd_reject_unlisted_recipient": "yes",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "smtpd_recipient_restrictions": None,
    "masquerade_domains": "masked.test !plain.masked.test", "masquerade_exceptions": "root",
    "masquerade_classes": "envelope_sender, envelope_recipient, header_sender",
}

TABLES = {
    "locals": "bob x\ncarol x\nlist x\nowner-list x\nroot x\n",
    "aliases": """\
one@alias.test bob
two@alias.test bob, carol@here.test
quoted@alias.test "a b"@far.test
plus@alias.test carol
plus+exact@alias.test dave@far.test
chain@alias.test chain2@alias.test
chain2@alias.test chain3@alias.test, bob
chain3@alias.test carol
self@alias.test self@alias.test, bob
UPPER@alias.test bob
comment@alias.test bob (a comment), <carol@here.test>
named@alias.test Bob Someone <bob@here.test>
twice@alias.test bob, bob@here.test, BOB
nodomain@alias.test dave@sub
far@alias.test erin@far.test
catch@far.test bob
@whole.test bob
@rename.test @renamed.test
specific@rename.test bob
carol carol, dave@far.test
frank@here.test carol
other@boxes.test box@boxes.test
owner-list@alias.test bob
list@alias.test carol
dotted.name@alias.test bob
percent%far.test@alias.test bob
@alias-all.test catchall@here.test
""",
    "boxes": "box@boxes.test x\nshared@boxes.test x\n",
    "relayed": "known@relay.test x\n@sub.relay.test x\n",
    "transports": """\
user@mapped.test to-one:[next]:26
user+ext@mapped.test to-two:
mapped.test to-three:host
.mapped.test to-four:
sub.mapped.test to-five:
only.test :[elsewhere]
here.test to-six:
gone.test error:5.7.1 gone for good
closed.test error:closed
soft.test error:4.7.1 an error that says later
nothing.test error:
waits.test retry:4.7.1 later
plain.test retry:later
hard.test retry:5.7.1 a delay that says never
nothing-yet.test retry:
closed@relay.test error:closed
waits@relay.test retry:later
closed@boxes.test error:closed
waits@boxes.test retry:later
closed@here.test error:closed
waits@here.test retry:later
known@relay.test retry:known, but not now
.wide.test to-seven:
null.test :
""",
    "by-sender": "special@far.test to-eight:[special]\n@company.test to-nine:\n<> to-null:\n",
    "canonical": "old@here.test bob@here.test\n@olddomain.test @newdomain.test\nuser+x@far.test other@far.test\n"
                 "nick@far.test nicholas@far.test\nsender@from.test renamed@from.test\n",
    "recipients": "only-recipient@far.test erin@far.test\n",
    "moved": "moved@here.test moved@elsewhere.test\n@left.test elsewhere\n",
}

VARIANTS = {
    "usual": {},
    "no-extensions": {"recipient_delimiter": "", "masquerade_domains": "", "local_recipient_maps": ""},
    "two-delimiters": {"recipient_delimiter": "-+", "propagate_unmatched_extensions": "", "owner_request_special": "no",
                       "show_user_unknown_table_name": "no"},
    "relayhosts": {"relayhost": "[relay.host]:587", "sender_dependent_default_transport_maps": "",
                   "sender_dependent_relayhost_maps": "inline:{ {special@far.test=[by.sender]:25}, {@company.test=by.company},"
                                                      " {renamed@from.test=DUNNO} }",
                   "parent_domain_matches_subdomains": "", "canonical_classes": "envelope_recipient"},
    "as-written": {"allow_percent_hack": "no", "swap_bangpath": "no", "virtual_alias_domains": "alias.test, far.test",
                   "propagate_unmatched_extensions": "canonical, virtual, alias, forward, include, generic",
                   "smtpd_relay_restrictions": "reject_unauth_destination", "resolve_dequoted_address": "yes"},
    "senders": {"smtpd_reject_unlisted_sender": "yes"},
    "other-codes": {"smtpd_reject_unlisted_sender": "yes", "unknown_local_recipient_reject_code": "450",
                    "unknown_relay_recipient_reject_code": "551", "unknown_virtual_alias_reject_code": "552",
                    "unknown_virtual_mailbox_reject_code": "553"},
    "senders-at-once": {"smtpd_reject_unlisted_sender": "yes", "smtpd_delay_reject": "no"},
    "senders-by-name": {"smtpd_sender_restrictions": "reject_unlisted_sender"},
}

SERVICES = ["to-local", "to-virtual", "to-relay", "to-default", "to-null",
            *(f"to-{word}" for word in "one two three four five six seven eight nine".split())]

# Recipient, and the sender where that matters.
CASES = [(recipient, "sender@client.example") for recipient in """\
one@alias.test ONE@Alias.Test two@alias.test quoted@alias.test plus@alias.test plus+exact@alias.test
plus+other@alias.test plus+a+b@alias.test chain@alias.test chain+e@alias.test self@alias.test upper@alias.test
comment@alias.test named@alias.test twice@alias.test nodomain@alias.test far@alias.test unknown@alias.test
catch@far.test x@whole.test x+y@whole.test whole.test@whole.test abc@rename.test abc+d@rename.test
specific@rename.test specific+e@rename.test carol@here.test carol+e@here.test frank@here.test other@boxes.test
box@boxes.test box+e@boxes.test nobody@boxes.test bob@here.test bob+e@here.test nobody@here.test bob@localhost
bob carol known@relay.test known+e@relay.test nobody@relay.test x@sub.relay.test x@under.sub.relay.test
user@mapped.test user+ext@mapped.test user+no@mapped.test x@mapped.test x@sub.mapped.test x@y.sub.mapped.test
x@y.mapped.test x@only.test x@sub.only.test x@gone.test x@closed.test x@soft.test x@nothing.test x@waits.test
x@plain.test x@hard.test x@nothing-yet.test closed@relay.test waits@relay.test closed@boxes.test waits@boxes.test
closed@here.test waits@here.test x@wide.test x@a.wide.test x@null.test
x@anywhere.test old@here.test old+e@here.test x@olddomain.test x+y@olddomain.test user+x@far.test user+y@far.test
nick@far.test nick+e@far.test only-recipient@far.test moved@here.test moved+e@here.test x@left.test
owner-list@alias.test list@alias.test owner-list+e@alias.test list-request@alias.test owner-one@alias.test
dotted.name@alias.test x@a.masked.test root@a.masked.test x@plain.masked.test x@deep.plain.masked.test
x@masked.test "bob"@here.test "a\\ b"@far.test <@relay.far.test:bob@here.test> bob@here.test. bob@[127.0.0.1] bob@localhost.
a!b!c@here.test bob%sub@here.test
one+bob%far.test@alias.test x%far.test@whole.test x%y@rename.test
moved%far.test@here.test bob%far.test%here.test@here.test bob%here.test%here.test@here.test a%b%here.test@here.test
"bob%far.test"@here.test mailer-daemon+x@here.test postmaster+x@here.test bob++x@here.test
+bob@here.test owner-bob+x@here.test "one+a\\ b"@alias.test "old+e"@here.test two+x@alias.test chain2+z@alias.test
x@MAPPED.test user+EXT@mapped.test bob@mx.here.test x@test x@a_b.test @a.test,@b.test:bob@here.test
bob%far.test@here.test far.test!bob@here.test x!y@relay.test x!y@alias.test x!y@boxes.test x!y@here.test x@alias-all.test root@here.test list@here.test""".split()]
CASES += [("x@anywhere.test", sender) for sender in
          ("special@far.test", "special+e@far.test", "x@company.test", "x@sub.company.test", "", "sender@from.test",
           "x@closed.test", "x@plain.test", "x@hard.test", "x@nothing.test", "waits@here.test", "nobody@here.test")]


def master_cf():
    """The log says by the tag which of them took a message."""
    return "".join(f"{service} unix - - n - - discard\n  -o syslog_name={service}\n" for service in SERVICES)


def settings_with(directory, variant):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True)
    for name, text in TABLES.items():
        (directory / name).write_text(text)
    return {name: None if value is None else value.replace("TABLES", str(directory))
            for name, value in {**SETTINGS, **variant}.items()}


def ask_all(port):
    """What is said to each recipient; whoever is taken gets a message."""
    replies = {}
    for number, (recipient, sender) in enumerate(CASES):
        with smtplib.SMTP("127.0.0.1", port, "client.example") as client:
            client.ehlo()
            code, text = client.docmd(f"MAIL FROM:<{sender}>")
            if code != 250:
                replies[recipient, sender] = code, "MAIL: " + text.decode()
                continue
            address = recipient if recipient.startswith("<") else f"<{recipient}>"
            code, text = client.docmd(f"RCPT TO:{address}")
            replies[recipient, sender] = code, text.decode()
            if code == 250:
                assert client.data(f"Subject: {number}\r\nMessage-ID: <case{number}@x>\r\n\r\nbody\r\n".encode())[0] == 250
    return replies


def deliveries(log):
    """{case: {(tag, to, orig_to, status, what was said, sender)}}; the next hop is what discard says."""
    case_of, sender_of, found = {}, {}, {}
    for line in log.splitlines():
        if match := re.search(r": ([0-9A-Za-z]+): message-id=<case(\d+)@x>", line):
            case_of[match.group(1)] = CASES[int(match.group(2))]
        elif match := re.search(r": ([0-9A-Za-z]+): from=<([^>]*)>, size=", line):
            sender_of[match.group(1)] = match.group(2)
    for line in log.splitlines():
        match = re.search(r"([\w-]+)/\w+\[\d+\]: ([0-9A-Za-z]+): to=<(.*?)>, (?:orig_to=<(.*?)>, )?.*"
                          r"status=(\S+) \((.*)\)$", line)
        if match and match.group(2) in case_of:
            tag = match.group(1) if match.group(1).startswith("to-") else "error"
            found.setdefault(case_of[match.group(2)], set()).add(
                (tag, *match.group(3, 4, 5, 6), sender_of.get(match.group(2))))
    return found


# Where we do something else: an alias that stands for itself is a mistake, for which no mail is
# returned; and a final dot is no part of a name.
def adapt(replies, found):
    of_itself = "self@alias.test", "sender@client.example"
    if of_itself in found:
        found[of_itself] = {row for row in found[of_itself] if row[1] != "self@alias.test"}
    for case, rows in found.items():
        found[case] = {row[:2] + (None if row[2] and row[2].rstrip(".") == row[1] else row[2],) + row[3:] for row in rows}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_on_both(make_instance, workspace, name):
    place = pathlib.Path(workspace) / f"addresses-{name}"
    ours = make_instance("here", users=[], settings=settings_with(place / "ours", VARIANTS[name]),
                         services=master_cf()).start()
    our_replies = ask_all(ours.port)
    accepted = {case for case, (code, _) in our_replies.items() if code == 250}
    instance.wait_until(lambda: accepted <= set(deliveries(ours.log())), "all were delivered, or put off")
    theirs = peers.Postfix(place / "postfix", port=PORT, settings=settings_with(place / "theirs", VARIANTS[name]))
    (theirs.etc / "master.cf").write_text((theirs.etc / "master.cf").read_text() + master_cf())
    with theirs:
        their_replies = ask_all(PORT)
        accepted = {case for case, (code, _) in their_replies.items() if code == 250}
        instance.wait_until(lambda: theirs.queue_is_empty() and accepted <= set(deliveries(theirs.log())),
                            "Postfix has delivered all")
        found = deliveries(theirs.log())
    ours_found = deliveries(ours.log())
    adapt(our_replies, ours_found)
    adapt(their_replies, found)
    assert our_replies == their_replies
    assert ours_found == found
