"""Suite postfix-surface: tables, table building and rewriting, as Postfix's own tests have them."""

import base64
import itertools
import re
import shlex
import shutil
import socket
import tempfile

from cases import FAILS, LATER, OWN_FORM, PASSES, Case, Ours, compare, play

ELSEWHERE = {
    "bounce": (OWN_FORM, "the words of reports are ours; bounce_template_file takes others"),
    "cleanup/bug": (LATER, "milter"), "cleanup/cleanup_milter": (LATER, "milter"),
    "global/config_known_tcp_ports": (LATER, "known_tcp_ports"),
    "global/delivered_hdr": (OWN_FORM, "a function's verdicts without its input"),
    "global/fold_addr_test": (OWN_FORM, "case folding beyond ASCII, which our tables leave alone"),
    "global/header_body_checks": (LATER, "header_checks"), "global/server_acl": (LATER, "postscreen"),
    "smtpd/smtpd_check.ref": (LATER, "policy"),
    "smtpd/smtpd_check_backup": (LATER, "policy"), "smtpd/smtpd_dns_filter": (LATER, "policy"),
    "smtpd/smtpd_deprecated": (OWN_FORM, "words that Postfix gave up; here a word that is none stops the start"),
    "util/dict_debug_test": (LATER, "debug: tables"),
    "util/dict_utf8_test": (OWN_FORM, "writes to a table while asking it"),
    "util/sane_basename": (OWN_FORM, "a C library function"),
    "util/miss_endif_pcre": (OWN_FORM, "its table is not in the suite"),
    "util/dict_inline_pcre": (OWN_FORM, "its table is not in the suite"),
}


def read(directory, name):
    return (directory / name).read_bytes().decode(errors="surrogateescape")


# ---- tables

def pattern_table(directory, ours, kind):
    """Every "get" of the reference, and how many lines of the table draw a warning."""
    work = tempfile.mkdtemp(dir=ours.work.name)
    shutil.copyfile(directory / f"util/dict_{kind}.map", f"{work}/map")
    reference = read(directory, f"util/dict_{kind}.ref")
    for key, answer in re.findall(r"^> get (.*)\n(.*)", reference, flags=re.M):
        output, status = ours.tool("postmap", "-q", key, f"{kind}:map", directory=work)
        values = [line for line in output.splitlines() if not re.match(r"\S*postmap: warning: ", line)]
        expected = [] if answer.endswith(": not found") else [answer.partition("=")[2]]
        yield compare(f"dict_{kind} get {key}", (values, status), (expected, 0 if expected else 1))
    output, _ = ours.tool("postmap", "-q", "x", f"{kind}:map", directory=work)
    lines = {kind_of: set(re.findall(r"map, line (\d+): ", text)) for kind_of, text in
             (("ours", output.replace(f"dict_{kind}.map", "map")),
              ("theirs", reference.replace(f"dict_{kind}.map", "map")))}
    yield compare(f"dict_{kind} lines with a warning", lines["ours"], lines["theirs"])


def dict_inline(directory, ours):
    reference = read(directory, "util/dict_inline.ref")
    for bad in re.findall(r'error: .*?"(inline:\{.*?)"; need', reference):
        output, status = ours.tool("postmap", "-q", "foo", bad)
        yield compare(f"dict_inline {bad}", (status, "need \"inline:{name=value...}\"" in output), (1, True))
    for name in ("inline:{ foo=XX, { bar = lotsa stuff }}", "inline:{foo=XX,{bar=lotsa stuff}}"):
        answers = [ours.tool("postmap", "-q", key, name) for key in ("foo", "bar", "baz")]
        yield compare(f"dict_inline {name}", answers, [("XX\n", 0), ("lotsa stuff\n", 0), ("", 1)])


def dict_static(directory, ours):
    reference = read(directory, "util/dict_static.ref")
    for bad in re.findall(r'error: bad static:name syntax: .*? in "(.*)"$', reference, flags=re.M):
        output, status = ours.tool("postmap", "-q", "foo", f"static:{bad}")
        words = re.search(r"bad static:name syntax: (missing '}'|syntax error after '}')", output)
        yield compare(f"dict_static {bad}", (status, bool(words)), (1, True))
    for name, value in (("static:fooxx", "fooxx"), ("static:{ foo xx }", "foo xx")):
        yield compare(f"dict_static {name}", ours.tool("postmap", "-q", "bar", name), (f"{value}\n", 0))


