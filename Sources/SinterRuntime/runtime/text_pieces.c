/* text_pieces.c: texts put together and taken apart. */
#include "internal.h"

int32_t sinter_text_join(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0];
  const int64_t *a = places[1], *b = places[2];
  for (int64_t i = 0; i < numbers[0]; i++) {
    SinterString left = text_of(frame->session, a[i]), right = text_of(frame->session, b[i]);
    if (left.length == 0 || right.length == 0) {
      result[i] = left.length ? a[i] : b[i];
      continue;
    }
    char *room;
    int32_t status = text_room(frame->session, left.length + right.length, &room);
    if (status) return status;
    memcpy(room, left.bytes, left.length);
    memcpy(room + left.length, right.bytes, right.length);
    status = text_made(frame->session, room, left.length + right.length, &result[i]);
    if (status) return status;
  }
  return SINTER_OK;
}

/* ---- Pieces ---- */

/* How many bytes the white space has that a text begins with: Unicode's, and the separators among the control characters. 0: none. */
static size_t space_length(const char *at, const char *end) {
  const unsigned char *c = (const unsigned char *)at;
  if (c[0] < 0x80) return c[0] == ' ' || (c[0] >= 9 && c[0] <= 13) || (c[0] >= 0x1c && c[0] <= 0x1f);
  if (end - at < 2) return 0;
  if (c[0] == 0xc2) return c[1] == 0x85 || c[1] == 0xa0 ? 2 : 0;
  if (end - at < 3) return 0;
  bool is_space = (c[0] == 0xe1 && c[1] == 0x9a && c[2] == 0x80) || (c[0] == 0xe3 && c[1] == 0x80 && c[2] == 0x80) ||
                  (c[0] == 0xe2 && c[1] == 0x81 && c[2] == 0x9f) ||
                  (c[0] == 0xe2 && c[1] == 0x80 &&
                   (c[2] <= 0x8a || c[2] == 0xa8 || c[2] == 0xa9 || c[2] == 0xaf));
  return is_space ? 3 : 0;
}

typedef struct {
  const char *at, *end; /* what is left */
  SinterString delimiter;
  int64_t cuts;  /* that may still be made */
  bool is_done;
} Pieces;

static Pieces pieces_of(SinterSession *session, int64_t number, const int64_t *parameters) {
  SinterString text = text_of(session, number), delimiter = text_of(session, parameters[0]);
  return (Pieces){.at = text.bytes, .end = text.bytes ? text.bytes + text.length : NULL, .delimiter = delimiter,
                  .cuts = parameters[1] < 0 ? INT64_MAX : parameters[1]};
}

static bool next_word(Pieces *pieces, SinterString *piece) {
  size_t space;
  while (pieces->at < pieces->end && (space = space_length(pieces->at, pieces->end))) pieces->at += space;
  if (pieces->at == pieces->end) return false;
  const char *begin = pieces->at;
  if (pieces->cuts-- == 0) pieces->at = pieces->end;
  while (pieces->at < pieces->end && !space_length(pieces->at, pieces->end)) pieces->at++;
  *piece = (SinterString){begin, (uint64_t)(pieces->at - begin)};
  return true;
}

static bool next_part(Pieces *pieces, SinterString *piece) {
  if (pieces->is_done) return false;
  const char *found = NULL;
  if (pieces->cuts-- > 0 && pieces->at)
    found = memmem(pieces->at, (size_t)(pieces->end - pieces->at), pieces->delimiter.bytes, pieces->delimiter.length);
  const char *end = found ? found : pieces->end;
  *piece = (SinterString){pieces->at, (uint64_t)(end - pieces->at)};
  pieces->is_done = !found;
  pieces->at = found ? found + pieces->delimiter.length : end;
  return true;
}

static bool next_piece(Pieces *pieces, SinterString *piece) {
  return pieces->delimiter.length ? next_part(pieces, piece) : next_word(pieces, piece);
}

int32_t sinter_text_count_pieces(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0];
  const int64_t *texts = places[1];
  for (int64_t i = 0; i < numbers[0]; i++) {
    Pieces pieces = pieces_of(frame->session, texts[i], numbers + 2);
    SinterString piece;
    for (result[i] = 0; next_piece(&pieces, &piece);) result[i]++;
  }
  return SINTER_OK;
}

int32_t sinter_text_pieces(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0], width = numbers[1] ? numbers[0] / numbers[1] : 0;
  const int64_t *texts = places[1];
  for (int64_t i = 0; i < numbers[1]; i++) {
    Pieces pieces = pieces_of(frame->session, texts[i], numbers + 2);
    SinterString piece;
    for (int64_t j = 0; j < width; j++) {
      result[i * width + j] = 0;
      if (!next_piece(&pieces, &piece)) continue;
      /* Part of a text that stays as long as the run. */
      int32_t status = text_number(frame->session, piece, &result[i * width + j]);
      if (status) return status;
    }
  }
  return SINTER_OK;
}
