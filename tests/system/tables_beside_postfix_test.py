"""Tables of patterns and postmap beside Debian's Postfix: odd texts, odd keys, all options; what is
printed and the status are the same. What is said of a mistake may be worded otherwise."""

import concurrent.futures
import os
import random
import subprocess

import pytest
from harness import peers

pytestmark = pytest.mark.own_machine

EXPRESSIONS = r"""/^a(.*)b$/ /^A/ /a/i /a/m !/a/ !!/a/ /a(b)(c)?/ /a/x /a a |a| @a@b /\/x/ /(a/ /a)/ /[a/ /a{2}/ /a{2,1}/
/a*+/ /(?i)a/ /\d+/ /\w/ /a|b/ /^$/ /./ /(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)/ /a/!/b/ /a/!/b/i /a/i!/b/ /a/! /a/!/b /a/e
/a/ii // /a/U /^a.c/s /é/ /É/i /(?<n>a)/ /(?#c)a/ "a" (a) {a} /^(a|b)*c/ ! if endif /a/X /a/A /b/E /b$/mE /a#b/ /#/
/(a)|(b)/ /(?:a)(b)/ /a/mi /.*/ /^/ /$/ """.split() + ["! /b/", "/a b/", "/\t/", "if /a/", "if !/a/", "IF /b/", "ENDIF", "endif/x/"]
NETWORKS = """10.0.0.0/8 10.0.0.1 10.0.0.1/8 ::1 [::1] [::1]/128 [::1/128] 2001:db8::/32 2001:DB8::/32 [2001:db8::]/32
10.0.0.0/33 10.0.0.0/ 10.0.0.0/a /8 10.0.0 10 010.0.0.1 10.0.0.01 !10.0.0.0/8 !!10.0.0.1 0.0.0.0/0 ::/0 !::/0 [10.0.0.1]
[10.0.0.0/8] [10.0.0.1 10.0.0.1] ::ffff:10.0.0.1 ::ffff:10.0.0.0/104 10.0.0.0/08 10.0.0.0/+8 10.0.0.0/-1 fe80::1%lo
10.0.0.0/8, ipv6:2001:db8::/32 2001:db8::1/32 10.0.0.0/8/8 [] []/8 [::1]x . * any 10.* ! 10.0.0.0/0 1.2.3.4/32 0/0
1::2::3 [::]/0 10.0.0.0/8x""".split() + ["! 10.0.0.0/8", "if 10.0.0.0/8", "if !10.0.0.0/8", "endif", "IF ::/0", "if"]
RESULTS = [" x", " $1", " ${1}", " $(1)", " $2", " $$", " $", " ${", " ${}", " $a", " ${a}", " $0", " $1x", " ${1}x",
           "  two  spaces ", "", " ", " REJECT $1 and $$1", " $1$2", " $11", " $10", " $9", " x\\", ' "q"', " é", " $(1}",
           " $99999999999999999999", " $-1", "\tx", "x", "  # no comment", " ${1:x}", " $_", " $1_", " a$"]
WORDS = ["a", "A", "ab", "abc", "aab", "b", "B", "xay", "a b", "a\tb", "", "c", "a/x", "aaa", "é", "abcdefghijkl",
         "1234", "a#b", "a\\", "|a|", "acb", "bc", "aXb"]
ADDRESSES = ["10.0.0.1", "10.1.2.3", "11.0.0.1", "::1", "2001:db8::1", "2001:DB8:0::1", "2001:db9::1", "::ffff:10.0.0.1",
             "1.2.3.4", "", "10", "10.0.0", "[::1]", "x", "010.0.0.1", "10.0.0.1 ", "fe80::1%lo", "0.0.0.0",
             "255.255.255.255", "::", "10.0.0.0/8"]


