/* text_match.c: whether an automaton that the compiler made of a pattern accepts a text. */
#include "internal.h"

int32_t sinter_text_match(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0];
  const int64_t *texts = places[1];
  const uint8_t *classes = places[2], *accepts = places[4];
  const int32_t *next = places[3];
  int64_t width = numbers[3] / numbers[4]; /* the classes of bytes */
  for (int64_t i = 0; i < numbers[0]; i++) {
    SinterString text = text_of(frame->session, texts[i]);
    int64_t state = 0;
    for (uint64_t at = 0; at < text.length; at++) state = next[state * width + classes[(unsigned char)text.bytes[at]]];
    result[i] = accepts[state] != 0;
  }
  return SINTER_OK;
}
