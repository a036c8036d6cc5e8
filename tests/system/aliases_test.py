"""Virtual aliases and other names: whom recipients stand for, in the queue and in the mailbox."""

import pytest
from harness import sink as sinks
from harness.instance import small_message, wait_until

USERS = ["you@here.test", "friend@here.test", "third@here.test", "archive@here.test"]


def with_aliases(make_instance, table, **settings):
    """An instance whose virtual_alias_maps is built by postmap from these lines."""
    one = make_instance("here", users=USERS, settings={
        "recipient_delimiter": "+", "virtual_alias_domains": "alias.test", **settings})
    path = one.etc / "virtual"
    path.write_text(table)
    one.run("postmap", f"hash:{path}", check=True)
    one.set(virtual_alias_maps=f"hash:{path}")
    return one.start()


def refusal(one, recipient, sender="s@client.example"):
    with one.client() as client:
        client.ehlo()
        client.mail(sender)
        code, text = client.rcpt(recipient)
    return code, text.decode()


def test_a_list_goes_to_its_members_once(make_instance):
    one = with_aliases(make_instance, "all@alias.test you@here.test, friend@here.test, more@alias.test\n"
                                      "more@alias.test third@here.test, you@here.test\n")
    queue_id = one.send("all@alias.test")
    for user in USERS[:3]:
        [mail] = one.wait_for_mail(user)
        assert mail["Delivered-To"] == user
        assert mail["X-Original-To"] in (None, "all@alias.test")
    one.wait_for_log(rf"{queue_id}: from=<sender@client\.example>, size=\d+, nrcpt=3 \(queue active\)$")
    one.wait_for_log(rf"{queue_id}: to=<third@here\.test>, orig_to=<all@alias\.test>, relay=virtual, ")
    one.wait_for_empty_queue()
    assert [len(one.messages(user)) for user in USERS] == [1, 1, 1, 0]


def test_extension_is_kept(make_instance):
    one = with_aliases(make_instance, "sales@alias.test you@here.test\n@alias.test friend@here.test\n")
    one.send("sales+spring@alias.test")
    [mail] = one.wait_for_mail("you@here.test")
    assert mail["Delivered-To"] == "you+spring@here.test"
    one.send("whoever@alias.test")
    one.wait_for_mail("friend@here.test")


def test_who_has_no_alias_is_refused(make_instance):
    one = with_aliases(make_instance, "all@alias.test you@here.test\n")
    assert refusal(one, "nobody@alias.test") == (
        550, "5.1.1 <nobody@alias.test>: Recipient address rejected: User unknown in virtual alias table")
    one.wait_for_log(r"NOQUEUE: reject: RCPT from .*: 550 5\.1\.1 <nobody@alias\.test>: Recipient address "
                     r"rejected: User unknown in virtual alias table; from=<s@client\.example> "
                     r"to=<nobody@alias\.test> proto=ESMTP helo=<client\.example>$")


@pytest.mark.parametrize("table, settings", [
    ("a@alias.test b@alias.test\nb@alias.test a@alias.test\n", {}),
    ("a@alias.test you@here.test, friend@here.test, third@here.test\n", {"virtual_alias_expansion_limit": 2}),
], ids=["loop", "too long a list"])
def test_what_cannot_be_expanded_waits_at_the_client(make_instance, table, settings):
    one = with_aliases(make_instance, table, **settings)
    code, text = refusal(one, "a@alias.test")
    assert (code, text) == (451, "4.6.0 <a@alias.test>: Alias expansion error")
    one.wait_for_log("unreasonable virtual_alias_maps map (nesting|expansion size) for [ab]@alias.test")


def test_a_failing_table_gives_451_and_no_mail(make_instance):
    one = make_instance("here", users=USERS, settings={"virtual_alias_maps": "fail:x"}).start()
    code, text = refusal(one, "you@here.test")
    assert code == 451 and "Temporary lookup failure" in text


def test_three_thousand_members(make_instance):
    """More than an answer between processes holds, and more than one record of the queue file."""
    members = [f"member{i}@far.test" for i in range(3000)]
    with sinks.Sink() as far:
        one = with_aliases(make_instance, f"big@alias.test {', '.join(members)}\n", **{
            "virtual_alias_expansion_limit": 5000,
            "transport_maps": f"inline:{{ {{ far.test=smtp:[127.0.0.1]:{far.port} }} }}"})
        one.send("big@alias.test")
        wait_until(lambda: len(far.recipients()) >= 3000, "all members were served")
        one.wait_for_empty_queue()
        assert sorted(far.recipients()) == sorted(members)


