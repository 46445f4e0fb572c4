/* text_match.c: automata that the compiler made of patterns, walked over the bytes of texts. */
#include "internal.h"

typedef struct {
  const uint8_t *classes; /* of bytes */
  const int32_t *next;    /* by state and class */
  const uint8_t *accepts; /* by state and what comes next, a Neighbour */
  int64_t width;          /* the number of classes */
} Automaton;

static Automaton automaton_of(void *const *places, const int64_t *numbers) {
  return (Automaton){places[2], places[3], places[4], numbers[3] / (numbers[4] / 4)};
}

/* What stands before or behind a place, as assertions ask. */
typedef enum { END_OF_TEXT, WORD, LINE_FEED, OTHER } Neighbour;

static Neighbour neighbour(char byte) {
  if (byte == '\n') return LINE_FEED;
  bool is_word = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || byte == '_';
  return is_word ? WORD : OTHER;
}

int32_t sinter_text_match(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0];
  const int64_t *texts = places[1];
  Automaton automaton = automaton_of(places, numbers);
  for (int64_t i = 0; i < numbers[0]; i++) {
    SinterString text = text_of(frame->session, texts[i]);
    int64_t state = 0;
    for (uint64_t at = 0; at < text.length; at++)
      state = automaton.next[state * automaton.width + automaton.classes[(unsigned char)text.bytes[at]]];
    result[i] = automaton.accepts[4 * state + END_OF_TEXT] != 0;
  }
  return SINTER_OK;
}

/* ---- Tokens ---- */

typedef struct {
  Automaton automaton;
  const int64_t *starts; /* the first state behind each Neighbour */
  int64_t dead;
  bool are_between;      /* matches */
  int64_t least;         /* code points */
  SinterString text;
  uint64_t at, begin;    /* where to look for the next match, and where the token before it begins */
  bool is_done;
} Tokens;

static Tokens tokens_of(SinterSession *session, int64_t number, void *const *places, const int64_t *numbers) {
  const int64_t *parameters = numbers + 5;
  return (Tokens){.automaton = automaton_of(places, numbers), .starts = parameters, .dead = parameters[4],
                  .are_between = parameters[5] != 0, .least = parameters[6], .text = text_of(session, number)};
}

/* The end of the longest match that begins at a place; the place itself where there is none but the empty one. */
static uint64_t match_end(const Tokens *tokens, uint64_t start) {
  const Automaton *automaton = &tokens->automaton;
  const char *bytes = tokens->text.bytes;
  int64_t state = tokens->starts[start ? neighbour(bytes[start - 1]) : END_OF_TEXT];
  uint64_t end = start;
  for (uint64_t at = start; at < tokens->text.length; at++) {
    state = automaton->next[state * automaton->width + automaton->classes[(unsigned char)bytes[at]]];
    if (state == tokens->dead) break;
    Neighbour behind = at + 1 < tokens->text.length ? neighbour(bytes[at + 1]) : END_OF_TEXT;
    if (automaton->accepts[4 * state + (int64_t)behind]) end = at + 1;
  }
  return end;
}

static bool is_continued(char byte) { return ((unsigned char)byte & 0xc0) == 0x80; }

/* Whether a range is long enough; if so, it is the token. */
static bool take_token(const Tokens *tokens, uint64_t begin, uint64_t end, SinterString *token) {
  int64_t count = 0;
  for (uint64_t at = begin; at < end; at++) count += !is_continued(tokens->text.bytes[at]);
  if (begin == end || count < tokens->least) return false;
  *token = (SinterString){tokens->text.bytes + begin, end - begin};
  return true;
}

static bool next_token(Tokens *tokens, SinterString *token) {
  uint64_t length = tokens->text.length;
  while (tokens->at < length) {
    uint64_t at = tokens->at, end = match_end(tokens, at);
    if (end == at) {
      tokens->at++;
    } else if (tokens->are_between) {
      uint64_t begin = tokens->begin;
      tokens->at = tokens->begin = end;
      if (take_token(tokens, begin, at, token)) return true;
    } else if (take_token(tokens, at, end, token)) {
      tokens->at = end;
      return true;
    } else {
      do tokens->at++;
      while (tokens->at < length && is_continued(tokens->text.bytes[tokens->at]));
    }
  }
  if (!tokens->are_between || tokens->is_done) return false;
  tokens->is_done = true;
  return take_token(tokens, tokens->begin, length, token);
}

int32_t sinter_text_count_tokens(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0];
  const int64_t *texts = places[1];
  for (int64_t i = 0; i < numbers[0]; i++) {
    Tokens tokens = tokens_of(frame->session, texts[i], places, numbers);
    SinterString token;
    for (result[i] = 0; next_token(&tokens, &token);) result[i]++;
  }
  return SINTER_OK;
}

int32_t sinter_text_tokens(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  int64_t *result = places[0], width = numbers[1] ? numbers[0] / numbers[1] : 0;
  const int64_t *texts = places[1];
  for (int64_t i = 0; i < numbers[1]; i++) {
    Tokens tokens = tokens_of(frame->session, texts[i], places, numbers);
    SinterString token;
    for (int64_t j = 0; j < width; j++) {
      result[i * width + j] = numbers[12];
      if (!next_token(&tokens, &token)) continue;
      int32_t status = text_number(frame->session, token, &result[i * width + j]);
      if (status) return status;
    }
  }
  return SINTER_OK;
}
