/*
 * Building the memory map and giving the free frames to the buddy allocator. Boot only.
 */
#ifndef MM_MEMMAP_H
#define MM_MEMMAP_H

/* Populates and fills the map; every RAM frame is TAIL until memmap_hand_over(). */
void memmap_init(void);
/* Marks what memblock has reserved, donates the rest, and closes memblock. */
void memmap_hand_over(void);

#endif
