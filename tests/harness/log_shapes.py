"""tests/harness/log_shapes - the lines of a log that have no shape which Postfix's lines have.

Callers: tests/system."""

import re

NAME = r"[\w.-]+\[[\da-fA-F.:]+\](?::\d+)?"
ID = r"(?:[0-9A-Za-z]{12,}|[0-9A-F]{6,})"
STAGE = (r"(?:CONNECT|HELO|EHLO|MAIL|RCPT|DATA|BDAT|END-OF-MESSAGE|VRFY|ETRN|AUTH|STARTTLS|QUIT|RSET|NOOP|"
         r"XCLIENT|XFORWARD|UNKNOWN)")
DELAY = r"\d+(?:\.\d+)?"
SHAPES = {
    "smtpd": [
        rf"connect from {NAME}",
        rf"disconnect from {NAME}(?: [a-z_0-9]+=\d+(?:/\d+)?)* commands=\d+(?:/\d+)?(?: notes=\w+)?",
        rf"{ID}: client={NAME}(?:, orig_queue_id=\S+)?(?:, orig_client=\S+)?",
        rf"{ID}: (?:resent-)?message-id=<[^>]*>",
        rf"(?:{ID}|NOQUEUE): reject: {STAGE} from {NAME}: [45]\d\d [45]\.\d+\.\d+ .*; (?:from=<[^>]*> )?"
        rf"(?:to=<[^>]*> )?proto=\w+(?: helo=<[^>]*>)?",
        rf"(?:{ID}|NOQUEUE): (?:lost connection|timeout|too many errors) after {STAGE}(?: \(\d+ bytes\))? from {NAME}",
        rf"improper command pipelining after {STAGE} from {NAME}: .*",
        rf"warning: (?:Connection (?:concurrency|rate)|Message delivery request|Recipient address|New TLS session|"
        rf"AUTH command) (?:rate )?limit exceeded: \d+ from {NAME} for service \S+",
        rf"warning: non-SMTP command from {NAME}: .*",
        rf"warning: Illegal address syntax from {NAME} in (?:MAIL|RCPT|VRFY) command: .*",
        rf"warning: {NAME}: request longer than \d+: .*\.\.\.",
        rf"warning: (?:\w+): malformed BDAT command syntax from {NAME}: .*",
        rf"warning: reject: ETRN \S+\.\.\. from {NAME}",
        rf"{NAME}: replacing command \".*\" with \".*\"",
    ],
    "pickup": [rf"{ID}: uid=\d+ from=<[^>]*>(?: orig_id=\w+)?", rf"{ID}: (?:resent-)?message-id=<[^>]*>"],
    "qmgr": [
        rf"{ID}: from=<[^>]*>, size=\d+, nrcpt=\d+ \(queue active\)",
        rf"{ID}: removed",
        rf"{ID}: from=<[^>]*>, status=(?:expired|force-expired), returned to sender",
        r"warning: mail for \S+ is using up \d+ of \d+ .*",
    ],
    "bounce": [rf"{ID}: (?:sender non-delivery|sender delay|sender delivery status|postmaster non-delivery|"
               rf"postmaster delay) notification: {ID}", rf"{ID}: (?:resent-)?message-id=<[^>]*>"],
    "limitd": [r"statistics: max (?:(?:connection|message|recipient|newtls|auth) rate \d+/\d+s|connection count \d+) "
              r"for \(\S+\) at \w{3} [ \d]\d [\d:]{8}", r"statistics: max cache size \d+ at \w{3} [ \d]\d [\d:]{8}"],
    "master": [r"daemon started -- version \S+, configuration \S+", r"reload -- version \S+, configuration \S+",
               r"terminating on signal 15"],
}
DELIVERY = (rf"{ID}: to=<[^>]*>(?:, orig_to=<[^>]*>)?, relay=(?:none|[\w./-]+|{NAME})(?:, conn_use=\d+)?, "
            rf"delay={DELAY}, delays={DELAY}/{DELAY}/{DELAY}/{DELAY}, dsn=[245]\.\d+\.\d+, "
            r"status=(?:sent|deferred|bounced|deliverable|undeliverable|SOFTBOUNCE) \(.*\)")
AGENTS = ("smtp", "lmtp", "relay", "local", "virtual", "pipe", "error", "discard", "retry")
# What Postfix has no words for: an event and its pairs (posthouse-log(5)).
OWN_EVENT = r"warning: [a-z]+\.[a-z_]+:(?: [a-z_]+=\S+)+"
SHAPES["smtp"] = [  # what another host may mend
    rf"{ID}: host {NAME} said: [45]\d\d .* \(in reply to [\w ()]+\)", rf"connect to {NAME}: .*"]


def unknown_lines(log):
    unknown = []
    for line in log.splitlines():
        match = re.fullmatch(r"\w{3} [ \d]\d [\d:]{8} \S+ (?:postfix|posthouse)/([\w/-]+)\[\d+\]: (.*)", line)
        shapes = SHAPES.get(match.group(1), []) + [DELIVERY] * (match.group(1) in AGENTS) if match else []
        if not match or not any(re.fullmatch(shape, match.group(2)) for shape in [*shapes, OWN_EVENT]):
            unknown.append(line)
    return unknown
