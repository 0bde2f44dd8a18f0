#!/usr/bin/env python3
"""Boots the ISO in QEMU on one of the machines of tests/topologies/.

Without a mode the terminal is the guest's console (Ctrl-A X leaves), unless the command line says
that the guest leaves by itself. `test` is --test, which reads the output as KTAP and wants a
complete plan and success. `run=` without `monitor` is --run, which wants success, and of a KTAP
report in the output that it is complete and without failures. The exit code is 0, or 1 for failure,
2 for a panic, 124 for a run that did not end in time.

The kernel's command line and further QEMU arguments come from the environment, as
HIGHWATER_CMDLINE and HIGHWATER_QEMUEXTRA: they hold quotes that no shell should see.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile

from hwlib import guest, qemu, qmp, topology


def port(text):
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port: a number from 1 to 65535")
    return int(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--iso", default="build/highwater.iso")
    parser.add_argument("--topology", default="two")
    parser.add_argument("--firmware", choices=["bios", "uefi"], default="bios")
    parser.add_argument("--accel", choices=qemu.ACCELS, default="tcg",
                        help="tcg: QEMU's threads by the CPUs of guest and host (default)")
    parser.add_argument("--machine", help="in place of the topology's")
    parser.add_argument("--cpu", help="in place of the topology's")
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="the program to run")
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS",
                        help="where no terminal is (default %(default)s)")
    parser.add_argument("--trace", metavar="FILE",
                        help="where COM2 writes what `trace on` records, for tools/trace.py")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--test", action="store_true", help="success is a complete KTAP plan")
    mode.add_argument("--run", action="store_true",
                      help="success is the guest's exit code, and no KTAP that says otherwise")
    mode.add_argument("--gdb", type=port, metavar="PORT",
                      help="wait for a debugger on this port of 127.0.0.1")
    return parser.parse_args()


def mode_of(cmdline):
    """"test" or "run" if the kernel leaves by itself after that, as it reads words; else None."""
    try:
        words = shlex.split(cmdline)
    except ValueError:  # a quote without an end: the kernel will say so
        words = cmdline.split()
    if any(word.split("=")[0] == "test" for word in words):
        return "test"
    commands = [word.partition("=")[2] for word in words if word.split("=")[0] == "run"]
    return "run" if commands and commands[-1] and "monitor" not in words else None


def nobody_types():
    """Is the standard input one from which nothing can ever come?"""
    try:
        return os.path.samestat(os.fstat(0), os.stat(os.devnull))
    except OSError:  # it is closed
        return True


def interactive(command, workdir, limit_seconds):
    """The guest has the terminal. Ctrl-C is a key like others, so only QEMU may act on it.

    With a limit nobody sits there: a pipe has an end, after which nobody can make the guest leave.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(command, preexec_fn=guest.die_with_parent)
    watch = qmp.ShutdownWatch(str(qemu.control_socket(workdir)))
    try:
        status = child.wait(limit_seconds)
    except subprocess.TimeoutExpired:
        print(f"launch: no end within {limit_seconds:g} s, and no terminal to leave from",
              file=sys.stderr)
        return guest.TIMEOUT
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(guest.KILL_LIMIT_SECONDS)
    if status == qemu.EXIT_PANIC:
        return guest.PANIC
    # 0 is what leaving with Ctrl-A X gives, and a power-off, and a triple fault.
    if status == 0 and watch.finish() == "guest-reset":
        print("launch: the guest reset the machine: a triple fault, or `reboot` in run=",
              file=sys.stderr)
        return guest.FAILURE
    return guest.SUCCESS if status in (0, qemu.EXIT_SUCCESS) else guest.FAILURE


def captured(command, options, workdir):
    """The guest leaves by itself; nobody types."""
    def show(line):
        print(line, flush=True)

    outcome = guest.run(command, options.timeout, test=options.test, on_line=show,
                        control=qemu.control_socket(workdir))
    word = "passed" if outcome.code == guest.SUCCESS else "FAILED"
    print(f"launch: {word} ({outcome.seconds:.1f} s): {outcome.reason}", flush=True)
    return outcome.code


def terminate(_signal, _frame):
    raise SystemExit(guest.FAILURE)  # runs the finally clauses, which end QEMU


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, terminate)
    cmdline = os.environ.get("HIGHWATER_CMDLINE", "")
    if not (options.test or options.run or options.gdb):
        options.test = mode_of(cmdline) == "test"
        options.run = mode_of(cmdline) == "run"
    captures = options.test or options.run
    if not captures and not options.gdb and nobody_types():
        print("launch: nobody can type here, and nothing was asked for: "
              "CMDLINE='run=\"numa\"', or a terminal", file=sys.stderr)
        return guest.FAILURE
    endless = options.gdb or os.isatty(0)
    try:
        machine = topology.load(options.topology)
        with tempfile.TemporaryDirectory(prefix="highwater-") as workdir:
            command = qemu.command(
                machine, options.iso, workdir, qemu=options.qemu, firmware=options.firmware,
                accel=options.accel, cpu=options.cpu, machine=options.machine,
                cmdline=cmdline,
                extra=os.environ.get("HIGHWATER_QEMUEXTRA", ""),
                interactive=not captures,
                gdb=options.gdb and f"tcp:127.0.0.1:{options.gdb}",
                trace=options.trace,
            )  # fmt: skip
            print(shlex.join(command), flush=True)
            if options.gdb:
                print(f"Halted. In another terminal: make gdb DEBUG_PORT={options.gdb}", flush=True)
            if captures:
                return captured(command, options, workdir)
            return interactive(command, workdir, None if endless else options.timeout)
    except (topology.TopologyError, qemu.SetupError) as error:
        print(f"launch: {error}", file=sys.stderr)
        return guest.FAILURE
    except (KeyboardInterrupt, BrokenPipeError):
        return guest.FAILURE  # interrupted, or nobody reads the output any more


if __name__ == "__main__":
    CODE = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(CODE)
