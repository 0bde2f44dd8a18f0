"""A real gdb with tools/gdb on a guest: what test_gdb.py and test_gdb_pages.py share."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import pexpect

from conftest import ROOT
from hwlib import guest, qemu, topology

PROMPT = "hw> "
LIMIT_SECONDS = 120  # two CPUs that others use, too
LIST = "node_data[1]->zones[1].free[1].area[10].list"  # has entries on the default machine


def run_gdb(elf, workdir, commands, *before):
    """The answers to the commands, in order. No session may show a traceback."""
    session = Path(workdir) / "session"
    session.write_text(json.dumps(commands), encoding="utf-8")
    helpers, runner = (str(ROOT / path) for path in ("tools/gdb/highwater.py",
                                                     "tests/qemu/gdb_session.py"))
    done = subprocess.run(
        ["gdb", "-batch", "-nx", "-q", "-x", helpers, *before, "-x", runner, str(elf)],
        env=dict(os.environ, HIGHWATER_GDB_SESSION=str(session)), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=LIMIT_SECONDS, check=False)  # fmt: skip
    print(done.stdout[-4000:])
    answers = json.loads(Path(f"{session}.answers").read_text(encoding="utf-8"))
    for command, answer in zip(commands, answers):
        print(f"(gdb) {command}\n{answer['text']}")
    said = done.stdout + "".join(answer["text"] for answer in answers)
    for word in ("Traceback", "Python Exception", "a defect of this command"):
        assert word not in said, word
    assert len(answers) == len(commands)
    return answers


class Guest:
    """A guest with a monitor at the terminal and a stub on a socket. It waits for gdb at first."""

    def __init__(self, machine, iso, elf, workdir, log, accel):
        self.elf, self.workdir = elf, workdir
        stub = f"unix:{qemu.quote(qemu.debug_socket(workdir))},server=on,wait=off"
        command = qemu.command(machine, iso, workdir, accel=accel, interactive=True, gdb=stub)
        self.child = pexpect.spawn(command[0], command[1:], timeout=LIMIT_SECONDS, echo=False,
                                   encoding="utf-8", codec_errors="replace", logfile=log,
                                   preexec_fn=guest.die_with_parent)
        self.wait_for_stub()

    def wait_for_stub(self):
        """QEMU makes the socket some time after it has started: late on a busy host."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not Path(qemu.debug_socket(self.workdir)).exists():
            assert time.monotonic() < deadline and self.child.isalive(), "no stub"
            time.sleep(0.02)

    def gdb(self, *commands):
        """Their texts; none may fail."""
        answers = self.gdb_answers(*commands)
        for command, answer in zip(commands, answers):
            assert not answer["failed"], f"{command}: {answer['text']}"
        return [answer["text"] for answer in answers]

    def gdb_answers(self, *commands):
        return run_gdb(self.elf, self.workdir, commands,
                       "-ex", f"hw-attach {qemu.debug_socket(self.workdir)}")

    def boot(self):
        self.gdb()
        self.child.expect_exact(PROMPT)

    def ask(self, line):
        self.child.send(line + "\r")
        self.child.expect_exact(PROMPT)
        return self.child.before.replace("\r", "").partition("\n")[2]


@contextlib.contextmanager
def guests(build, iso, request, log_path, tmp_path):
    """start(topology's name, or a topology): a Guest that waits for gdb. All end with the test."""
    started = []

    def run(machine):
        if isinstance(machine, str):
            machine = topology.load(machine)
        with_log = log_path.open("w", encoding="utf-8")
        started.append((Guest(machine, iso, build / "highwater.elf", tmp_path, with_log,
                              request.config.getoption("--accel")), with_log))
        return started[-1][0]

    try:
        yield run
    finally:
        for one, log in started:
            one.child.close(force=True)
            log.close()


def table(text):
    """The rows of a table of the helpers', as {column: text}."""
    head, *rows = [line.split() for line in text.splitlines() if not line.startswith("BROKEN")]
    return [dict(zip(head, row)) for row in rows]
