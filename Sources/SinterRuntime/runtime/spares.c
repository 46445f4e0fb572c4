/* spares.c: the memory of released outputs, kept for the next run's.
 *
 * A host that has run() allocate its outputs releases them one run after the other. Large blocks would go back to the system each time,
 * and the next run would wait for as many new pages. So a session keeps one released block an output, at most: what its last outputs
 * took. Outputs may be released after close(), and by any thread; whoever is last, the session or an output, frees what is kept.
 *
 * Hosts that bring their own allocator get each block back at once: they decide themselves what to keep.
 */
#include "internal.h"

struct Spares {
  atomic_int users; /* the session, and the outputs that are not released */
  size_t count;
  _Atomic(Output *) kept[]; /* by port; NULL: none */
};

Spares *spares_open(const Memory *memory, size_t outputs) {
  if (memory->allocate) return NULL;
  Spares *spares = memory_allocate(memory, sizeof *spares + outputs * sizeof spares->kept[0], ALIGNMENT);
  if (!spares) return NULL;
  atomic_init(&spares->users, 1);
  spares->count = outputs;
  for (size_t i = 0; i < outputs; i++) atomic_init(&spares->kept[i], NULL);
  return spares;
}

void spares_leave(Spares *spares, const Memory *memory) {
  if (!spares || atomic_fetch_sub(&spares->users, 1) > 1) return;
  for (size_t i = 0; i < spares->count; i++) memory_free(memory, atomic_load(&spares->kept[i]));
  memory_free(memory, spares);
}

Output *spares_take(Spares *spares, const Memory *memory, int32_t port, size_t bytes) {
  Output *output = spares ? atomic_exchange(&spares->kept[port], NULL) : NULL;
  size_t capacity = bytes;
  if (output && (output->capacity < bytes || output->capacity / 4 > bytes)) {
    /* What has grown goes on growing: room for more of it. */
    if (output->capacity < bytes && bytes <= SIZE_MAX / 2) capacity = bytes + bytes / 4;
    memory_free(memory, output);
    output = NULL;
  }
  if (output) {
    capacity = output->capacity;
  } else {
    output = memory_allocate(memory, capacity, ALIGNMENT);
    if (!output && capacity > bytes) output = memory_allocate(memory, capacity = bytes, ALIGNMENT);
    if (!output) return NULL;
  }
  *output = (Output){.memory = *memory, .spares = spares, .port = port, .capacity = capacity};
  if (spares) atomic_fetch_add(&spares->users, 1);
  return output;
}

void spares_put(Output *output) {
  Memory memory = output->memory;
  Spares *spares = output->spares;
  Output *none = NULL;
  if (!spares || !atomic_compare_exchange_strong(&spares->kept[output->port], &none, output)) memory_free(&memory, output);
  spares_leave(spares, &memory);
}
