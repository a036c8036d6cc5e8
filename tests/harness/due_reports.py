"""tests/harness/due_reports - reports on TLS (RFC 8460) that reportd owes since yesterday.

Domains that nobody else knows want to hear of sessions that were counted before; the first half of each
batch by mail, the other by HTTPS. Until a batch is announced the name server does not answer for its
domains, so that reportd keeps trying. Each report has to arrive; who is killed between handing it over and
noting that may hand it over again, and then it is the same one (its id says so).

Callers: tests/kill."""

import collections
import email
import gzip
import json
import pathlib
import time

from .secured import REPORT_HOST

HEAD = "generation 00000000000000000001\n"
BATCHES, OF_A_BATCH = 2, 40
READER = "reader"


class DueReports:
    """Of an instance that has been started once and stopped, with the settings of a Secured."""

    def __init__(self, safe, instance):
        self._safe, self._instance = safe, instance
        self._announced = []
        day = int(time.time()) // 86400 - 1
        self._batches = [[f"d{number}.b{batch}.report.test" for number in range(OF_A_BATCH)]
                         for batch in range(BATCHES)]
        domains = [domain for batch in self._batches for domain in batch]
        safe.names.silent.update(f"_smtp._tls.{domain}" for domain in domains)
        place = pathlib.Path(instance.settings["data_directory"]) / "reportd"
        (place / "sessions.0").write_text(HEAD + "".join(
            f"S\t{day}\t{domain}\t5\tsts\tsuccess\t{domain}\t\t\t\t\t\tversion: STSv1;mode: none;max_age: 86400;\n"
            for domain in domains))
        (place / "sessions.1").write_text("")

    def announce(self):
        """The next batch, if there is one."""
        if not self._batches:
            return
        domains = self._batches.pop(0)
        for number, domain in enumerate(domains):
            where = (f"mailto:{READER}@here.test" if number < len(domains) // 2 else f"https://{REPORT_HOST}/")
            name = f"_smtp._tls.{domain}"
            self._safe.names.records[name, "TXT"] = [f'"v=TLSRPTv1; rua={where}"']
            self._safe.names.silent.discard(name)
        self._announced += domains

    def arrived(self):
        """{domain: {report id: how often}}"""
        found = collections.defaultdict(collections.Counter)
        for path in self._instance.messages(f"{READER}@here.test"):
            message = email.message_from_bytes(path.read_bytes())
            if message["TLS-Report-Domain"]:
                found[message["TLS-Report-Domain"]][message["Subject"].split("<")[-1].rstrip(">")] += 1
        for method, host, _path, _headers, body in list(self._safe.web.requests):
            if method == "POST" and host == REPORT_HOST:
                report = json.loads(gzip.decompress(body))
                found[report["policies"][0]["policy"]["policy-domain"]][report["report-id"]] += 1
        return found

    def problems(self):
        """Those that were announced and did not arrive, or came with two ids."""
        found = self.arrived()
        return [f"{domain}: {dict(found[domain]) or 'nothing'}" for domain in self._announced
                if len(found[domain]) != 1]

    def summary(self):
        counts = [sum(ids.values()) for ids in self.arrived().values()]
        return f"{len(self._announced)} reports on TLS were due: {len(counts)} sent, {sum(counts) - len(counts)} again"