def test_the_same_recipient_twice_counts_once(make_instance):
    one = with_aliases(make_instance, "a@alias.test you@here.test\n")
    one.send(["you@here.test", "YOU@here.test", "friend@here.test", "you@here.test"])
    one.wait_for_mail("friend@here.test")
    one.wait_for_empty_queue()
    assert len(one.messages("you@here.test")) == 1


def test_a_list_is_reported_as_expanded(make_instance):
    """RFC 3461 section 5.2.7.3 (c)."""
    one = with_aliases(make_instance, "all@alias.test you@here.test, third@here.test\n"
                                      "one@alias.test you@here.test\n")
    with one.client() as client:
        client.ehlo()
        client.mail("friend@here.test", ["ENVID=X1"])
        assert client.rcpt("all@alias.test", ["NOTIFY=SUCCESS", "ORCPT=rfc822;all@alias.test"])[0] == 250
        assert client.data(small_message())[0] == 250
    [report] = one.wait_for_mail("friend@here.test")
    one.wait_for_mail("you@here.test")
    one.wait_for_mail("third@here.test")
    one.wait_for_empty_queue()
    [status] = [part for part in report.walk() if part.get_content_type() == "message/delivery-status"]
    [recipient] = [fields for fields in status.get_payload() if fields["Final-Recipient"]]
    assert recipient["Action"] == "expanded"
    assert "all@alias.test" in recipient["Original-Recipient"]
    # One address in place of another is no list (section 5.2.7.2).
    with one.client() as client:
        client.ehlo()
        client.mail("friend@here.test")
        assert client.rcpt("one@alias.test", ["NOTIFY=SUCCESS"])[0] == 250
        assert client.data(small_message())[0] == 250
    reports = one.wait_for_mail("friend@here.test", 2)
    [status] = [part for part in reports[1].walk() if part.get_content_type() == "message/delivery-status"]
    [recipient] = [fields for fields in status.get_payload() if fields["Final-Recipient"]]
    assert recipient["Action"] == "delivered"
    one.wait_for_empty_queue()
    assert len(one.messages("friend@here.test")) == 2


def test_a_bounce_reaches_the_sender_under_another_name(make_instance):
    with sinks.Sink(script={"RCPT": "550 5.1.1 nobody"}) as other:
        one = with_aliases(make_instance, "boss@alias.test you@here.test\n", **{
            "transport_maps": f"inline:{{ {{ other.test=smtp:[127.0.0.1]:{other.port} }} }}"})
        one.send("gone@other.test", sender="boss@alias.test")
        [report] = one.wait_for_mail("you@here.test")
        assert report.get_content_type() == "multipart/report"
        one.wait_for_empty_queue()


def test_blind_copies(make_instance):
    one = with_aliases(make_instance, "copies@alias.test third@here.test\n", **{
        "always_bcc": "archive@here.test",
        "sender_bcc_maps": "inline:{ boss@client.example=copies@alias.test }",
        "recipient_bcc_maps": "inline:{ you@here.test=friend@here.test }"})
    queue_id = one.send("you@here.test", sender="boss@client.example")
    for user in USERS:
        one.wait_for_mail(user)
    one.wait_for_log(rf"{queue_id}: to=<third@here\.test>, orig_to=<copies@alias\.test>, relay=virtual, ")
    one.send("archive@here.test", sender="other@client.example")
    one.wait_for_empty_queue()
    assert [len(one.messages(user)) for user in USERS] == [1, 1, 1, 2]


def test_sender_and_recipient_have_canonical_names(make_instance):
    one = with_aliases(make_instance, "a@alias.test you@here.test\n", **{
        "canonical_maps": "inline:{ nick@here.test=friend@here.test, boss@client.example=Boss@corp.example }",
        "masquerade_domains": "corp.example"})
    queue_id = one.send("nick@here.test", sender="boss@client.example")
    [mail] = one.wait_for_mail("friend@here.test")
    assert mail["Return-Path"] == "<Boss@corp.example>"
    one.wait_for_log(rf"{queue_id}: from=<Boss@corp\.example>, ")
    one.wait_for_log(rf"{queue_id}: to=<friend@here\.test>, orig_to=<nick@here\.test>, relay=virtual, ")


