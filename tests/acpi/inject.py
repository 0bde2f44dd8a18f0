#!/usr/bin/env python3
"""Ways to put a machine's tables in front of the kernel in QEMU.

- A second drive, and GRUB's `acpi` command: the tables of QEMU with the same signatures are left out,
  these come in their place. The drive is a tar archive of the tables and of a tables.cfg, which
  build/acpi-kit.iso sources; so nothing is built for a boot. Works under both firmwares;
  wrong checksums and lengths survive. GRUB lists tables of its own making in XSDT and RSDT.
- Firmware files (fw_cfg): with `-machine acpi=off` QEMU makes no tables, and SeaBIOS places those
  that it is given, root table and RSDP too. For what is wrong with the root. Tables above 4 GiB,
  where SeaBIOS places nothing, are put into RAM there by a loader device.

    inject.py DRIVE TABLE...      writes a drive for build/acpi-kit.iso
"""

import io
import os
import shlex
import struct
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from hwlib import qemu  # noqa: E402

SIGNATURES = "SRAT,SLIT,APIC,HMAT"
DRIVE_BYTES = 1 << 20


# --- A drive for GRUB ---------------------------------------------------------------------------


def write_drive(path, tables):
    """`tables` as a drive that build/acpi-kit.iso loads them from."""
    # GRUB puts each in front of those before.
    files = " ".join(f"($tables)/{name}" for name, _ in reversed(tables))
    config = f"acpi --exclude={SIGNATURES} {files}\n".encode()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in [("tables.cfg", config), *tables]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    # GRUB's list of drives leaves out one that is smaller than a cylinder.
    os.truncate(path, max(DRIVE_BYTES, os.path.getsize(path)))


def drive_arguments(path):
    return ["-drive", f"file={qemu.quote(path)},if=virtio,format=raw,readonly=on"]


# --- Files for the firmware ---------------------------------------------------------------------

ZONE_HIGH, ZONE_FSEG = 1, 2


def _file_name(name):
    return name.encode().ljust(56, b"\0")


def _allocate(name, zone):
    return struct.pack("<I56sIB", 1, _file_name(name), 16, zone).ljust(128, b"\0")


def _add_pointer(where, offset, width, target):
    return struct.pack("<I56s56sIB", 2, _file_name(where), _file_name(target), offset,
                       width).ljust(128, b"\0")


def _add_checksum(name, offset, start, length):
    return struct.pack("<I56sIII", 3, _file_name(name), offset, start, length).ljust(128, b"\0")


class Root:
    """The root table of a machine to come: `old` is an RSDT, else it is an XSDT. It lists the tables,
    behind null entries, and then addresses that lead to none."""

    def __init__(self, *, old=True, null_entries=0, nowhere=()):
        self.signature, self.width = (b"RSDT", 4) if old else (b"XSDT", 8)
        self.null_entries, self.nowhere = null_entries, list(nowhere)

    def bytes(self, entries):
        listed = [0] * self.null_entries + entries + self.nowhere
        body = b"".join(entry.to_bytes(self.width, "little") for entry in listed)
        header = struct.pack("<4sIBB6s8sI4sI", self.signature, 36 + len(body), 1, 0, b"HIGHWT",
                             b"ACPI KIT", 1, b"KIT ", 1)
        return header + body

    def rsdp(self):
        """The pointer to it is made by the firmware: at 16 in an RSDP of revision 0, else at 24."""
        old = struct.pack("<8sB6sBI", b"RSD PTR ", 0, b"HIGHWT", 0 if self.width == 4 else 2, 0)
        return old if self.width == 4 else old + struct.pack("<IQB3x", 36, 0, 0)

    def script_for_rsdp(self, rsdp_name, tables_name):
        if self.width == 4:
            return _add_pointer(rsdp_name, 16, 4, tables_name) + _add_checksum(rsdp_name, 8, 0, 20)
        return (_add_pointer(rsdp_name, 24, 8, tables_name) + _add_checksum(rsdp_name, 8, 0, 20)
                + _add_checksum(rsdp_name, 32, 0, 36))


def write_firmware_files(directory, tables, root=None):
    """`tables` below a root table; returns QEMU's arguments.

    The firmware gets the tables as one file and a script: where to place the files, which
    offsets are to become addresses, which checksums are to be made (root and RSDP only).
    """
    root = root or Root()
    tables_name, rsdp_name = "etc/acpi/tables", "etc/acpi/rsdp"
    root_bytes = len(root.bytes([0] * len(tables)))
    body, offsets = b"", []
    for _, data in tables:
        body += bytes(-(root_bytes + len(body)) % 16)
        offsets.append(root_bytes + len(body))
        body += data
    script = _allocate(tables_name, ZONE_HIGH) + _allocate(rsdp_name, ZONE_FSEG)
    for index in range(len(tables)):
        at = 36 + root.width * (root.null_entries + index)
        script += _add_pointer(tables_name, at, root.width, tables_name)
    script += _add_checksum(tables_name, 9, 0, root_bytes)
    script += root.script_for_rsdp(rsdp_name, tables_name)
    return _firmware_file_arguments(directory, {
        tables_name: root.bytes(offsets) + body, rsdp_name: root.rsdp(),
        "etc/table-loader": script})


def write_high_tables(directory, tables, base, step=4096):
    """`tables` from `base` on, each at a multiple of `step` of its own, below an XSDT; returns QEMU's
    arguments. The firmware's map has RAM there, and no word of the tables."""
    arguments, places = [], []
    for name, data in tables:
        path = Path(directory) / f"high-{name}"
        path.write_bytes(data)
        arguments += ["-device", f"loader,file={qemu.quote(path)},addr={base:#x},force-raw=on"]
        places.append(base)
        base += -(-len(data) // step) * step
    return arguments + write_firmware_files(directory, [], Root(old=False, nowhere=places))


def _firmware_file_arguments(directory, files):
    arguments = []
    for name, data in files.items():
        path = Path(directory) / name.replace("/", "-")
        path.write_bytes(data)
        arguments += ["-fw_cfg", f"name={name},file={qemu.quote(path)}"]
    return arguments


def extra(arguments):
    """For hwlib.qemu.command(), which takes a text."""
    return shlex.join(arguments)


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 1
    drive, *paths = sys.argv[1:]
    # By number: two tables of one name may come from two directories.
    write_drive(drive, [(f"{number}.aml", Path(path).read_bytes())
                        for number, path in enumerate(paths)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
