/* text_numbers.c: numbers as text and back, whatever the host's locale is. */
#include "internal.h"

#include <errno.h>
#include <locale.h>
#include <math.h>

/* How numbers are spelled and kept. */
enum { NUMBER_SIGNED, NUMBER_UNSIGNED, NUMBER_FLOAT };

/* This thread's locale as it was before it became that of C. */
typedef struct { locale_t ours, before; } Locale;

static bool locale_enter(Locale *locale) {
  locale->ours = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!locale->ours) return false;
  locale->before = uselocale(locale->ours);
  return true;
}

static void locale_leave(Locale *locale) {
  uselocale(locale->before);
  freelocale(locale->ours);
}

static int print_number(char *to, size_t bytes, int64_t bits, int64_t kind) {
  if (kind == NUMBER_SIGNED) return snprintf(to, bytes, "%lld", (long long)bits);
  if (kind == NUMBER_UNSIGNED) return snprintf(to, bytes, "%llu", (unsigned long long)bits);
  double value;
  memcpy(&value, &bits, sizeof value);
  if (isnan(value)) return snprintf(to, bytes, "NaN");
  if (isinf(value)) return snprintf(to, bytes, value < 0 ? "-INF" : "INF");
  return snprintf(to, bytes, "%.8g", value);
}

int32_t sinter_text_print(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  enum { MOST_BYTES = 32 };
  int64_t *result = places[0];
  const int64_t *given = places[1];
  Locale locale;
  if (!locale_enter(&locale)) return fail(frame->session, SINTER_OUT_OF_MEMORY, "no memory to print numbers");
  int32_t status = SINTER_OK;
  for (int64_t i = 0; i < numbers[0] && !status; i++) {
    char *room;
    status = text_room(frame->session, MOST_BYTES, &room);
    if (!status)
      status = text_made(frame->session, room, (uint64_t)print_number(room, MOST_BYTES, given[i], numbers[2]), &result[i]);
  }
  locale_leave(&locale);
  return status;
}

/* The number that a text begins with; false where it does not. */
static bool parse_number(const char *text, int64_t kind, int64_t *bits) {
  char *end;
  errno = 0;
  if (kind == NUMBER_FLOAT) {
    double value = strtod(text, &end);
    memcpy(bits, &value, sizeof value);
    return end != text;
  }
  *bits = kind == NUMBER_SIGNED ? (int64_t)strtoll(text, &end, 10) : (int64_t)strtoull(text, &end, 10);
  return end != text && errno != ERANGE;
}

int32_t sinter_text_parse(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0];
  const int64_t *texts = places[1];
  Locale locale;
  if (!locale_enter(&locale)) return fail(frame->session, SINTER_OUT_OF_MEMORY, "no memory to read numbers");
  int32_t status = SINTER_OK;
  for (int64_t i = 0; i < numbers[0] && !status; i++) {
    SinterString text = text_of(frame->session, texts[i]);
    char *room;
    status = text_room(frame->session, text.length + 1, &room);
    if (status) break;
    if (text.length) memcpy(room, text.bytes, text.length);
    room[text.length] = 0;
    if (!parse_number(room, numbers[2], &result[i]))
      status = sinter_fail(frame, SINTER_RUNTIME_ERROR, (int32_t)numbers[3], &i, 1);
  }
  locale_leave(&locale);
  return status;
}
