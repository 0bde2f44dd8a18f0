"""QEMU's control socket: why it ended, where its exit code does not tell, and a last question.

Leaving with Ctrl-A X, a power-off through ACPI and a triple fault all end QEMU with 0. On its
control socket it says which: a SHUTDOWN event carries the reason, and Ctrl-A X sends none.

A guest that hangs with interrupts off still takes an NMI, and its kernel panics over what it was
doing: that is asked for before it is killed.
"""

import json
import socket
import threading
import time

CONNECT_LIMIT_SECONDS = 10
NMI_LIMIT_SECONDS = 2


def inject_nmi(path):
    """True if QEMU has taken the order; False where there is no QEMU that listens."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(NMI_LIMIT_SECONDS)
            connection.connect(str(path))
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.readline()  # its greeting
                for order in ("qmp_capabilities", "inject-nmi"):
                    stream.write(json.dumps({"execute": order}) + "\n")
                    stream.flush()
                    if "return" not in json.loads(stream.readline()):
                        return False
        return True
    except (OSError, ValueError):
        return False


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
