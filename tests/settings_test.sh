#!/bin/sh
# tests/settings_test - every row of a catalogue is read by the program whose catalogue it stands in.
# A setting that nobody reads would be accepted in silence: such a name belongs into known.def, which
# warns, or refuses it. One TAP line per catalogue.
set -eu
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
cd "$top_srcdir/lib/conf/catalogue"

# Rows that exist for the sake of $name in other values.
for_values='mail_version'
# Read by lib/service for all daemons.
by_skeleton='syslog_name delay_logging_resolution_limit'

# The folder of a catalogue's program.
folder_of() {
    case $1 in
    discard) echo error ;;
    lmtp) echo smtp ;;
    pipe | virtual) echo local ;;
    smtpd) echo lib/smtpserver ;;
    *) echo "$1" ;;
    esac
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "name field" of each row: shared ones from where they are written once.
rows() {
    awk '
    function row(text, kind, name, field, rest) {
        if (!match(text, /CONF_[A-Z_]+\(/))
            return
        kind = substr(text, RSTART + 5, RLENGTH - 6)
        rest = substr(text, RSTART + RLENGTH)
        match(rest, /^"?[A-Za-z0-9_]+"?/)
        name = substr(rest, 1, RLENGTH)
        if (kind == "SHARED") {
            if (name in shared)
                row(shared[name])
            return
        }
        if (kind == "FAMILY_MEMBER")
            return
        field = name
        if (kind == "TEXT_NAMED") {
            rest = substr(rest, RLENGTH + 1)
            match(rest, /[A-Za-z0-9_]+/)
            field = substr(rest, RSTART, RLENGTH)
        } else if (kind ~ /^FAMILY_/)
            field = "transport_" name
        else if (kind == "TIME")
            field = name "_ms"
        gsub(/"/, "", name)
        print name, field
    }
    FNR == NR {
        if (match($0, /^#define CONF_SHARED_[A-Za-z0-9_]+ /))
            shared[substr($0, 21, RLENGTH - 21)] = substr($0, RLENGTH + 1)
        next
    }
    /^CONF_/ { row($0) }' shared.h "$1.def"
}

# Names that a default mentions, and those that lib/conf computes with: read by whoever expands.
{
    grep -ohE '\$\{?\{?\$?[a-z][a-z0-9_]*' ./*.def shared.h | tr -d '${'
    grep -ohE '"[a-z][a-z0-9_]+"' ../*.c | tr -d '"'
} | sort -u >"$work/mentioned"

number=0
status=0
for catalogue in *.def; do
    part=${catalogue%.def}
    [ "$part" != known ] || continue
    number=$((number + 1))
    folder=../../../$(folder_of "$part")
    also=
    # Which service has which keys posthouse check asks, too.
    [ "$part" != keyd ] || also=../../tls/key_files.c
    # shellcheck disable=SC2086
    grep -ohE '[A-Za-z_][A-Za-z0-9_]*' "$folder"/*.[ch] $also | sort -u >"$work/words"
    unread=
    rows "$part" >"$work/rows"
    [ -s "$work/rows" ] || unread=' no rows were found'
    while read -r name field; do
        case " $for_values $by_skeleton " in *" $name "*) continue ;; esac
        # What lmtp has is what smtp has, under its own name (smtp/mirror.c).
        mirrored=$field
        if [ "$part" = lmtp ]; then
            mirrored=$(echo "$field" | sed 's/^lmtp_lhlo_/smtp_helo_/; s/_lhlo_/_ehlo_/; s/^lmtp_/smtp_/')
        fi
        # A macro may add the _ms of a time.
        if ! grep -qxF -e "$field" -e "$mirrored" -e "${mirrored%_ms}" "$work/words"; then
            # A name that only other values mention is theirs in the catalogue of whoever has those.
            grep -qxF "$name" "$work/mentioned" && grep -qE "[\${]${name}[^a-z0-9_]" "$part.def" && continue
            [ "$part" = tools ] && grep -qxF "$name" "$work/mentioned" && continue
            unread="$unread $name"
        fi
    done <"$work/rows"
    if [ -z "$unread" ]; then
        echo "ok $number - $part reads its settings"
    else
        echo "not ok $number - $part reads its settings"
        echo "# nobody reads:$unread"
        status=1
    fi
done
echo "1..$number"
exit $status
