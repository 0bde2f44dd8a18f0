"""Loads the project's gdb commands and pretty printers: `source tools/gdb/highwater.py`.

`make gdb` does that and attaches. Sourced a second time it takes the files as they are by then.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
directory = str(Path(__file__).resolve().parent)
if directory not in sys.path:
    sys.path.insert(0, directory)
for name in [name for name in sys.modules if name.split(".")[0] == "hwgdb"]:
    del sys.modules[name]

import hwgdb  # noqa: E402

hwgdb.load()