def dict_thash(directory, ours):
    """Both halves of the reference: a text that postmap complains about, and one that it takes."""
    work = tempfile.mkdtemp(dir=ours.work.name)
    reference = read(directory, "util/dict_thash.ref").splitlines()
    shutil.copyfile(directory / "util/dict_thash.in", f"{work}/dict_thash.in")
    output, _ = ours.tool("postmap", "-s", "texthash:dict_thash.in", directory=work)
    for line in reference:
        yield Case(f"dict_thash {line[:70]}", PASSES) if line in output.splitlines() else \
            Case(f"dict_thash {line[:70]}", FAILS, f"not said: {output!r}")
    shutil.copyfile(directory / "util/dict_thash.map", f"{work}/map")
    output, status = ours.tool("postmap", "-s", "texthash:map", directory=work)
    pairs = [line.split(None, 1) for line in read(directory, "util/dict_thash.map").splitlines()
             if not line.startswith(('"', "#")) and len(line.split(None, 1)) == 2]
    said = {tuple(line.split("\t", 1)) for line in output.splitlines() if "\t" in line}
    yield compare("dict_thash map", ({(key.lower(), value) for key, value in pairs} <= said, status), (True, 0))


def values_in_files(directory, ours):
    """Tables whose values name files (postmap -F); the reference shows what was found in base64."""
    for kind in ("inline", "static", "pcre", "regexp"):
        work = tempfile.mkdtemp(dir=ours.work.name)
        for number in (1, 2):
            with open(f"{work}/dict_{kind}_file{number}", "w", encoding="ascii") as file:
                file.write(f"this-is-file{number}\n")
        reference = read(directory, f"util/dict_{kind}_file.ref")
        for text in re.findall(r"error: .*?open (\S+): No such file", reference):
            name = {"inline": "inline:{ foo=xx, bar=yy }", "static": f"static:{text}"}[kind]
            output, status = ours.tool("postmap", "-F", "-q", "foo", name, directory=work)
            yield compare(f"dict_{kind}_file {name}", (f"open {text}: No such file" in output, status), (True, 1))
        name = {"inline": "inline:{ file1=dict_inline_file1, file2=dict_inline_file2 }",
                "static": "static:dict_static_file1"}.get(kind, f"{kind}:map")
        if name.endswith(":map"):
            shutil.copyfile(directory / f"util/dict_{kind}_file.map", f"{work}/map")
        for key, answer in re.findall(r"^> get (file\S*)\n\S+?(?:=|: )(.*)", reference, flags=re.M):
            output, status = ours.tool("postmap", "-F", "-q", key, name, directory=work)
            expected = (base64.b64decode(answer).decode() + "\n", 0) if answer != "not found" else ("", 1)
            if answer == "not found":   # a rule whose file is not there is an error, and no match, here
                output = re.sub(r"^\S*postmap: fatal: .* open \S+: No such file or directory\n", "", output)
            yield compare(f"dict_{kind}_file get {key}", (output, status), expected)


# ---- postmap and postalias

def postmap(directory, ours):
    work = tempfile.mkdtemp(dir=ours.work.name)
    inputs = re.findall(r"^echo ('.*?') \|", read(directory, "postmap/quote_test.in"), flags=re.M)
    output = ""
    for line in inputs:
        output += ours.tool("postmap", "-i", "hash:quote_test_map", stdin=f"{shlex.split(line)[0]}\n", directory=work)[0]
    listing, _ = ours.tool("postmap", "-s", "hash:quote_test_map", directory=work)
    actual = re.sub(r"^\S*postmap: ", "postmap: ", output, flags=re.M) + "".join(
        sorted(listing.splitlines(keepends=True)))
    yield compare("postmap quote_test", actual, read(directory, "postmap/quote_test.ref"))
    for name in ("abc", "ghi", "uABC"):
        for which in (1, 2):
            path = directory / f"postmap/map-{name}{which}.ref"
            if path.exists():
                yield Case(f"postmap map-{name}{which}", OWN_FORM, "its command is not in the suite")
    yield Case("postmap lmdb_abb", OWN_FORM, "its command is not in the suite")
    program = ours.alias("postalias", "postmap")
    for line in re.findall(r"^\$\{VALGRIND\} \./postalias (.*?) && exit 1", read(
            directory, "postalias/mode_conflict_test.in"), flags=re.M):
        output, status = ours.tool(program, *line.split())
        yield compare(f"postalias {line}", (output, status),
                      ("postalias: fatal: specify only one of -d -i -q or -s\n", 1))
    for name in ("ghi1", "ghi2", "uABC2"):
        yield Case(f"postalias map-{name}", OWN_FORM, "its command is not in the suite")


