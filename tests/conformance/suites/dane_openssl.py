"""Suite dane-openssl: TLSA records and chains of certificates, with what libssl makes of them; ours is asked
what it makes of them in SMTP."""

from cases import CONTRADICTS, Case, Ours, compare, play

HOST = "example.com"
PKIX = "RFC 7672 section 3.1.3: usages 0 and 1 say nothing in SMTP"


def blocks(path):
    """(records, certificates, the error and the depth that are expected) of each."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    while lines:
        record_count, certificate_count, _, error, depth = map(int, lines.pop(0).split())
        records = [lines.pop(0) for _ in range(record_count)]
        certificates = []
        for _ in range(certificate_count):
            end = next(i for i, line in enumerate(lines) if line.startswith("-----END")) + 1
            certificates += lines[:end]
            del lines[:end]
        yield records, "\n".join(certificates) + "\n", (error, depth)


def cases(directory, ours, work):
    for number, (records, certificates, (error, depth)) in enumerate(blocks(directory / "danetest.in"), 1):
        chain = work / f"{number}.pem"
        chain.write_text(certificates)
        [actual] = ours.probe(["dane " + "\x01J".join([HOST, str(chain), *records])])
        name = f"{number}: " + ", ".join(" ".join(record.split()[:3]) for record in records)
        if all(record[0] in "01" for record in records):
            assert actual == "unusable", (name, actual)
            yield Case(name, CONTRADICTS, PKIX)
        elif error:
            # What failed is said; at which depth is no matter where nothing matched.
            yield compare(name, actual.split()[0], str(error))
        else:
            yield compare(name, actual, f"{error} {depth}")


EXCEPTIONS = {}


def run(directory, workbench):
    yield from play(cases(directory, Ours(workbench.build), workbench.directory_for("dane")), EXCEPTIONS)
