"""Rules that make a machine larger than the kernel was built for, or as large."""

import kit
from subject import (MAX_APIC_ID, MAX_ENTRIES, MAX_NODES, cpu_entry, lapic_entry, memory_entry, rule,
                     x2apic_cpu_entry, x2apic_entry)

MIB = 1 << 20


def many_nodes(subject, count):
    """The machine's tables replaced: `count` domains of 16 MiB, and its first CPU in the last."""
    if subject.name != "two":
        return False
    subject.guest["memory"] = f"{count * 16}M"
    subject.parts.pop("slit")
    domains = [10 * number for number in range(count)]
    subject.srat.entries = [memory_entry(domain, number * 16 * MIB, 16 * MIB)
                            for number, domain in enumerate(domains)]
    subject.srat.entries.append(cpu_entry(domains[-1], 0))
    subject.apic.entries = [lapic_entry(0, 0)]
    last = min(count, MAX_NODES) - 1
    ranges = [kit.topology_range(number * 16 * MIB, (number + 1) * 16 * MIB, number)
              for number in range(last)]
    ranges.append(kit.topology_range(last * 16 * MIB, count * 16 * MIB, last))
    subject.expect.update(nodes=last + 1, domains=domains[: last + 1], ranges=ranges,
                          cpus=[{"apic_id": 0, "node": last}], notes=["no SLIT"])
    subject.default_distances()
    return True


@rule
def many_16_nodes(subject):
    """16 nodes of 16 MiB."""
    return many_nodes(subject, 16)


@rule
def many_64_nodes(subject):
    """As many nodes as the kernel was built for."""
    return many_nodes(subject, MAX_NODES)


@rule
def many_70_nodes(subject):
    """Six more: their memory joins the last one."""
    if not many_nodes(subject, 70):
        return False
    subject.note("more than 64 domains: those above domain 630 join node 63")


@rule
def many_cpus(subject):
    """600 CPUs in SRAT and MADT: 512 are kept, and those used whose ids are below 255."""
    if subject.name != "two":
        return False
    memory = subject.srat.memory()
    subject.srat.entries = [x2apic_cpu_entry(number & 1, number) for number in range(600)] + memory
    subject.apic.entries = [x2apic_entry(number, number) for number in range(600)]
    subject.expect["cpus"] = [{"apic_id": number, "node": number & 1}
                              for number in range(MAX_APIC_ID + 1)]
    too_high = MAX_ENTRIES - MAX_APIC_ID - 1
    subject.note(f"{too_high} CPUs with an APIC id above {MAX_APIC_ID} .first: {MAX_APIC_ID + 1}.")
    subject.note("SRAT: 88 entries more than fit")
    subject.note("MADT: 88 CPUs more than fit")


@rule
def many_empty_sockets(subject):
    """600 disabled CPUs and 600 empty ranges before what is there: they are left out first."""
    if subject.name != "two":
        return False
    srat, apic = subject.srat, subject.apic
    in_madt = [entry for entry in apic.entries if entry[0] in (0, 9)]
    dropped = [600 + len(entries) - MAX_ENTRIES
               for entries in (srat.cpus(), srat.memory(), in_madt)]
    srat.entries = ([x2apic_cpu_entry(77, 5000 + number, 0) for number in range(600)]
                    + [memory_entry(77, 0, 0, 0) for _ in range(600)] + srat.entries)
    apic.entries = [x2apic_entry(5000 + number, number, 0) for number in range(600)] + apic.entries
    subject.note(f"SRAT: {dropped[0] + dropped[1]} entries more than fit")
    subject.note(f"MADT: {dropped[2]} CPUs more than fit")


@rule
def many_ranges(subject):
    """600 ranges of 1 MiB, every second one missing: 512 are kept."""
    if subject.name != "two":
        return False
    subject.guest["memory"] = "2G"
    subject.srat.entries = subject.srat.cpus()
    subject.srat.entries += [memory_entry(number & 1, 2 * number * MIB, MIB) for number in range(600)]
    subject.expect["ranges"] = [kit.topology_range(2 * number * MIB, (2 * number + 1) * MIB, number & 1)
                                for number in range(MAX_ENTRIES)]
    subject.note("SRAT: 88 entries more than fit")
    subject.note("2 nodes .first: 0. with others' memory between")
