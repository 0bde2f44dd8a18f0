#!/usr/bin/env python3
"""Ways to put a machine's tables in front of the kernel in QEMU.

- A second drive, and GRUB's `acpi` command: the tables of QEMU with the same signatures are left out,
  these come in their place. The drive is a tar archive of the tables and of a tables.cfg, which
  build/acpi-kit.iso sources; so nothing is built for a boot. Works under both firmwares;
  wrong checksums and lengths survive. GRUB lists tables of its own making in XSDT and RSDT.
- Firmware files (fw_cfg): with `-machine acpi=off` QEMU makes no tables, and SeaBIOS places those
  that it is given, root table and RSDP too. For what is wrong with the root.

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


def write_firmware_files(directory, tables, null_entries=0):
    """`tables` below an RSDT that begins with null entries; returns QEMU's arguments.

    The firmware gets the tables as one file and a script: where to place the files, which
    offsets are to become addresses, which checksums are to be made (root and RSDP only).
    """
    tables_name, rsdp_name = "etc/acpi/tables", "etc/acpi/rsdp"
    rsdt_bytes = 36 + 4 * (null_entries + len(tables))
    header = struct.pack("<4sIBB6s8sI4sI", b"RSDT", rsdt_bytes, 1, 0, b"HIGHWT", b"ACPI KIT", 1,
                         b"KIT ", 1)
    body, offsets = b"", []
    for _, data in tables:
        body += bytes(-(rsdt_bytes + len(body)) % 16)
        offsets.append(rsdt_bytes + len(body))
        body += data
    pointers = [0] * null_entries + offsets
    blob = header + struct.pack(f"<{len(pointers)}I", *pointers) + body
    script = _allocate(tables_name, ZONE_HIGH) + _allocate(rsdp_name, ZONE_FSEG)
    for index in range(null_entries, len(pointers)):
        script += _add_pointer(tables_name, 36 + 4 * index, 4, tables_name)
    script += _add_checksum(tables_name, 9, 0, rsdt_bytes)
    script += _add_pointer(rsdp_name, 16, 4, tables_name) + _add_checksum(rsdp_name, 8, 0, 20)
    rsdp = struct.pack("<8sB6sBI", b"RSD PTR ", 0, b"HIGHWT", 0, 0)

    arguments = []
    for name, data in ((tables_name, blob), (rsdp_name, rsdp), ("etc/table-loader", script)):
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
