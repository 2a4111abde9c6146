/*
 * Slabs and blocks of cells: which there are, what they are cut from, and on which lists they are. heap/cells.h says what for.
 *
 * [slabs] A block takes up some neighbouring parts of a slab, as many as its class needs (cell_class_parts), from a multiple of
 * as many on; no two blocks share one. A block is on its class's list if nobody owns it and it has free cells. A slab is on that of
 * its kind if some of its parts are in use and some are not.
 *
 * All functions are called with the lock of the cells held, but for those that say otherwise.
 */
#ifndef SHALE_HEAP_CELL_SLABS_H
#define SHALE_HEAP_CELL_SLABS_H

#include "heap/memory.h"

static inline unsigned cell_block_index(const struct cell_block *block)
{
    return (unsigned)atomic_u8_load(&block->index) - 1;
}

static inline enum cell_kind cell_kind_of(unsigned index)
{
    return index % CELL_KINDS;
}

static inline const struct size_class *cell_block_class(const struct cells *cells,
                                                        const struct cell_block *block)
{
    return cell_class(cells, cell_block_index(block));
}

/* Parts of a slab that a block of the class takes up: a power of two. */
static inline unsigned cell_class_parts(const struct size_class *class)
{
    return class->words / SMALL_BLOCK_WORDS;
}

/* Puts a block that nobody owns on its list, if it has free cells. */
void cell_block_list(struct cells *cells, struct cell_block *block, uint32_t free);
void cell_block_unlist(struct cells *cells, struct cell_block *block);

/* A block with free cells, or in a slab with room, becomes the caller's. NULL: there is none. */
struct cell_block *cell_block_find(struct memory *memory, unsigned index);

/* Nobody finds the block any more. */
void cell_block_unmake(struct cells *cells, struct cell_slab *slab, struct cell_block *block);

/* Memory for a slab, leaving `reserve` free regions; NULL: there is none. No lock is held. */
struct cell_slab *cell_slab_take(struct memory *memory, enum cell_kind kind, uint32_t reserve);

/* It becomes one, and a block in it the caller's. */
struct cell_block *cell_slab_add(struct memory *memory, struct cell_slab *slab, unsigned index);

/* A slab without blocks is none any more; then its memory is given back, with no lock held. */
void cell_slab_remove(struct cells *cells, struct cell_slab *slab);
void cell_slab_give_back(struct memory *memory, const struct cell_slab *slab);

#endif
