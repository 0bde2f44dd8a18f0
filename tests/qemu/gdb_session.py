"""Runs inside gdb, for gdb_guest.py: executes commands one by one and keeps what each said.

HIGHWATER_GDB_SESSION names a JSON file with a list of commands; the answers go to the same name
with .answers: for each command its text, and whether it failed. At the end the guest is let go on,
also after a command that broke the session, so that it is not killed with gdb.
"""

import json
import os

import gdb


def execute(command):
    try:
        return {"text": gdb.execute(command, to_string=True), "failed": False}
    except gdb.error as error:
        return {"text": str(error), "failed": True}


def main():
    path = os.environ["HIGHWATER_GDB_SESSION"]
    with open(path, encoding="utf-8") as file:
        commands = json.load(file)
    try:
        answers = [execute(command) for command in commands]
    finally:
        if gdb.selected_thread() is not None:
            gdb.execute("detach")
    with open(path + ".answers", "w", encoding="utf-8") as file:
        json.dump(answers, file)


gdb.execute("set pagination off")
gdb.execute("set width 0")
gdb.execute("set python print-stack full")  # a traceback must not hide
main()