def odd_text(dice, patterns):
    lines = []
    for _ in range(dice.choice([1, 1, 2, 3, 5])):
        line = dice.choice(patterns)
        if line[:2].lower() not in ("if", "en"):
            line += dice.choice(RESULTS)
        chance = dice.random()
        for limit, before, after in ((.04, " ", ""), (.07, "# ", ""), (.1, "", "\n  more"), (.12, "", "\n# c\n  more"),
                                     (.14, "\n", ""), (.15, "", "\r")):
            if chance < limit:
                line = before + line + after
                break
        lines.append(line)
    return "\n".join(lines) + ("\n" if dice.random() < .9 else "")


@pytest.fixture
def both(programs, tmp_path):
    """run(command, in a shell of ours or theirs): status and output."""
    config = tmp_path / "postfix"
    config.mkdir()
    root = peers.PEERS / "postfix"
    (config / "main.cf").write_text(f"compatibility_level = 3.6\nmail_owner = games\nsetgid_group = mail\nalias_maps =\n"
                                    f"shlib_directory = {root}/usr/lib/postfix\nmeta_directory = {config}\n"
                                    f"queue_directory = {tmp_path}/spool\ndata_directory = {tmp_path}\n"
                                    "myhostname = mx.postfix.test\n")
    (config / "dynamicmaps.cf").write_text(f"pcre\t{root}/usr/lib/postfix/postfix-pcre.so\tdict_pcre_open\t\n")
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for place in theirs, ours:
        place.mkdir()
    for name in "postmap", "postalias":
        (theirs / name).write_text(f"#!/bin/sh\nexec {peers.postfix_command(name)} -c {config} \"$@\"\n")
        (theirs / name).chmod(0o755)
        (ours / name).symlink_to(programs.command(name))
    (config / "master.cf").touch()

    def run(command, place, stdin="", is_theirs=False):
        environment = peers.environment("postfix") if is_theirs else dict(os.environ)
        environment["PATH"] = f"{theirs if is_theirs else ours}:{environment['PATH']}"
        done = subprocess.run(["sh", "-c", command], input=stdin.encode(), cwd=place, env=environment, timeout=60,
                              capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr
    return run


@pytest.mark.parametrize("kind, patterns, keys", [("regexp", EXPRESSIONS, WORDS), ("pcre", EXPRESSIONS, WORDS),
                                                  ("cidr", NETWORKS, ADDRESSES)], ids=["regexp", "pcre", "cidr"])
def test_odd_texts(both, tmp_path, kind, patterns, keys):
    if kind == "pcre" and not (peers.PEERS / "postfix/usr/lib/postfix/postfix-pcre.so").exists():
        pytest.skip("no Postfix with PCRE")
    (tmp_path / "x").mkdir()
    for seed in range(60):
        text = odd_text(random.Random(seed), patterns)
        (tmp_path / "x/t").write_text(text)
        answers = [both(f"postmap -q - {kind}:t", tmp_path / "x", "\n".join(keys) + "\n", is_theirs)[:2]
                   for is_theirs in (True, False)]
        assert answers[1] == answers[0], text


FILES = {"src": "foo bar\nUPPER Case\n# c\n@example.com  x y\nbar baz\n", "dup": "foo one\nFoo two\nx y\n",
         "bad": 'novalue\nfoo: bar\n  lead\n"unb x\nok fine\nnovalue2 \n', "keys": "foo\na\nc\nC\nnone\nbar\nUPPER\n",
         "one": "content\n", "two": "c2", "files": "one one\nboth one two\nboth2 one, two\n",
         "msg": "From: x\nSubject: y\n z\nContent-Type: multipart/mixed; boundary=b\n\npre\n--b\nX: y\n\nbody\n--b\n"
                "Content-Type: message/rfc822\n\nInner: x\n\nib\n--b--\npost\n",
         "aliases": 'root: you\nlist: a, b,\n  c\nDup: 1\ndup: 2\n"q x": |"/bin/x y"\nbad\nx y: z\n',
         "crlf": "a b\r\nc d\r\n", "quoted": '"a b" c\nd\\ e f\ng"h i"j k\n"l"@m n\n', "odd": "  a b\nc\td\n\te\n#f\n  g\n\n  h\n"}

COMMANDS = r"""
postmap hash:src; postmap -s hash:src | sort
postmap btree:src; postmap -s btree:src
postmap -s texthash:src | sort
postmap -q foo hash:src
postmap -q foo regexp:nofile
postmap hash:nofile
postmap hash:src; postmap -q foo hash:src hash:nofile
postmap hash:src; postmap -q none hash:src hash:nofile
postmap hash:src; postmap -q - hash:src <keys
postmap hash:src; printf 'foo' | postmap -q - hash:src
postmap hash:src; printf '\n\n' | postmap -q - hash:src
postmap hash:src; postmap -q '' hash:src
postmap hash:src; postmap -f -q FOO hash:src
postmap -f hash:src; postmap -f -q UPPER hash:src; postmap -s hash:src | sort
postmap hash:src; postmap -d foo hash:src; postmap -s hash:src | sort
postmap hash:src; postmap -d none hash:src
postmap hash:src; postmap -d FOO hash:src; postmap -s hash:src | sort
postmap hash:src; postmap -f -d FOO hash:src
postmap hash:src; postmap -d - hash:src <keys; postmap -s hash:src | sort
postmap hash:src; echo none | postmap -d - hash:src
postmap hash:src; echo 'new value' | postmap -i hash:src; postmap -s hash:src | sort
echo 'new value' | postmap -i hash:new; postmap -s hash:new; stat -c %a new.db
postmap hash:src; echo 'foo value' | postmap -i hash:src; postmap -q foo hash:src
postmap hash:src; echo 'foo value' | postmap -ir hash:src; postmap -q foo hash:src
postmap hash:src; echo 'foo value' | postmap -iw hash:src; postmap -q foo hash:src
postmap -w hash:dup; postmap -s hash:dup
postmap -r hash:dup; postmap -s hash:dup
postmap -r -w hash:dup; postmap -s hash:dup
postmap -w -r hash:dup; postmap -s hash:dup
postmap hash:bad; postmap -s hash:bad | sort
postmap hash:crlf; postmap -s hash:crlf | od -c
postmap hash:quoted; postmap -s hash:quoted | sort
postmap hash:odd; postmap -s hash:odd | sort
postmap -N hash:src; postmap -q foo hash:src; postmap -n -q foo hash:src
postmap -n hash:src; postmap -q foo hash:src; postmap -N -q foo hash:src
chmod 600 src; postmap hash:src; stat -c %a src.db
chmod 666 src; postmap hash:src; stat -c %a src.db
chmod 600 src; postmap -p hash:src; stat -c %a src.db
chmod 777 src; postmap -o hash:src; stat -c %a src.db
chmod 640 src; postmap hash:src; chmod 644 src; postmap hash:src; stat -c %a src.db
postmap -F hash:files; postmap -s hash:files | sort
postmap -F hash:files; postmap -F -q both hash:files
postmap -F -q both2 texthash:files
postmap -F -q x inline:{x=one}
postmap -F -q x static:absent
postmap -F -q x hash:src
postmap -q a -d b hash:src
postmap -q a -i hash:src
postmap -q a -s hash:src
postmap -q a -q b hash:src
postmap
postmap -z
postmap -q
postmap -b -q x hash:src
postmap -h -q x hash:src
postmap -m -q x static:z
postmap -h -q - static:x <msg
postmap -b -q - static:x <msg
postmap -hb -q - regexp:'{{/x/ y}}' <msg
postmap -hm -q - regexp:'{{/^/ y}}' <msg
postmap -bm -q - regexp:'{{/^/ y}}' <msg
postmap -hbm -q - regexp:'{{/^/ y}}' <msg
postmap hash:src hash:dup; ls *.db
postmap hash:nofile hash:src; ls *.db
echo garbage >src.db; postmap -q foo hash:src
echo garbage >src.db; postmap hash:src; postmap -q foo hash:src
: >src.db; postmap -q foo hash:src
mkdir src.db; postmap hash:src
postmap btree:src; postmap -q foo hash:src
postmap cidr:src
postmap -d x cidr:src
postmap -s regexp:src
postmap static:x
postmap -q x nosuch:src
postmap -q x hash:
postmap -q x ''
postmap -q x static:y
postmap -q x 'static:{y z}'
postmap -q x 'static:{y'
postmap -q x fail:y
echo x | postmap -q - fail:y
postmap -q C 'inline:{a=b,c=d}'
postmap -q - 'inline:{a=b, {c = d e}}' <keys
postmap -q a 'inline:{a}'
postmap -q a 'inline:{}'
postmap -q a 'inline:{a=b,a=c}'
postmap -q x 'unionmap:{static:a,static:b,static:a}'
postmap -q x 'unionmap:{static:a,fail:b}'
postmap -q x 'unionmap:{inline:{y=z},static:b}'
postmap -q x 'unionmap:{}'
postmap -q foo 'pipemap:{inline:{foo=bar},inline:{bar=baz}}'
postmap -q foo 'pipemap:{inline:{foo=bar},inline:{x=baz}}'
postmap -q foo 'pipemap:{inline:{x=y} fail:b}'
postmap -q foo 'pipemap:{static:a fail:b}'
postmap -q foo 'randmap:{x}'
postmap -q foo 'randmap:{}'
postmap -q foo 'randmap:{x}y'
postmap -q 1.2.3.4 'cidr:{{1.2.3.4 x},{2.0.0.0/8 y}}'
postmap -q abc 'regexp:{{if /a/} {/b/ x} {endif}}'
postmap -q abc 'pcre:{{/b(.)/ x$1}}'
postmap -q root unix:passwd.byname
postmap -q nobodyx unix:passwd.byname
postmap -q root unix:nosuch
postalias hash:aliases; postalias -q ROOT hash:aliases; postalias -q none hash:aliases
postalias hash:aliases; postalias -s hash:aliases | grep -v -e YP_ -e '^@' | sort
postalias hash:aliases; printf 'root\nnone\nlist\n' | postalias -q - hash:aliases
postalias hash:aliases; postalias -d root hash:aliases; postalias -q root hash:aliases
postalias hash:aliases; postalias -d none hash:aliases
postalias hash:aliases; echo 'root: me' | postalias -i hash:aliases; postalias -q root hash:aliases
postalias hash:aliases; echo 'root: me' | postalias -ir hash:aliases; postalias -q root hash:aliases
postalias hash:aliases; echo 'root: me' | postalias -iw hash:aliases; postalias -q root hash:aliases
postalias -f hash:aliases; postalias -s hash:aliases | grep -v -e YP_ -e '^@' | sort
postalias -w hash:aliases; postalias -q dup hash:aliases
postalias -r hash:aliases; postalias -q dup hash:aliases
postalias -n hash:aliases; postalias -q root hash:aliases
chmod 600 aliases; postalias -p hash:aliases; stat -c %a aliases.db
chmod 600 aliases; postalias hash:aliases; stat -c %a aliases.db
postalias hash:nofile
postalias
postalias -b hash:aliases
postalias -h hash:aliases
postalias -F hash:aliases
postalias cidr:aliases
postalias -q root texthash:aliases
""".strip().splitlines()


def test_postmap_and_postalias(both, tmp_path):
    def ask(question):
        number, is_theirs = question
        place = tmp_path / f"{number}{'theirs' if is_theirs else 'ours'}"
        place.mkdir()
        for name, text in FILES.items():
            (place / name).write_bytes(text.encode())
        return both(COMMANDS[number], place, is_theirs=is_theirs)

    # Postfix sleeps for a second before it gives up.
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        theirs = list(pool.map(ask, [(number, True) for number in range(len(COMMANDS))]))
        ours = list(pool.map(ask, [(number, False) for number in range(len(COMMANDS))]))
    for command, (status, output, error), (our_status, our_output, our_error) in zip(COMMANDS, theirs, ours):
        assert (our_status, our_output) == (status, output), (command, error, our_error)
        assert bool(our_error) == bool(error), (command, error, our_error)
