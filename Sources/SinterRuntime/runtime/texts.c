/* texts.c: the texts of a session by number. Kernels know a text by its number only, and equal texts have equal numbers.
 *
 * The first numbers are those of the program's own texts, the rest are given as a run reads its inputs and makes new texts, and taken back
 * when the next run begins. What the table has grown to stays, so that a run with texts that it had room for allocates nothing. Texts of
 * inputs are not copied: they are the host's memory, which stays during a run.
 *
 * Bytes are compared and moved as they are, be they UTF-8 or not.
 */
#include "internal.h"

/* Bytes that texts made during a run take, one after another. Chunks do not move. */
struct TextChunk {
  TextChunk *next;
  size_t capacity, used;
  char bytes[];
};

#define SMALLEST_CHUNK ((size_t)1 << 14)
#define FIRST_SLOTS 64

static uint32_t hash_bytes(const char *bytes, size_t length) {
  const uint64_t factor = 0x9e3779b97f4a7c15u;
  uint64_t hash = length * factor, word;
  for (; length >= sizeof word; bytes += sizeof word, length -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    hash = (hash ^ word) * factor;
    hash ^= hash >> 29;
  }
  word = 0;
  if (length) memcpy(&word, bytes, length);
  hash = (hash ^ word) * factor;
  hash ^= hash >> 32;
  return (uint32_t)(hash * factor >> 32);
}

/* ---- Slots: an open table of numbers plus one; 0 is free ---- */

static void put(Texts *texts, uint32_t number) {
  uint32_t *slots = texts->slots.data;
  Text *text = (Text *)texts->entries.data + number;
  size_t slot = text->hash & (texts->slot_count - 1);
  while (slots[slot]) slot = (slot + 1) & (texts->slot_count - 1);
  slots[slot] = number + 1;
  text->slot = (uint32_t)slot;
}

static bool grow_slots(Texts *texts, const Memory *memory) {
  size_t count = texts->slot_count ? 2 * texts->slot_count : FIRST_SLOTS;
  while (count < 2 * texts->count + 2) count *= 2;
  if (!block_reserve(&texts->slots, memory, count * sizeof(uint32_t), ALIGNMENT)) {
    texts->slot_count = 0;
    return false;
  }
  memset(texts->slots.data, 0, count * sizeof(uint32_t));
  texts->slot_count = count;
  for (uint32_t i = 0; i < texts->count; i++) put(texts, i);
  return true;
}

/* The number of a text, which gets one where it has none; -1 where there is no memory for it. */
static int64_t number_of(Texts *texts, const Memory *memory, const char *bytes, size_t length) {
  if (texts->slot_count < 2 * texts->count + 2 && !grow_slots(texts, memory)) return -1;
  uint32_t hash = hash_bytes(bytes, length), found;
  const uint32_t *slots = texts->slots.data;
  const Text *entries = texts->entries.data;
  for (size_t slot = hash & (texts->slot_count - 1); (found = slots[slot]); slot = (slot + 1) & (texts->slot_count - 1)) {
    const Text *text = entries + found - 1;
    if (text->hash == hash && text->length == length && (length == 0 || !memcmp(text->bytes, bytes, length))) return found - 1;
  }
  if (texts->count >= UINT32_MAX / 4) return -1;
  if (!block_grow(&texts->entries, memory, (texts->count + 1) * sizeof(Text), ALIGNMENT)) return -1;
  ((Text *)texts->entries.data)[texts->count] = (Text){bytes, (uint32_t)length, hash, 0};
  put(texts, (uint32_t)texts->count);
  return (int64_t)texts->count++;
}

/* ---- A session's table ---- */

int32_t texts_open(SinterSession *session) {
  const SinterProgram *program = session->program;
  Texts *texts = &session->texts;
  const int64_t *bounds = (const void *)(session->weights + program->text_bounds);
  const char *bytes = session->weights + program->text_bytes;
  bool fits = number_of(texts, &session->memory, NULL, 0) == 0;
  for (size_t i = 1; i < program->text_count && fits; i++)
    fits = number_of(texts, &session->memory, bytes + bounds[i], (size_t)(bounds[i + 1] - bounds[i])) == (int64_t)i;
  if (!fits) return fail_open(SINTER_OUT_OF_MEMORY, "no memory for %zu texts", program->text_count);
  texts->own_count = texts->count;
  return SINTER_OK;
}

void texts_close(SinterSession *session) {
  Texts *texts = &session->texts;
  block_free(&texts->entries, &session->memory);
  block_free(&texts->slots, &session->memory);
  block_free(&texts->scratch, &session->memory);
  for (TextChunk *chunk = texts->chunks; chunk;) {
    TextChunk *next = chunk->next;
    memory_free(&session->memory, chunk);
    chunk = next;
  }
}

