/* text_case.c: small letters and capitals by Unicode's full mappings, which depend on no language, no locale and no neighbour. */
#include "internal.h"
#include "text_case_table.h"

/* The code point that UTF-8 begins with, and how many bytes it takes; 1 with *code = -1 where the byte begins none. */
static int decode(const char *text, size_t left, int32_t *code) {
  const unsigned char *c = (const unsigned char *)text;
  *code = -1;
  if (c[0] < 0x80) return *code = c[0], 1;
  int length = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
  if (c[0] < 0xc2 || c[0] > 0xf4 || left < (size_t)length) return 1;
  int32_t value = c[0] & (0x7f >> length);
  for (int i = 1; i < length; i++) {
    if ((c[i] & 0xc0) != 0x80) return 1;
    value = value << 6 | (c[i] & 0x3f);
  }
  bool is_short = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (is_short || (value >= 0xd800 && value < 0xe000) || value > 0x10ffff) return 1;
  *code = value;
  return length;
}

static char *encode(int32_t code, char *to) {
  if (code < 0x80) return *to++ = (char)code, to;
  if (code < 0x800) {
    *to++ = (char)(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      *to++ = (char)(0xe0 | code >> 12);
    } else {
      *to++ = (char)(0xf0 | code >> 18);
      *to++ = (char)(0x80 | (code >> 12 & 0x3f));
    }
    *to++ = (char)(0x80 | (code >> 6 & 0x3f));
  }
  *to++ = (char)(0x80 | (code & 0x3f));
  return to;
}

/* Writes what a code point becomes. */
static char *map(int32_t code, int64_t to_capitals, char *to) {
  const CaseRange *ranges = to_capitals ? capital_ranges : small_ranges;
  size_t low = 0, high = to_capitals ? capital_range_count : small_range_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (ranges[middle].last < code) low = middle + 1;
    else high = middle;
  }
  size_t count = to_capitals ? capital_range_count : small_range_count;
  if (low == count || ranges[low].first > code || (code - ranges[low].first) % ranges[low].stride) return encode(code, to);
  if (ranges[low].more < 0) return encode(code + ranges[low].distance, to);
  for (const int32_t *more = case_expansions + ranges[low].more; *more; more++) to = encode(*more, to);
  return to;
}

int32_t sinter_text_change_case(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0], to_capitals = numbers[2];
  const int64_t *texts = places[1];
  for (int64_t i = 0; i < numbers[0]; i++) {
    SinterString text = text_of(frame->session, texts[i]);
    char *room;
    int32_t status = text_room(frame->session, text.length * CASE_GROWTH, &room);
    if (status) return status;
    char *to = room;
    for (uint64_t at = 0; at < text.length;) {
      int32_t code;
      int length = decode(text.bytes + at, (size_t)(text.length - at), &code);
      if (code < 0) *to++ = text.bytes[at];
      else to = map(code, to_capitals, to);
      at += (uint64_t)length;
    }
    status = text_made(frame->session, room, (uint64_t)(to - room), &result[i]);
    if (status) return status;
  }
  return SINTER_OK;
}