# ---- addresses

def mail_addr_find(directory, ours):
    """Answers by the address that is found; a form of the key that only that function knows is left."""
    table = ""
    for line in read(directory, "global/mail_addr_find.in").splitlines():
        if line.startswith("maps "):
            table = line[5:]
        match = re.match(r"test (\w+):(\w+(?:-first)?):(\w+):(\S+?):(.*)", line)
        if not match:
            continue
        form, query_form, form_out, strategy, rest = match.groups()
        query, *expected = rest.split(":")
        if (strategy != "default" or "internal" in (form, query_form, form_out) or
                query_form == "external-first"):
            yield Case(f"mail_addr_find {line[5:]}", OWN_FORM, "an option of that function")
            continue
        settings = {"smtp_generic_maps": table, "mydestination": "localhost.localdomain", "recipient_delimiter": "+",
                    "propagate_unmatched_extensions": "", "myorigin": "localhost.localdomain"}
        [found] = ours.probe([f"generic {query}"], settings.items())
        wanted = expected[0] if expected and expected[0] else query
        if wanted.startswith("@"):
            wanted = query.rpartition("@")[0] + wanted
        yield compare(f"mail_addr_find {line[5:]}", found, wanted)


def rewrite_clnt(directory, ours):
    settings = {"myorigin": "MYORIGIN", "mydomain": "MYDOMAIN", "append_dot_mydomain": "yes",
                "append_at_myorigin": "yes", "remote_header_rewrite_domain": "INVALID_DOMAIN"}
    for rule, address, result in re.findall(r"^rule +(\S+)\naddress +(.*)\nresult +(.*)$",
                                            read(directory, "global/rewrite_clnt.ref"), flags=re.M):
        command = "complete" if rule == "local" else "remote"
        [answer] = ours.probe([f"{command} {address}"], settings.items())
        name = f"rewrite_clnt {rule} {address}"
        if re.search(r'^""|@$|@a\.$', result) or not re.search(r"\w@?\w", address) or address.startswith(("!", "%")):
            yield Case(name, OWN_FORM, "an address without user or site, which is refused or left alone here")
        else:
            yield compare(name, answer.rstrip("."), result)


def masquerade(directory, ours):
    for block in read(directory, "cleanup/cleanup_masq.ref").split("----------\n")[1:]:
        fields = dict(re.findall(r"^(\w+): *(.*)$", block, flags=re.M))
        settings = {"masquerade_domains": fields["masq_list"], "masquerade_exceptions": fields["exceptions"],
                    "masquerade_classes": "envelope_sender"}
        [answer] = ours.probe([f"sender {fields['address']}"], settings.items())
        if fields["errs"] == "0":
            expected = fields["result"]
        else:   # asked for by an address that no domain is about: the table is not reached here
            expected = answer if answer in ("later", fields["result"]) else "later"
        yield compare(f"cleanup_masq {fields['masq_list']} {fields['exceptions']} {fields['address']}", answer, expected)


def generic(directory, ours):
    text = read(directory, "smtp/smtp_map11.in")
    table = re.search(r"^maps (inline:.*?)\n\n", text, flags=re.M | re.S).group(1).replace("\n", " ")
    settings = {"smtp_generic_maps": table, "recipient_delimiter": "+", "propagate_unmatched_extensions": "generic",
                "myorigin": "localdomain"}
    for form, query, expected in re.findall(r"^(external|tree|internal) (.*?)(?::(.*))?$", text, flags=re.M):
        if form != "external":
            yield Case(f"smtp_map11 {form} {query}", OWN_FORM, "another form of the same address")
            continue
        yield compare(f"smtp_map11 {query}", ours.probe([f"generic {query}"], settings.items())[0], expected or query)


def strip_addr(directory, ours):
    rows = re.findall(r"^unknown: wanted: +(\S.*?) -> (\S.*?)(?: ([-+]\S+))?$",
                      read(directory, "global/strip_addr.ref"), flags=re.M)
    for address, bare, extension in rows:
        delimiter = "+" if "+" in address else "-"
        if "@" not in address:
            yield Case(f"strip_addr {address}", OWN_FORM, "an address without a site")
            continue
        settings = {"smtp_generic_maps": f"inline:{{{bare}=found@x}}", "recipient_delimiter": delimiter,
                    "propagate_unmatched_extensions": "generic" if extension else ""}
        yield compare(f"strip_addr {address} {extension}",
                      ours.probe([f"generic {address}"], settings.items())[0], f"found{extension}@x")


