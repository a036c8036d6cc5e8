"""tests/harness/sink - an SMTP server that records what it is told and answers as scripted.

Sink runs in a thread of its own. script maps what it hears to answers: keys are "CONNECT", a verb
("MAIL"), a verb with its address ("RCPT a@b") or "." for the end of data; values are a reply, a list
of replies used up one after the other (the last one stays), or None to close the connection.

Callers: tests/system."""

import asyncio
import re

from harness.serving import Serving


class Message:
    def __init__(self, sender):
        self.sender = sender
        self.recipients = []
        self.content = b""


class Sink(Serving):
    def __init__(self, script=None, address="127.0.0.1", port=0, extensions=("PIPELINING", "SIZE 0",
                                                                          "8BITMIME",
                                                                          "ENHANCEDSTATUSCODES"),
                 delay_s=0.0, path=None, lmtp=False):
        super().__init__(address, port, path)
        self.script = dict(script or {})
        self.extensions = list(extensions)
        self.delay_s = delay_s
        self.lmtp = lmtp        # LHLO, and an answer for each recipient after the content
        self.messages = []      # accepted ones
        self.commands = []      # every command line heard
        self.connections = 0
        self.open_now = 0
        self.open_max = 0
        self.busy = set()       # sessions between MAIL and the answer to the content
        self.busy_max = 0

    def _scripted(self, key, default):
        if key not in self.script:
            return default
        answer = self.script[key]
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer

    async def _session(self, reader, writer):
        self.connections += 1
        self.open_now += 1
        self.open_max = max(self.open_max, self.open_now)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError,
                asyncio.LimitOverrunError):
            pass
        finally:
            self.open_now -= 1
            self.busy.discard(writer)
            writer.close()

    async def _converse(self, reader, writer):
        message = None

        async def reply(text):
            if text is None:
                raise ConnectionError
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            writer.write(text.encode() + b"\r\n")
            await writer.drain()
            return text

        greeting = await reply(self._scripted("CONNECT", "220 sink.test ESMTP"))
        if not greeting.startswith("2"):
            return
        while True:
            line = await reader.readuntil(b"\r\n")
            text = line[:-2].decode("utf-8", "replace")
            self.commands.append(text)
            verb = text.split(" ")[0].upper()
            address = re.search(r"<([^>]*)>", text)
            address = address.group(1) if address else ""
            default = {"LHLO" if self.lmtp else "EHLO": "\r\n".join(
                ["250-sink.test"] + [f"250-{word}" for word in self.extensions[:-1]] +
                [f"250 {word}" for word in self.extensions[-1:]]) if self.extensions else "250 sink.test",
                "NOOP" if self.lmtp else "HELO": "250 sink.test", "MAIL": "250 2.1.0 Ok", "RCPT": "250 2.1.5 Ok",
                "DATA": "354 End data with <CR><LF>.<CR><LF>", "RSET": "250 2.0.0 Ok",
                "NOOP": "250 2.0.0 Ok", "QUIT": "221 2.0.0 Bye"}.get(verb, "502 5.5.2 what?")
            answer = self._scripted(f"{verb} {address}", self._scripted(verb, default))
            if verb == "DATA" and (message is None or not message.recipients) and answer[0] == "3":
                answer = "554 5.5.1 Error: no valid recipients"
            if verb == "MAIL":
                self.busy.add(writer)
                self.busy_max = max(self.busy_max, len(self.busy))
            await reply(answer)
            if verb == "QUIT":
                return
            if verb == "MAIL" and answer[0] == "2":
                message = Message(address)
            elif verb == "RCPT" and answer[0] == "2" and message:
                message.recipients.append(address)
            elif verb in ("RSET", "EHLO", "HELO", "LHLO"):
                message = None
                self.busy.discard(writer)
            elif verb == "DATA" and answer[0] == "3":
                content = await self._read_content(reader)
                self.busy.discard(writer)
                answer = await self._answer_content(reply, message)
                if answer[0] == "2":
                    message.content = content
                    self.messages.append(message)
                message = None

    async def _answer_content(self, reply, message):
        """In LMTP one answer for each recipient (key ". ADDRESS"), who stays in the message if it is good."""
        default = f"250 2.0.0 Ok: queued as S{len(self.messages)}"
        if not self.lmtp:
            return await reply(self._scripted(".", default))
        taken = []
        for recipient in message.recipients:
            answer = await reply(self._scripted(f". {recipient}", self._scripted(".", default)))
            if answer[0] == "2":
                taken.append(recipient)
        message.recipients = taken
        return "250" if taken else "550"

    @staticmethod
    async def _read_content(reader):
        lines = []
        while True:
            line = await reader.readuntil(b"\n")
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)

    def recipients(self):
        return [recipient for message in self.messages for recipient in message.recipients]