void texts_begin(SinterSession *session) {
  Texts *texts = &session->texts;
  uint32_t *slots = texts->slots.data;
  const Text *entries = texts->entries.data;
  /* The last ones first: what they leave is the table as it was before them. */
  if (texts->slot_count)
    for (; texts->count > texts->own_count; texts->count--) slots[entries[texts->count - 1].slot] = 0;
  texts->count = texts->own_count;
  for (TextChunk *chunk = texts->chunks; chunk; chunk = chunk->next) chunk->used = 0;
  texts->current = texts->chunks;
  session->text_turn = !session->text_turn;
}

/* ---- Reading and making texts ---- */

SinterString text_of(const SinterSession *session, int64_t number) {
  const Text *text = (const Text *)session->texts.entries.data + number;
  return (SinterString){text->bytes, text->length};
}

static int32_t fail_room(SinterSession *session, size_t bytes) {
  return fail(session, SINTER_OUT_OF_MEMORY, "no memory for a text of %zu bytes beside %zu other texts", bytes,
              session->texts.count);
}

int32_t text_room(SinterSession *session, uint64_t bytes, char **room) {
  Texts *texts = &session->texts;
  if (bytes > PTRDIFF_MAX / 2) return fail_room(session, (size_t)bytes);
  TextChunk *last = NULL, *chunk = texts->current;
  for (; chunk && chunk->capacity - chunk->used < bytes; chunk = chunk->next) last = chunk;
  if (!chunk) {
    size_t capacity = last ? 2 * last->capacity : SMALLEST_CHUNK;
    if (capacity < bytes) capacity = (size_t)bytes;
    chunk = memory_allocate(&session->memory, sizeof *chunk + capacity, ALIGNMENT);
    if (!chunk) return fail_room(session, (size_t)bytes);
    *chunk = (TextChunk){.capacity = capacity};
    if (last) last->next = chunk;
    else texts->chunks = chunk;
  }
  texts->current = chunk;
  *room = chunk->bytes + chunk->used;
  return SINTER_OK;
}

int32_t text_number(SinterSession *session, SinterString text, int64_t *number) {
  *number = text.length > TEXT_LIMIT ? -1 : number_of(&session->texts, &session->memory, text.bytes, (size_t)text.length);
  return *number < 0 ? fail_room(session, (size_t)text.length) : SINTER_OK;
}

int32_t text_made(SinterSession *session, const char *room, uint64_t length, int64_t *number) {
  size_t before = session->texts.count;
  int32_t status = text_number(session, (SinterString){room, length}, number);
  if (!status && session->texts.count > before) session->texts.current->used += (size_t)length;
  return status;
}

/* ---- Ports ---- */

int32_t texts_read(SinterSession *session, int32_t port, const void *from, int64_t *to, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    SinterString text;
    memcpy(&text, (const char *)from + i * (int64_t)sizeof text, sizeof text);
    const char *name = session->program->inputs[port].name;
    if (text.length > TEXT_LIMIT)
      return fail(session, SINTER_INVALID_ARGUMENT, "input '%s': text %lld has %llu bytes, expected at most %llu", name,
                  (long long)i, (unsigned long long)text.length, (unsigned long long)TEXT_LIMIT);
    if (text.length > 0 && !text.bytes)
      return fail(session, SINTER_INVALID_ARGUMENT, "input '%s': text %lld has %llu bytes, but no memory: the pointer is null",
                  name, (long long)i, (unsigned long long)text.length);
    int64_t number;
    int32_t status = text_number(session, text, &number);
    if (status) return status;
    memcpy(to + i, &number, sizeof number); /* `to` may be the memory that was read */
  }
  return SINTER_OK;
}

bool texts_bytes(const SinterSession *session, const void *numbers, int64_t count, size_t *bytes) {
  *bytes = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t number;
    memcpy(&number, (const char *)numbers + i * (int64_t)sizeof number, sizeof number);
    if (__builtin_add_overflow(*bytes, text_of(session, number).length, bytes)) return false;
  }
  return true;
}

void texts_write(const SinterSession *session, void *numbers, int64_t count, char *to) {
  /* From the last on, since an element takes more room than a number. */
  for (int64_t i = 0; i < count; i++) {
    int64_t number, at = count - 1 - i;
    memcpy(&number, (char *)numbers + at * (int64_t)sizeof number, sizeof number);
    SinterString text = text_of(session, number);
    if (text.length) memcpy(to, text.bytes, text.length);
    text.bytes = to;
    memcpy((char *)numbers + at * (int64_t)sizeof text, &text, sizeof text);
    to += text.length;
  }
}
