#!/usr/bin/env python3
"""Reads what the kernel wrote to COM2 while it traced (`make run TRACE=file`, then `trace on`).

Lists the records of all CPUs in the order of their time; --summary counts them by event and CPU,
--json writes all of it for another program. What is wrong with the file goes to standard error, and
then the exit code is 1; what could be read is shown all the same.
"""

import argparse
import collections
import json
import os
import sys

from hwlib import tracefile


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file")
    parser.add_argument("--event", action="append", metavar="NAME", help="only these; several may be given")
    parser.add_argument("--cpu", action="append", type=int, metavar="N", help="only of these CPUs")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--summary", action="store_true", help="counts by event and CPU")
    form.add_argument("--json", action="store_true", help="everything, one object")
    return parser.parse_args()


def chosen(session, options):
    for record in session.in_time():
        if ((not options.event or session.event(record) in options.event)
                and (not options.cpu or record.cpu in options.cpu)):
            yield record


def value_text(name, value):
    return f"{name} 0x{value:x}" if name == "pfn" else f"{name} {value}"


def line(session, record):
    us = session.time_ns(record) // 1000
    fields = " ".join(value_text(*item) for item in session.fields(record).items())
    return f"[{us // 1000000:5}.{us % 1000000:06}] cpu {record.cpu:<2} {session.event(record):17} {fields}"


def heading(number, session, many):
    lost = sum(cpu.lost for cpu in session.cpus.values())
    return (f"# {f'session {number}: ' if many else ''}{len(session.records)} records of "
            f"{len(session.cpus)} CPUs, {lost} lost{'' if session.ended else ', no end'}")


def summary(session, options):
    counts = collections.Counter((session.event(r), r.cpu) for r in chosen(session, options))
    cpus = sorted(session.cpus)
    shown = [name for name in session.events if any(counts[name, cpu] for cpu in cpus)]
    width = max([len(name) for name in shown] + [5])
    yield f"{'event':{width}}" + "".join(f"{f'cpu {cpu}':>10}" for cpu in cpus) + f"{'all':>10}"
    for name in shown:
        row = [counts[name, cpu] for cpu in cpus]
        yield f"{name:{width}}" + "".join(f"{count:>10}" for count in [*row, sum(row)])
    lost = [session.cpus[cpu].lost for cpu in cpus]
    yield f"{'(lost)':{width}}" + "".join(f"{count:>10}" for count in [*lost, sum(lost)])


def as_json(reader, options):
    return {
        "sessions": [{
            "ticks_per_second": session.ticks_per_second,
            "ended": session.ended,
            "cpus": [{"cpu": number, "node": cpu.node, "records": cpu.records, "lost": cpu.lost}
                     for number, cpu in sorted(session.cpus.items())],
            "records": [{"time_ns": session.time_ns(record), "cpu": record.cpu,
                         "sequence": record.sequence, "event": session.event(record),
                         **session.fields(record)} for record in chosen(session, options)],
        } for session in reader.sessions],
        "problems": reader.problems,
    }  # fmt: skip


def show(reader, options):
    if options.json:
        json.dump(as_json(reader, options), sys.stdout, indent=1)
        print()
        return
    for number, session in enumerate(reader.sessions, 1):
        print(heading(number, session, len(reader.sessions) > 1))
        if options.summary:
            print("\n".join(summary(session, options)))
        else:
            for record in chosen(session, options):
                print(line(session, record))


def main():
    options = arguments()
    try:
        with open(options.file, "rb") as file:
            data = file.read()
    except OSError as error:
        print(f"trace: {options.file}: {error.strerror}", file=sys.stderr)
        return 1
    reader = tracefile.Reader().read(data)
    try:
        show(reader, options)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    for problem in reader.problems:
        print(f"trace: {options.file}: {problem}", file=sys.stderr)
    return 1 if reader.problems else 0


if __name__ == "__main__":
    sys.exit(main())
