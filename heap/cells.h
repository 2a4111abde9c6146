/*
 * Cells: memory for small objects that never move. *Slabs* of a region's size are cut into *blocks*, and each of these into
 * cells of one size class: a block is an eighth of a slab, for large cells two or four eighths, or all of it. Objects with slots are in slabs that are regions
 * (REGION_PINNED); pointer-free ones in slabs that are runs of pages of the data space (RUN_BLOCK), which is never stale [io].
 * For these *live* is their mark [fixed].
 *
 * [cells] Two bits of each cell say what it is. *Taken*: it holds an object, or a mutator has it in reserve; *live* is what
 * it is for all objects [live]. A cell is free when it has neither.
 *
 *   taken, not live   outside of marking, or while it runs, an object that is not marked; from the end of marking until the
 *                     sweep such an object is dead
 *   taken, live       an object that was marked, or survived the last marking
 *   live, not taken   born [born-live]: reserved since its mutator was scanned. Nobody looks at its slots while marking:
 *                     it may be half made, or not made at all
 *
 * A reserved cell is zero, and that its header is not zero any more says that it holds an object; this word is
 * written first, and all at once. So whoever finds a taken or live cell knows an object by its header, at any time.
 *
 * A block is owned by one mutator, or by nobody, and then on its class's list if it has free cells. One that holds nothing, and
 * that nobody owns, is given up, and a slab without blocks is given back. A block's owner goes through it
 * word by word of the bitmaps, and takes all free cells of a word at once (cell_cache.h).
 *
 * What happens in a cycle, and why no cell is given out twice or lost:
 *
 *  - cells_begin_cycle makes what is live taken, before live bits are cleared: what was reserved after the last
 *    sweep by mutators that still recorded is live only. The races: the owner looks at `live` first, then at `taken`; the
 *    collector writes `taken` first, then `live`. So the owner sees the bit in one of them.
 *  - When mutators are scanned, each gives up what it did not use in the cycle before, and makes what it has in reserve
 *    live instead of taken: first not taken, then live, since a tracer takes what is both for marked.
 *  - cells_sweep, from the end of marking until mutators stop recording: what is not live is not taken any more. All mutators
 *    only set live bits then, so nobody else writes `taken` of the words that are swept; an owner that looks at a word
 *    meanwhile finds dead cells taken or free, either of which is true. Cells are zeroed when they are reserved.
 *  - In the flip what is in reserve becomes taken instead of live: pages are built by live bits, and there is nothing
 *    to build.
 *
 * A sweep goes over two bits a granule, a hundredth of what it sweeps, so it is the collector's and done at once; what is
 * proportional to the memory, finding and zeroing single cells, is left to who allocates, a word at a time.
 *
 * Who writes what: `taken` by fetch-and-or and -and: a block's owner, and the collector as above; `index` under `lock`, with
 * release when the block is complete; all else of blocks and slabs, and the lists, under `lock`, which is held for a few words of
 * tables only and while touching no object [fault-free].
 */
#ifndef SHALE_HEAP_CELLS_H
#define SHALE_HEAP_CELLS_H

#include "heap/atomic.h"
#include "heap/size_class.h"
#include "heap/views.h"

#include <pthread.h>

struct memory;

/* Cells of each class are kept apart by what is in them. */
enum cell_kind { CELLS_WITH_SLOTS, CELLS_POINTER_FREE, CELL_KINDS };

/* Of classes and kinds together; and of what fits none. */
enum { CELL_INDICES = SIZE_CLASS_COUNT * CELL_KINDS, CELL_INDEX_NONE = CELL_INDICES };
_Static_assert(SHALE_CELL_RUNS == CELL_INDICES + 1, "<shale/inline.h> has another number of runs");

struct cell_block {
    size_t start;      /* offset */
    atomic_u64 *live;  /* bits of its granules */
    atomic_u64 *taken; /* the same */
    atomic_u8 index;   /* one more than that of its class and kind; 0: there is no block */
    bool owned;        /* by a mutator */
    bool listed;       /* in with_free */
    bool clean;        /* its memory is zero, but for cells that its owner has reserved */
    uint32_t free;     /* cells that were free when it was put on the list */
    struct cell_block *next;
    struct cell_block *previous;
};

