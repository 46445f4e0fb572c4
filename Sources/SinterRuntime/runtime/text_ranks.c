/* text_ranks.c: the order of texts by their bytes, as numbers that kernels sort. */
#include "internal.h"

static bool is_less(const SinterSession *session, uint32_t a, uint32_t b) {
  SinterString x = text_of(session, a), y = text_of(session, b);
  size_t common = x.length < y.length ? x.length : y.length;
  int order = common ? memcmp(x.bytes, y.bytes, common) : 0;
  return order ? order < 0 : x.length < y.length;
}

/* A heap sort, since qsort may allocate and takes no context. */
static void sort_texts(const SinterSession *session, uint32_t *order, size_t count) {
  for (size_t heap = count / 2, end = count; end > 1;) {
    uint32_t moved;
    if (heap > 0) {
      moved = order[--heap];
    } else {
      moved = order[--end];
      order[end] = order[0];
    }
    size_t hole = heap;
    for (size_t child; (child = 2 * hole + 1) < end; hole = child) {
      if (child + 1 < end && is_less(session, order[child], order[child + 1])) child++;
      if (!is_less(session, moved, order[child])) break;
      order[hole] = order[child];
    }
    order[hole] = moved;
  }
}

int32_t sinter_text_ranks(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  SinterSession *session = frame->session;
  Texts *texts = &session->texts;
  int64_t *result = places[0];
  const int64_t *given = places[1];
  /* For each text of the table its rank plus one, once it is known to be among those given; behind them those, each once. */
  if (!block_reserve(&texts->scratch, &session->memory, 2 * texts->count * sizeof(uint32_t), ALIGNMENT))
    return fail(session, SINTER_OUT_OF_MEMORY, "no memory to sort %zu texts", texts->count);
  uint32_t *rank = texts->scratch.data, *present = rank + texts->count;
  size_t count = 0;
  memset(rank, 0, texts->count * sizeof *rank);
  for (int64_t i = 0; i < numbers[1]; i++)
    if (!rank[given[i]]) rank[given[i]] = 1, present[count++] = (uint32_t)given[i];
  sort_texts(session, present, count);
  for (size_t i = 0; i < count; i++) rank[present[i]] = (uint32_t)i + 1;
  for (int64_t i = 0; i < numbers[0]; i++) result[i] = (int64_t)rank[given[i]] - 1;
  return SINTER_OK;
}
