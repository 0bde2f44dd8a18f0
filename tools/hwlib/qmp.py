"""Why QEMU ended, where its exit code does not tell.

Leaving with Ctrl-A X, a power-off through ACPI and a triple fault all end QEMU with 0. On its
control socket it says which: a SHUTDOWN event carries the reason, and Ctrl-A X sends none.
"""

import json
import socket
import threading
import time

CONNECT_LIMIT_SECONDS = 10


class ShutdownWatch:
    """Listens on QEMU's control socket in the background until it closes."""

    def __init__(self, path):
        self.path = path
        self.reason = None  # "guest-reset", "guest-shutdown", ...; None: none was given
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _connect(self):
        deadline = time.monotonic() + CONNECT_LIMIT_SECONDS
        while time.monotonic() < deadline:
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(self.path)
                return connection
            except OSError:
                connection.close()
                time.sleep(0.05)
        return None

    def _listen(self):
        connection = self._connect()
        if connection is None:
            return
        with connection, connection.makefile("rw", encoding="utf-8") as stream:
            try:
                stream.write('{"execute": "qmp_capabilities"}\n')
                stream.flush()
                for line in stream:
                    message = json.loads(line)
                    if message.get("event") == "SHUTDOWN":
                        self.reason = message["data"]["reason"]
            except (OSError, ValueError):
                pass  # it ended in the middle of a word

    def finish(self):
        """Call when QEMU has ended; returns the reason or None."""
        self._thread.join(2)
        return self.reason
