"""tests/harness/serving - a server of asyncio in a thread of its own, from "with" to its end.

Callers: sink.py, tests/system."""

import asyncio
import threading


class Serving:
    """Derived classes have _session(reader, writer), and make themselves first of all."""

    def __init__(self, address="127.0.0.1", port=0, path=None):
        self.address = address
        self.port = port        # 0: any; then the one it is
        self.path = path        # a Unix socket instead of a port
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)

    start = __enter__

    def stop(self):
        self.__exit__()

    def _serve(self):
        asyncio.set_event_loop(self.loop)
        if self.path:
            server = self.loop.run_until_complete(
                asyncio.start_unix_server(self._session, self.path, limit=1 << 20, backlog=512))
        else:
            server = self.loop.run_until_complete(
                asyncio.start_server(self._session, self.address, self.port, limit=1 << 20, backlog=512))
            self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self.loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.1))
        self.loop.close()