# ---- tables of access

# The table itself is not in the suite; these are the entries that its answers come from.
ACCESS = {
    "smtpd_check.ref4": {
        "rejecttext@bad.domain": "REJECT text", "filter@filter.domain": "FILTER",
        "filtertext@filter.domain": "FILTER text", "filtertexttext@filter.domain": "FILTER text:text",
        "hold@hold.domain": "HOLD", "holdtext@hold.domain": "HOLD text", "discard@hold.domain": "DISCARD",
        "discardtext@hold.domain": "DISCARD text", "dunnotext@dunno.domain": "DUNNO text"},
    "smtpd_check_dsn.ref": {f"4.{detail}_dsn": f"REJECT 4.{detail} reject" for detail in
                            [*(f"1.{number}" for number in range(1, 9)), "4.0"]},
}


class Conversation:
    """The commands of such a script, as a proxy says them for a client."""

    def __init__(self, instance):
        self.instance = instance
        self.start()

    def start(self):
        self.connection = socket.create_connection((self.instance.address, self.instance.port), 30)
        self.stream = self.connection.makefile("rb")
        self.reply()

    def reply(self):
        while True:
            line = self.stream.readline().decode()
            if line[3:4] != "-":
                return line.rstrip()

    def say(self, line):
        self.connection.sendall(f"{line}\r\n".encode())
        return self.reply()

    def play(self, command, argument):
        if command == "client":
            self.connection.close()
            self.start()
            name, address = argument.split()
            address = "192.0.2.1" if address == name else address
            return self.say(f"XCLIENT NAME={name} ADDR={address}")
        if command == "mail":
            self.say("RSET")
            return self.say(f"MAIL FROM:<{argument}>")
        if command == "rcpt":   # whose sender may have been refused
            self.say("MAIL FROM:<>")
            return self.say(f"RCPT TO:<{argument}>")
        return self.say(f"{command} {argument}")


def access(directory, workbench):
    """Lists of restrictions are added as the scripts name them; each is a table alone."""
    for name, table in ACCESS.items():
        lists = {f"smtpd_{kind}_restrictions" for kind in re.findall(
            r"^>>> (\w+)_restrictions hash:", read(directory / "smtpd", name), flags=re.M)}
        entries = ", ".join(f"{{ {key} = {value} }}" for key, value in table.items())
        instance = workbench.instance(name.replace(".", "-"), settings={
            **{one: f"inline:{{ {entries} }}" for one in lists}, "smtpd_delay_reject": "no",
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8", "smtpd_error_sleep_time": "0",
            "smtpd_hard_error_limit": "1000", "smtpd_junk_command_limit": "1000",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination", "mynetworks": "0.0.0.0/0"})
        conversation = Conversation(instance)
        for block in read(directory / "smtpd", name).split(">>> ")[1:]:
            lines = block.splitlines()
            command, _, argument = lines[0].partition(" ")
            if command not in ("client", "helo", "mail", "rcpt"):
                continue
            answer = conversation.play(command, argument)
            expected = re.sub(r"\[dummy\]", "[192.0.2.1]", lines[-1])
            label = f"{name} {lines[0]}"
            if any("FILTER entry without value" in line or "requires transport" in line for line in lines):
                yield Case(label, OWN_FORM, "a value that lacks what has to follow it is answered with 451")
            elif expected == "OK":
                yield compare(label, answer[:1], "2")
            else:
                yield compare(label, answer, expected)


def cases(directory, ours):
    for kind in ("regexp", "pcre"):
        yield from pattern_table(directory, ours, kind)
    for group in (dict_inline, dict_static, dict_thash, values_in_files, postmap, mail_addr_find, rewrite_clnt,
                  masquerade, generic, strip_addr):
        yield from group(directory, ours)
    for prefix, (kind, detail) in ELSEWHERE.items():
        for path in sorted(directory.glob(f"{prefix}*/*" if (directory / prefix).is_dir() else f"{prefix}*")):
            if ".ref" in path.name and path.name not in ACCESS:
                yield Case(str(path.relative_to(directory)), kind, detail)


EXCEPTIONS = {}


def run(directory, workbench):
    yield from play(itertools.chain(cases(directory, Ours(workbench.build)), access(directory, workbench)), EXCEPTIONS)
