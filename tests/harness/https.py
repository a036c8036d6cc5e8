"""tests/harness/https - an HTTPS server with certificates of a test's own, and a name server whose
records a test may change while it runs.

Callers: tests/stsd, tests/reportd, tests/system, secured.py."""

import http.server
import os
import pathlib
import socket
import socketserver
import ssl
import struct
import subprocess
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A certification authority in a directory."""

    def __init__(self, directory, name="Test authority"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._key = self.directory / "ca.key"
        self.file = self.directory / "ca.pem"
        self._count = 0
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.file)

    def issue(self, *names, common_name="server", days=30):
        """A file with a certificate for these names, and its key. days: negative for one that has expired."""
        self._count += 1
        base = self.directory / f"leaf{self._count}"
        key, request, leaf, extensions = (base.with_suffix(f".{kind}") for kind in ("key", "csr", "pem", "ext"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                f"/CN={common_name}", "-keyout", key, "-out", request)
        extensions.write_text("basicConstraints=CA:FALSE\n" +
                              (f"subjectAltName={','.join('DNS:' + name for name in names)}\n" if names else ""))
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-set_serial",
                self._count, "-days", days, "-extfile", extensions, "-out", leaf)
        leaf.write_text(leaf.read_text() + key.read_text())
        return leaf


class Answer:
    """What a host answers with. before: called first, to be slow. raw: yields all that is sent, and the
    connection is cut off where it ends."""

    def __init__(self, body=b"", status=200, content_type="text/plain", headers=(), before=None, raw=None):
        self.body = body.encode() if isinstance(body, str) else body
        self.status, self.content_type, self.headers, self.before = status, content_type, headers, before
        self.raw, self.sent_bytes = raw, 0


class Server:
    """answers: {host: Answer}, to be changed at will; requests: (method, host, path, headers, body) of each;
    connections: how many came, with or without a request.
    certificates: {host: file}; the one of None for others."""

    def __init__(self, certificates, address="127.0.0.1", port=0):
        self.answers, self.requests, self.connections = {}, [], 0
        contexts = {host: self._context(file) for host, file in certificates.items()}
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1   # header and body leave together

            def _send_raw(self, answer):
                try:
                    for piece in answer.raw():
                        self.wfile.write(piece)
                        self.wfile.flush()
                        answer.sent_bytes += len(piece)
                finally:   # without TLS's good-bye
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    os.close(self.connection.detach())

            def _answer(self):
                host = self.headers.get("Host", "").split(":")[0]
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.requests.append((self.command, host, self.path, dict(self.headers), body))
                answer = server.answers.get(host, Answer("nothing here\n", status=404))
                if answer.before:
                    answer.before()
                if answer.raw:
                    self.close_connection = True
                    self._send_raw(answer)
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = _answer

            def log_message(self, *_):
                pass

        class Listener(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def verify_request(self, request, client_address):
                server.connections += 1
                return True

            def finish_request(self, request, client_address):
                try:
                    with contexts[None].wrap_socket(request, server_side=True) as stream:
                        self.RequestHandlerClass(stream, client_address, self)
                except (OSError, ValueError):
                    pass  # a client that does not trust us, or has heard enough

            def shutdown_request(self, request):
                self.close_request(request)

        def choose(stream, name, _):
            stream.context = contexts.get(name, contexts[None])

        contexts[None].sni_callback = choose
        self._listener = Listener((address, port), Handler)
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()

    @staticmethod
    def _context(file):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def count(self, host):
        return sum(request[1] == host for request in self.requests)

    def stop(self):
        self._listener.shutdown()
        self._listener.server_close()


class NameServer:
    """records: {(name, type): [texts]}, to be changed at will; names without records do not exist.
    silent: names for which there is no answer but SERVFAIL."""

    def __init__(self, records, address="127.0.0.1", port=0, ttl_s=1):
        self.records, self.silent = dict(records), set()
        name_server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                packet, sock = self.request
                sock.sendto(name_server.answer(dns.message.from_wire(packet), ttl_s).to_wire(), self.client_address)

        self._listener = socketserver.ThreadingUDPServer((address, port), Handler)
        self._listener.daemon_threads = True
        self.port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, daemon=True).start()

    def answer(self, query, ttl_s):
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        response = dns.message.make_response(query, recursion_available=True)
        texts = self.records.get((name, kind))
        if name in self.silent:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif texts:
            response.answer.append(dns.rrset.from_text(question.name, ttl_s, "IN", kind, *texts))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def stop(self):
        self._listener.shutdown()
        self._listener.server_close()
