"""Suite parsers-postfix: addresses, domain names and MIME, as unit tests of Postfix print them."""

import re

from cases import CONTRADICTS, LATER, OWN_FORM, Case, Ours, compare, play

# What has no counterpart yet, or never will have one, by file.
ELSEWHERE = {
    "global/mime_cvt": (LATER, "header_checks"), "global/mime_garb2": (LATER, "header_checks"),
    "global/mime_garb4": (LATER, "header_checks"), "global/mime_nest": (LATER, "header_checks"),
    "global/mime_test": (LATER, "header_checks"), "global/mime_trunc": (LATER, "header_checks"),
    "global/tok822_limit": (OWN_FORM, "a limit on tokens where ours is on bytes"),
    "smtpd/smtpd_nullmx": (LATER, "policy"), "smtpd/smtpd_token": (OWN_FORM, "tokens of another parser"),
    "util/casefold_test": (OWN_FORM, "case folding beyond ASCII, which our tables leave alone"),
    "util/host_port": (OWN_FORM, "a function's warnings"), "util/ip_match": (LATER, "postscreen"),
}


def read(directory, name, kind):
    return (directory / f"{name}.{kind}").read_bytes().decode(errors="surrogateescape")


def crunched(ours, text, extension, is_external):
    """Each address of a list with the extension put to it."""
    [found] = ours.probe([f"values {text}"])
    addresses = [f"{address.rpartition('@')[0]}{extension}@{address.rpartition('@')[2]}"
                 for address in found.split(", ")]
    return ours.probe([f"quote {address}" for address in addresses]) if is_external else addresses


def mail_addr_crunch(directory, ours):
    script = read(directory, "global/mail_addr_crunch", "in")
    sections = re.split(r"^==== .*\n", read(directory, "global/mail_addr_crunch", "ref"), flags=re.M)[1:]
    inputs = re.findall(r"<<'EOF'\n(.*?)\n(.*?)\n(.*?)\n(.*?)EOF", script, flags=re.S)
    for (form_in, form_out, extension, lists), reference in zip(inputs, sections):
        expected = re.findall(r"^\|(.*)\|$", reference, flags=re.M)
        if form_in == "internal":
            actual = [address for line in lists.splitlines() for address in crunched(ours, line, extension, False)]
        else:
            actual = crunched(ours, lists.strip(), extension, form_out == "external")
        yield compare(f"mail_addr_crunch {form_in} to {form_out} {extension}", actual, expected)


def quoting(directory, ours):
    lines = read(directory, "global/quote_822_local", "in").splitlines()
    references = read(directory, "global/quote_822_local", "ref").splitlines()
    for line, reference in zip(lines, references):
        expected = re.search(r"quoted(?: flags=\S+)? '(.*)'$", reference).group(1)
        command, text = line.split(" ", 1)
        if command == "quote" and text != "<>":
            yield compare(line, ours.probe([f"quote {text}"])[0], expected)
        elif command == "unquote" and text.count("@") < 4:
            yield compare(line, ours.probe([f"scan {text}"])[0], expected)
        else:
            yield Case(line, OWN_FORM, "an option of that function")


def addresses_of(tree):
    """The addresses with a domain in a parse tree, as texts without quotes."""
    found = []
    for block in re.findall(r"^ address\n((?:   .*\n)+)", tree, flags=re.M):
        parts = re.findall(r'^   (?:atom|quoted string|OP|domain literal) "(.*)"$', block, flags=re.M)
        kinds = re.findall(r'^   (atom|quoted string|OP|domain literal)', block, flags=re.M)
        text = "".join(f"[{part}]" if kind == "domain literal" else part for kind, part in zip(kinds, parts))
        if "@" in text:
            found.append(text)
    return found


def tok822_parse(directory, ours):
    for block in re.split(r"^>>>", read(directory, "global/tok822_parse", "ref"), flags=re.M)[1:]:
        text, _, tree = block.partition("<<<\n")
        tree = tree.partition("\nInternalized")[0] + "\n"
        expected = addresses_of(tree)
        text = text.replace("\n", " ")
        [answer] = ours.probe([f"scan {text}"])
        actual = [address for address in answer.split(", ") if "@" in address]
        name = f"tok822_parse {text[:60]!r}"
        if actual == expected:
            yield compare(name, actual, expected)
        elif re.search(r"\(.*\".*\)|\[[^]]*$", text):
            yield Case(name, CONTRADICTS,
                       "RFC 5322 sections 3.2.2 and 3.4.1: quotes mean nothing in a comment; an open literal is none")
        else:
            yield compare(name, actual, expected)


def domains(directory, ours):
    reference = read(directory, "util/midna_domain_test", "ref")
    for block in re.split(r"^\./midna_domain: > (?!#)", reference, flags=re.M)[1:]:
        name = block.split("\n", 1)[0]
        match = re.search(r'^\./midna_domain: "[^"\n]*" ->ascii "([^"\n]*)"', block, flags=re.M)
        if not match:
            yield Case(f"midna_domain {name[:60]}", OWN_FORM, "no ASCII form is printed")
            continue
        if name.startswith("xn--") and match.group(1) == "(error)":
            yield Case(f"midna_domain {name[:60]}", OWN_FORM, "an A-label is looked up without decoding it")
            continue
        yield compare(f"midna_domain {name[:60]}", ours.probe([f"idn {name}"])[0].lower(), match.group(1))


def cases(directory, ours):
    yield from mail_addr_crunch(directory, ours)
    yield from quoting(directory, ours)
    yield from tok822_parse(directory, ours)
    yield from domains(directory, ours)
    for name, (kind, detail) in ELSEWHERE.items():
        yield Case(name, kind, detail)


EXCEPTIONS = {}


def run(directory, workbench):
    yield from play(cases(directory, Ours(workbench.build)), EXCEPTIONS)
