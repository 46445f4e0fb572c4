/* guarded.h: memory that ends at a page that nothing may touch. A program that includes it has REQUIRE(condition, words, ...) before. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

typedef struct Block {
  char *data, *pages;
  size_t length;
  struct Block *next;
} Block;

static Block *blocks;

static void *guarded(size_t bytes, size_t alignment) {
  size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  size_t length = (rounded + PAGE - 1) / PAGE * PAGE;
  if (!length) length = PAGE;
  Block *block = malloc(sizeof *block);
  block->length = length + PAGE;
  block->pages = mmap(NULL, block->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(block->pages != MAP_FAILED, "no memory");
  memset(block->pages, 0xff, length);
  mprotect(block->pages + length, PAGE, PROT_NONE);
  block->data = block->pages + length - rounded;
  block->next = blocks;
  blocks = block;
  return block->data;
}

static void give_back(void *data) {
  for (Block **at = &blocks; *at; at = &(*at)->next) {
    if ((*at)->data != data) continue;
    Block *block = *at;
    *at = block->next;
    munmap(block->pages, block->length);
    free(block);
    return;
  }
  REQUIRE(0, "memory is given back that was not taken");
}
