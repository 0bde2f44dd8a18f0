"""The project's gdb commands, loaded by `make gdb` into a gdb that looks at `make debug`.

    hw boot             run to kmain
    hw zones            every node's zones: pages, marks, free blocks
    hw page PFN|ADDR    the struct page of a frame number, or of an address in the direct map
    hw memblock         early memory: what is RAM, what is taken and by whom
"""

import gdb

VMEMMAP_BASE = 0xFFFFEA0000000000
DIRECT_MAP_BASE = 0xFFFF888000000000
PAGE_SHIFT = 12
MAX_NUMNODES = 64


def value(expression):
    return gdb.parse_and_eval(expression)


class Highwater(gdb.Command):
    """Highwater's own commands: hw boot, hw zones, hw page PFN|ADDR, hw memblock."""

    def __init__(self):
        super().__init__("hw", gdb.COMMAND_USER, prefix=True)


class Boot(gdb.Command):
    """Run to kmain. Paging is set up on the way, so the breakpoint must be the hardware's."""

    def __init__(self):
        super().__init__("hw boot", gdb.COMMAND_RUNNING)

    def invoke(self, _text, _from_tty):
        gdb.execute("thbreak kmain")
        gdb.execute("continue")


class Zones(gdb.Command):
    """Every node's zones: managed and free pages, marks, free blocks by order."""

    def __init__(self):
        super().__init__("hw zones", gdb.COMMAND_DATA)

    def invoke(self, _text, _from_tty):
        for nid in range(MAX_NUMNODES):
            node = value(f"node_data[{nid}]")
            if not int(node):
                continue
            zones = node["zones"]
            first, last = zones.type.range()
            for zone in (zones[i] for i in range(first, last + 1)):
                if int(zone["managed_pages"]):
                    self.show(nid, zone)

    @staticmethod
    def show(nid, zone):
        areas = zone["free_area"]
        blocks = [int(areas[i]["nr_free"]) for i in range(areas.type.range()[1] + 1)]
        marks = [int(zone["watermark"][i]) for i in range(3)]
        print(f"node {nid} {zone['type']}: pfn {int(zone['start_pfn']):#x}, "
              f"{int(zone['managed_pages'])} managed, {int(zone['nr_free_pages'])} free, "
              f"marks {marks}")
        print(f"    free blocks by order: {blocks}")


class Page(gdb.Command):
    """The struct page of a frame number, or of an address in the direct map."""

    def __init__(self):
        super().__init__("hw page", gdb.COMMAND_DATA)

    def invoke(self, text, _from_tty):
        number = int(value(text)) & (1 << 64) - 1
        pfn = number if number < DIRECT_MAP_BASE else (number - DIRECT_MAP_BASE) >> PAGE_SHIFT
        page = value(f"((struct page *){VMEMMAP_BASE:#x} + {pfn})").dereference()
        state = page["state"].cast(gdb.lookup_type("enum page_state"))
        zone = page["zone"].cast(gdb.lookup_type("enum zone_type"))
        print(f"pfn {pfn:#x} (phys {pfn << PAGE_SHIFT:#x}): {state}, order {int(page['order'])}, "
              f"node {int(page['nid'])}, {zone}")


class Memblock(gdb.Command):
    """Early memory: what is RAM of which node, what is taken and by whom."""

    def __init__(self):
        super().__init__("hw memblock", gdb.COMMAND_DATA)

    def invoke(self, _text, _from_tty):
        for name in ("memory", "reserved"):
            regions = value(name)
            for i in range(int(regions["nr"])):
                region = regions["region"][i]
                print(f"{name}: [{int(region['base']):#x}, {int(region['end']):#x}) "
                      f"{int(region['attr'])}")


Highwater()
Boot()
Zones()
Page()
Memblock()
gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("target remote 127.0.0.1:1234")
print("Attached. `hw boot` runs to kmain; `help hw` lists more.")
