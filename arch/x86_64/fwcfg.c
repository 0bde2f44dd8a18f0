/*
 * QEMU's fw_cfg device: files that a run passes in without rebuilding the ISO.
 *
 * One port selects an item, another gives its bytes one after the other. Item 0 holds a signature,
 * item 0x19 the directory of named files: a count, then entries of 64 bytes, all big-endian.
 * Reading past an item's end gives zeroes, so nothing here can hang; the count is bounded
 * nevertheless, since on a machine without the device it is whatever the bus answers.
 *
 * Source: QEMU, docs/specs/fw_cfg.rst.
 */
#include <x86/fwcfg.h>
#include <x86/io.h>

#include <base/assert.h>
#include <base/errno.h>
#include <base/string.h>

#define FWCFG_SELECTOR   0x510
#define FWCFG_DATA       0x511

#define ITEM_SIGNATURE   0x0000
#define ITEM_DIRECTORY   0x0019

#define FWCFG_NAME_BYTES 56
#define FWCFG_MAX_FILES  4096
#define FWCFG_MAX_LENGTH 0x7fffffffu

struct fwcfg_file {
	u32 length;
	u16 item;
	char name[FWCFG_NAME_BYTES];
};

static void read_bytes(void *to, size_t nr)
{
	u8 *bytes = to;

	for (size_t i = 0; i < nr; i++)
		bytes[i] = inb(FWCFG_DATA);
}

static u32 read_big_endian(u32 nr_bytes)
{
	u32 value = 0;

	for (u32 i = 0; i < nr_bytes; i++)
		value = value << 8 | inb(FWCFG_DATA);
	return value;
}

static bool device_present(void)
{
	char signature[4];

	outw(FWCFG_SELECTOR, ITEM_SIGNATURE);
	read_bytes(signature, sizeof(signature));
	return memcmp(signature, "QEMU", sizeof(signature)) == 0;
}

static bool find_file(const char *name, struct fwcfg_file *file)
{
	u32 nr_files;

	outw(FWCFG_SELECTOR, ITEM_DIRECTORY);
	nr_files = MIN(read_big_endian(4), (u32)FWCFG_MAX_FILES);
	for (u32 i = 0; i < nr_files; i++) {
		file->length = read_big_endian(4);
		file->item = (u16)read_big_endian(2);
		read_big_endian(2); /* reserved */
		read_bytes(file->name, FWCFG_NAME_BYTES);
		if (strnlen(file->name, FWCFG_NAME_BYTES) < FWCFG_NAME_BYTES &&
		    strcmp(file->name, name) == 0)
			return true;
	}
	return false;
}

int fwcfg_read_file(const char *name, char *buf, size_t size)
{
	struct fwcfg_file file;
	size_t nr;

	ASSERT(size > 0);
	buf[0] = '\0';
	if (!device_present())
		return -ENODEV;
	if (!find_file(name, &file))
		return -ENOENT;
	nr = MIN((size_t)file.length, size - 1);
	outw(FWCFG_SELECTOR, file.item);
	read_bytes(buf, nr);
	buf[nr] = '\0';
	return (int)MIN(file.length, FWCFG_MAX_LENGTH);
}
