#!/usr/bin/env python3
"""Writes compile_commands.json for editors: compdb.py COMMAND FILE... [-- COMMAND FILE...]..."""

import json
import os
import sys


def entries(arguments):
    while arguments:
        end = arguments.index("--") if "--" in arguments else len(arguments)
        command, files = arguments[0], arguments[1:end]
        for file in files:
            yield {"directory": os.getcwd(), "file": file, "command": f"{command} -c {file}"}
        arguments = arguments[end + 1 :]


json.dump(list(entries(sys.argv[1:])), sys.stdout, indent=1)
print()
