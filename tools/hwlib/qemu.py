"""QEMU's command line for one run."""

import os
import shlex
import shutil
from pathlib import Path

# Where distributions put OVMF: the code, and the variables that a run gets a copy of. The
# smaller one, where there is one, boots faster.
OVMF_PAIRS = [
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),  # Debian, Ubuntu
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),  # newer ones
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),  # Fedora
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),  # Arch
    ("/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"),
    ("/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"),  # openSUSE
]
# Code and variables in one file.
OVMF_WHOLE = ["/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF.fd", "/usr/share/ovmf/bios.bin"]

# What a user may ask for. `tcg` leaves QEMU's threads to accel_for().
ACCELS = ["tcg", "tcg,thread=multi", "tcg,thread=single", "kvm"]

# isa-debug-exit ends QEMU with (value written << 1) | 1.
EXIT_SUCCESS, EXIT_FAILURE, EXIT_PANIC = 33, 35, 37


class SetupError(Exception):
    """The run cannot start; the text says what is missing."""


def quote(path):
    """A path inside an option of QEMU's: a comma would begin the next one."""
    return str(path).replace(",", ",,")


def control_socket(workdir):
    return Path(workdir) / "control"


def debug_socket(workdir):
    return Path(workdir) / "gdb"


def firmware_arguments(firmware, workdir):
    if firmware == "bios":
        return []
    for code, variables in OVMF_PAIRS:
        if os.path.exists(code) and os.path.exists(variables):
            mine = Path(workdir) / "ovmf-vars.fd"
            shutil.copyfile(variables, mine)
            return [
                "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={quote(code)}",
                "-drive", f"if=pflash,format=raw,unit=1,file={quote(mine)}",
            ]  # fmt: skip
    for whole in OVMF_WHOLE:
        if os.path.exists(whole):
            return ["-bios", whole]
    raise SetupError("no OVMF firmware found for FIRMWARE=uefi (make doctor says how to get it)")


def host_cpus():
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def accel_for(accel, guest_cpus, host=None):
    """`tcg` with its threads named where the host has too few CPUs for one each; anything else as it is.

    A ticket lock goes to who waits longest. Where the host runs just one in N of the guest's CPUs, that
    one is running with a chance of 1/N, and nobody else gets the lock before the host's scheduler has
    come to it: who waits meanwhile uses up the turns in between. In one thread a CPU that
    waits says so (`pause`), and the next one has its turn at once; but no two instructions happen at the
    same time, which is how some races show. So one thread is what a run falls back to, not what it
    prefers. `make test` runs a guest on each of the host's CPUs, so that N is larger than it looks: all suites on
    four CPUs (`two`) took 122 s beside other work on a host of two, and 34 s in one thread."""
    if accel == "tcg" and guest_cpus > (host or host_cpus()):
        return "tcg,thread=single"
    return accel


def command(topology, iso, workdir, *, qemu="qemu-system-x86_64", firmware="bios", accel="tcg",
            cpu=None, machine=None, cmdline="", extra="", interactive=False, gdb=None, trace=None):
    """The arguments to run a topology. Files that the run needs are written to workdir.

    With gdb, an argument for QEMU's -gdb, the guest waits for a debugger there. With trace, the name
    of a file, that is what COM2 writes to; without, there is no COM2."""
    if not shutil.which(qemu):
        raise SetupError(f"no {qemu} (make doctor says how to get it)")
    args = [
        qemu,
        "-machine", machine or topology.machine,
        "-accel", accel_for(accel, topology.nr_cpus()),
        "-cpu", cpu or topology.cpu,
        *topology.qemu_arguments(),
        *firmware_arguments(firmware, workdir),
        *guest_arguments(iso, workdir, cmdline=cmdline, interactive=interactive),
    ]  # fmt: skip
    if trace:
        args += ["-chardev", f"file,id=trace,path={quote(trace)}", "-serial", "chardev:trace"]
    if gdb:
        args += ["-S", "-gdb", gdb]
    try:
        return args + shlex.split(extra)
    except ValueError as error:
        raise SetupError(f"QEMUEXTRA is not a line of words ({error}): {extra}") from error


def guest_arguments(iso, workdir, *, cmdline="", interactive=False):
    """What every run has beside its machine: console, way out, medium, command line."""
    if not os.path.exists(iso):
        raise SetupError(f"no {iso}: make iso")
    args = [
        # No default devices: each costs the firmware time, and none is used.
        "-nodefaults", "-display", "none",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        "-serial", "mon:stdio" if interactive else "stdio",
        "-cdrom", str(iso), "-boot", "d",
    ]  # fmt: skip
    # A person who types `reboot` means it; what a command line asks for would only start again.
    if not interactive or cmdline:
        args.append("-no-reboot")
    args += ["-qmp", f"unix:{quote(control_socket(workdir))},server=on,wait=off"]
    if cmdline:
        # Through a file: the text may hold quotes and commas, which QEMU's own syntax uses.
        path = Path(workdir) / "cmdline"
        path.write_text(cmdline, encoding="utf-8")
        args += ["-fw_cfg", f"name=opt/highwater/cmdline,file={quote(path)}"]
    return args
