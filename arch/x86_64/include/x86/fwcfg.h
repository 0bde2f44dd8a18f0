/* QEMU's fw_cfg device: files that a run passes in without rebuilding the ISO. */
#ifndef X86_FWCFG_H
#define X86_FWCFG_H

#include <base/types.h>

/* Reads up to size - 1 bytes of the file and ends them with NUL. Returns the file's length,
 * -ENODEV without the device, -ENOENT without the file. Bounded on any content. */
int fwcfg_read_file(const char *name, char *buf, size_t size);

#endif
