/* memory.c: the host's memory, or malloc's. */
#include "internal.h"

#include <sys/mman.h>

void *memory_allocate(const Memory *memory, size_t bytes, size_t alignment) {
  if (bytes > PTRDIFF_MAX - HUGE_PAGE) return NULL;
  if (bytes == 0) bytes = 1;
  if (memory->allocate) return memory->allocate(memory->host, bytes, alignment);
  size_t huge = (bytes + HUGE_PAGE / 2) / HUGE_PAGE * HUGE_PAGE; /* a last page that is half full is huge, too */
  if (huge) alignment = HUGE_PAGE;
  if (bytes < huge) bytes = huge;
  void *block;
  if (posix_memalign(&block, alignment, bytes)) return NULL;
#ifdef MADV_HUGEPAGE
  if (huge) madvise(block, huge, MADV_HUGEPAGE);
#endif
  return block;
}

void memory_free(const Memory *memory, void *block) {
  if (!block) return;
  if (memory->deallocate) memory->deallocate(memory->host, block);
  else free(block);
}

void memory_populate(const Memory *memory, void *block, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  uintptr_t begin = round_up((uintptr_t)block, PAGE), end = ((uintptr_t)block + bytes) / PAGE * PAGE;
  if (!memory->allocate && begin < end) madvise((void *)begin, end - begin, MADV_POPULATE_WRITE);
#else
  (void)memory, (void)block, (void)bytes;
#endif
}

bool block_reserve(Block *block, const Memory *memory, size_t bytes, size_t alignment) {
  if (block->data && bytes <= block->capacity) return true;
  size_t grown = block->capacity + block->capacity / 4;
  block_free(block, memory);
  if (bytes < grown) bytes = grown;
  if (bytes == 0) bytes = 1;
  block->data = memory_allocate(memory, bytes, alignment);
  block->capacity = block->data ? bytes : 0;
  return block->data != NULL;
}

bool block_grow(Block *block, const Memory *memory, size_t bytes, size_t alignment) {
  if (block->data && bytes <= block->capacity) return true;
  size_t doubled = 2 * block->capacity;
  if (bytes < doubled) bytes = doubled;
  if (bytes == 0) bytes = 1;
  void *data = memory_allocate(memory, bytes, alignment);
  if (!data) return false;
  if (block->capacity) memcpy(data, block->data, block->capacity);
  block_free(block, memory);
  *block = (Block){.data = data, .capacity = bytes};
  return true;
}

void block_free(Block *block, const Memory *memory) {
  memory_free(memory, block->data);
  *block = (Block){0};
}