enum { SLAB_BLOCKS = REGION_SIZE / SMALL_BLOCK_SIZE };

struct cell_slab {
    size_t start;
    uint8_t used;  /* a bit for each eighth that is part of a block; all: there is no room for one */
    uint8_t clean; /* a bit for each eighth in which there never was one, of zeros */
    bool listed;   /* in with_room */
    struct cell_slab *next;
    struct cell_slab *previous;
    struct cell_slab *next_with_room;
    struct cell_slab *previous_with_room;
    struct cell_block blocks[SLAB_BLOCKS]; /* by the eighth that they begin with */
};

struct cells {
    pthread_mutex_t lock;
    struct size_class classes[SIZE_CLASS_COUNT];
    struct cell_slab
        *slabs[CELL_KINDS];        /* of a space, by where they start in regions from the space's start */
    atomic_u64 *taken[CELL_KINDS]; /* per granule of the space */
    struct cell_slab *all;
    struct cell_slab *with_room[CELL_KINDS];
    struct cell_block *with_free[CELL_INDICES];
    atomic_u64 slab_bytes; /* of all slabs */
    atomic_u64 free_bytes; /* of free cells in blocks on lists, and of slabs where there is no block */
};

/* Bytes of each table that cells_init is given, zeroed. */
enum { CELL_TABLES = 2 * CELL_KINDS };
void cells_table_sizes(const struct views *views, size_t sizes[CELL_TABLES]);
void cells_init(struct cells *cells, void *const tables[CELL_TABLES]);
void cells_destroy(struct cells *cells);

static inline unsigned cell_index(size_t size, bool pointer_free)
{
    return size_class_of(size) * CELL_KINDS + (pointer_free ? CELLS_POINTER_FREE : CELLS_WITH_SLOTS);
}

static inline const struct size_class *cell_class(const struct cells *cells, unsigned index)
{
    return &cells->classes[index / CELL_KINDS];
}

/* ---- mutators -------------------------------------------------------------------------------------- */

/* A block with free cells becomes the caller's: one from the list, or a new one; for which a region may be taken, if there
 * are more than `reserve` free ones (`fresh`). NULL: there is none. */
struct cell_block *cells_take_block(struct memory *memory, unsigned index, uint32_t reserve, bool *fresh);

/* Gives an owned block back, for others to have if it has free cells; those of one word that were in reserve are. */
void cells_return_block(struct memory *memory, struct cell_block *block, unsigned word, uint64_t reserved);

/* Cells of one word of an owned block, which are free or in reserve, are in reserve from now on: taken, or live [born-live]. */
void cells_reserve_taken(struct cell_block *block, unsigned word, uint64_t cells);
void cells_reserve_born(struct memory *memory, struct cell_block *block, unsigned word, uint64_t cells);

/* ---- the collector --------------------------------------------------------------------------------- */

/* Before live bits are cleared; clears those that are marks of fixed objects. */
void cells_begin_cycle(struct memory *memory);

/* Marking is complete and all mutators record: what is not live is free, and slabs that hold nothing are given back. Returns
 * how many regions these were. */
region_number cells_sweep(struct memory *memory);

/* ---- anyone ---------------------------------------------------------------------------------------- */

/* The offset of the object whose cell contains the byte at an offset, its header included; OFFSET_NONE when there is no block,
 * or no object in the cell. While mutators allocate and the collector sweeps. */
size_t cells_object(const struct memory *memory, size_t offset);

/* Whether the object in a pinned region's cell was born in the running cycle; until the sweep. Its live bit was read
 * before, with acquire. */
bool cells_is_born(const struct memory *memory, size_t offset);

/* Regions' worth of free cells that mutators can have without taking regions. */
static inline uint32_t cells_spare(const struct cells *cells)
{
    return (uint32_t)(atomic_u64_load(&cells->free_bytes) >> REGION_SHIFT);
}

#endif
