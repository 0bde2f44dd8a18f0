"""Every instruction of the page allocator's hit paths has been interrupted: what the kernel suite
pcp_step says it reached, against the disassembly of the same kernel.
"""

import re
import subprocess

from hwlib import guest

FUNCTIONS = ["alloc_pages_node", "alloc_pages", "get_free_pages", "__free_pages", "free_pages"]
# Ends of ways that no test survives, and the one that single-stepping cannot see: it keeps preemption off.
NEVER = r"call +\w+ <(report_bad_\w+|pcp_report_bad_page|preempt_schedule_thunk)"


def disassembly(elf, function):
    """Offset -> text of each instruction, without the padding after the last one."""
    done = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", elf],
                          stdout=subprocess.PIPE, text=True, check=True)
    lines = re.findall(r"^(ffffffff\w{8}):\t(.*?) *$", done.stdout, re.MULTILINE)
    start = int(lines[0][0], 16)
    return {int(address, 16) - start: text for address, text in lines}


def is_padding(text):
    return re.match(r"(data16 |cs )*(nop|xchg +%ax,%ax)", text) is not None


def never_reached(code):
    """Offsets of the calls that are never made, and of what only leads to them."""
    offsets, never = sorted(code), set()
    targets = {int(m[1], 16) for text in code.values()
               if (m := re.match(r"j\w+ +\w+ <\w+\+0x(\w+)>", text))}
    for i, offset in enumerate(offsets):
        if not re.match(NEVER, code[offset]):
            continue
        never.add(offset)
        # Backwards through its arguments, to where something jumps to or the way before ends.
        while "preempt" not in code[offset] and offset not in targets and i > 0:
            i -= 1
            offset = offsets[i]
            if re.match(r"(j|ret|call)", code[offset]):
                break
            never.add(offset)
    return never


def reached(output):
    seen = {function: set() for function in FUNCTIONS}
    for function, offsets in re.findall(r"^ *# say_what_was_reached: (\w+):((?: [0-9a-f]+)+)$",
                                        output, re.MULTILINE):
        seen[function] |= {int(offset, 16) for offset in offsets.split()}
    return seen


def test_every_instruction_of_the_hit_paths(build, boot, check_ktap):
    outcome = boot("two", "test=single_step,pcp_step", test=True)
    check_ktap(outcome)
    assert outcome.code == guest.SUCCESS, outcome.reason
    for function, seen in reached(outcome.output).items():
        code = disassembly(build / "highwater.elf", function)
        wanted = {at for at, text in code.items() if not is_padding(text)} - never_reached(code)
        missed = [f"+{at:#x} {code[at]}" for at in sorted(wanted - seen)]
        print(f"{function}: {len(wanted)} instructions, {len(missed)} not reached")
        assert not missed, f"{function}: {missed}"
