"""What a command is: a name, a help text, and a run() that may fail in one line.

Failing is normal here: the kernel is not there yet, a pointer leads nowhere, a word is misspelt.
run() and what it calls raise HwError with a sentence, or let gdb's own error through; the user
gets either as one line behind the command's name.
"""

import gdb

COMMANDS = {}  # name: class


class HwError(Exception):
    """What is wrong, as a sentence for the user."""


class Limit(gdb.Parameter):
    """The most entries of one list that a hw- command or a printer follows."""

    set_doc = "Set the most entries of one list that a hw- command or a printer follows."
    show_doc = "Show the most entries of one list that a hw- command or a printer follows."

    def __init__(self):
        super().__init__("hw-limit", gdb.COMMAND_DATA, gdb.PARAM_ZUINTEGER)
        self.value = 1000

    def get_set_string(self):
        return ""

    def get_show_string(self, text):
        return f"hw- commands follow a list for {text} entries."


_limit = Limit()


def limit():
    return _limit.value


class Command(gdb.Command):
    """A subclass has name, run(text) and a docstring, which is what `help` shows."""

    name = ""
    kind = gdb.COMMAND_DATA
    complete_with = gdb.COMPLETE_EXPRESSION

    def __init__(self):
        super().__init__(self.name, self.kind, self.complete_with)

    def invoke(self, text, _from_tty):
        try:
            self.run(text.strip())
        except (HwError, gdb.error) as error:
            raise gdb.GdbError(f"{self.name}: {error}") from None
        except Exception as error:  # a defect of ours is no reason for a traceback either
            kind = type(error).__name__
            raise gdb.GdbError(f"{self.name}: a defect of this command: {kind}: {error}") from error

    def run(self, text):
        raise NotImplementedError


def register(cls):
    COMMANDS[cls.name] = cls
    cls()
    return cls


def words(text, most, usage):
    """The arguments, of which there are at most so many."""
    arguments = text.split()
    if len(arguments) > most:
        raise HwError(f"usage: {usage}")
    return arguments


def show_table(heads, rows, left=()):
    """Columns as wide as they must be; those whose index is in `left` are text."""
    lines = [list(map(str, row)) for row in (heads, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        cells = (cell.ljust(width) if i in left else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths)))
        print("  ".join(cells).rstrip())


@register
class Overview(Command):
    """hw: lists Highwater's commands.

`help NAME` tells more, with an example."""

    name = "hw"
    complete_with = gdb.COMPLETE_NONE

    def run(self, _text):
        for name, cls in sorted(COMMANDS.items()):
            first = cls.__doc__.split("\n", 1)[0].partition(": ")[2]
            print(f"{name:12} {first}")