def test_mappings_are_left_to_whoever_comes_later(make_instance):
    """receive_override_options, as in front of a content filter: the alias exists and stays."""
    one = with_aliases(make_instance, "friend@here.test you@here.test\nlist@here.test you@here.test, friend@here.test\n", **{
        "receive_override_options": "no_address_mappings", "always_bcc": "archive@here.test"})
    one.send("friend@here.test")
    one.wait_for_mail("friend@here.test")
    with one.client() as client:
        client.ehlo()
        client.mail("s@client.example")
        assert client.rcpt("list@here.test")[0] == 250      # an alias, though no mailbox
        assert client.rcpt("nobody@here.test")[0] == 550
    one.wait_for_empty_queue()
    assert [len(one.messages(user)) for user in USERS] == [0, 1, 0, 0]
    one.set(receive_override_options="no_unknown_recipient_checks")
    one.reload()
    wait_until(lambda: refusal(one, "nobody@here.test")[0] == 250, "nobody is refused any more")


def test_addresses_in_the_header(make_instance):
    """For local clients; what strangers wrote stays, unless a domain completes it."""
    one = with_aliases(make_instance, "a@alias.test you@here.test\n", **{
        "canonical_maps": "inline:{ nick@here.test=Nick.Name@here.test }", "masquerade_domains": "corp.example",
        "local_header_rewrite_clients": "permit_mynetworks"})
    content = (b"From: Nick <nick@here.test>\r\nTo: \"A, B\" <a@host.corp.example>, you@here.test\r\n"
               b"Subject: nick@here.test\r\nMessage-ID: <1@x.test>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\nText\r\n")
    one.send("you@here.test", content)
    [mail] = one.wait_for_mail("you@here.test")
    assert mail["From"] == "Nick <Nick.Name@here.test>"
    assert mail["To"] == '"A, B" <a@corp.example>, you@here.test'
    assert mail["Subject"] == "nick@here.test"
    one.set(local_header_rewrite_clients="")
    one.reload()
    one.send("friend@here.test", content)
    [mail] = one.wait_for_mail("friend@here.test")
    assert mail["From"] == "Nick <nick@here.test>"
    one.set(canonical_maps="fail:x", canonical_classes="header_sender", local_header_rewrite_clients="permit_mynetworks")
    one.reload()
    with one.client() as client:
        client.ehlo()
        client.mail("s@client.example")
        assert client.rcpt("you@here.test")[0] == 250
        code, text = client.data(content)
    assert code == 451 and b"Temporary lookup failure" in text
    one.wait_for_empty_queue()
    assert len(one.messages("you@here.test")) == 1


def test_many_addresses_in_a_header(make_instance):
    """How many there are is no matter of how many recipients a message may have."""
    one = with_aliases(make_instance, "a@alias.test you@here.test\n", **{
        "canonical_maps": "inline:{ nick@here.test=you@here.test }", "smtpd_recipient_limit": "20",
        "local_header_rewrite_clients": "permit_mynetworks"})
    names = ",\r\n ".join(f"someone.else{number}@far.test" for number in range(1500))
    one.send("you@here.test", f"To: {names},\r\n nick@here.test\r\n\r\nhello\r\n".encode())
    [mail] = one.wait_for_mail("you@here.test")
    assert mail["To"].startswith("someone.else0@far.test,") and mail["To"].endswith(" you@here.test")


def test_who_has_moved_and_who_was_never_here(make_instance):
    one = with_aliases(make_instance, "a@alias.test you@here.test\n", **{
        "relocated_maps": "inline:{ {old@here.test=old@new.example} }",
        "smtpd_reject_unlisted_sender": "yes"})
    assert refusal(one, "old@here.test") == (
        550, "5.1.6 <old@here.test>: Recipient address rejected: User has moved to old@new.example")
    assert refusal(one, "you@here.test", sender="nobody@here.test") == (
        550, "5.1.0 <nobody@here.test>: Sender address rejected: User unknown in virtual mailbox table")
    with one.client() as client:
        client.ehlo()
        client.mail("you@here.test")
        assert client.rcpt("you@here.test")[0] == 250


def test_rebuilt_while_mail_comes_in(make_instance):
    """postmap at work: every message goes to the one or the other, none is refused."""
    one = with_aliases(make_instance, "a@alias.test you@here.test\n")
    path = one.etc / "virtual"
    with one.client() as client:
        client.ehlo()
        for i in range(60):
            if i % 3 == 0:
                filler = "".join(f"x{n}@alias.test friend@here.test\n" for n in range(500))
                path.write_text(f"{filler}a@alias.test {USERS[i % 2]}\n")
                one.run("postmap", f"hash:{path}", check=True)
            client.mail("s@client.example")
            assert client.rcpt("a@alias.test")[0] == 250
            assert client.data(small_message())[0] == 250
    one.wait_for_empty_queue()
    assert len(one.messages("you@here.test")) + len(one.messages("friend@here.test")) == 60
