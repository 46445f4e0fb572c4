/* texts.c: texts of ports, of programs and made by them, with a host that counts and refuses memory. */
#include <stdbool.h>

#include "check.h"
#include "sinter_runtime.h"

/* How numbers are spelled and kept. */
enum { NUMBER_SIGNED = 0, NUMBER_FLOAT = 2 };

/* ---- A program: its output `same` is its input `given`, and `made` is what `work` makes of it ---- */

#define TEXT_TYPE {SINTER_STRING, 128, 1}

enum { BUF_GIVEN, BUF_SAME, BUF_MADE, BUF_NUMBERS, BUF_COUNT };
static const char *const n_symbol[] = {"n"};
static const int64_t open_shape[] = {-1};
static const SinterPort inputs[] = {{"given", SINTER_TENSOR, 0, TEXT_TYPE, 1, open_shape, n_symbol, NULL}};
static const SinterPort outputs[] = {{"same", SINTER_TENSOR, 0, TEXT_TYPE, 1, open_shape, n_symbol, NULL},
                                     {"made", SINTER_TENSOR, 0, TEXT_TYPE, 1, open_shape, n_symbol, NULL}};
static const SinterDim n_dims[] = {{SINTER_DIM_SYMBOL, 0, "n"}};
static const SinterDim *const input_dims[] = {n_dims};
static const int32_t n_slots[] = {0};
static const int32_t *const output_dims[] = {n_slots, n_slots};
static const SinterSymbol symbols[] = {{"n", 0, -1}};
static const SinterBufferInfo buffers[] = {{SINTER_BUFFER_INPUT, 0, 0, 0, 0, 0}, {SINTER_BUFFER_OUTPUT, 0, 0, 0, 0, 0},
                                           {SINTER_BUFFER_OUTPUT, 1, 0, 0, 0, 0}, {SINTER_BUFFER_DYNAMIC, -1, 0, 0, 0, 0}};
static const struct { int64_t bounds[5]; char bytes[16]; } own = {{0, 0, 3, 4, 9}, "cat,\xc3\xa9" "tat"};
static const char *const errors[] = {"text %0 is no number"};

static int32_t (*work)(SinterFrame *frame, int64_t *given, int64_t *made, int64_t *numbers, int64_t count);

static int32_t run(SinterFrame *frame) {
  int64_t count = frame->sizes[0];
  int32_t status = sinter_output(frame, 0);
  if (!status) status = sinter_output(frame, 1);
  if (!status) status = sinter_reserve(frame, BUF_NUMBERS, 4 * count * (int64_t)sizeof(int64_t));
  if (status) return status;
  void **all = frame->buffers;
  if (count) memcpy(all[BUF_SAME], all[BUF_GIVEN], (size_t)count * sizeof(int64_t));
  return work(frame, all[BUF_GIVEN], all[BUF_MADE], all[BUF_NUMBERS], count);
}

const SinterProgram sinter_program = {
  .abi_version = SINTER_ABI_VERSION, .name = "texts", .producer = "sinter test", .target = "any processor",
  .features = (const char *const[]){NULL}, .input_count = 1, .output_count = 2, .inputs = inputs, .outputs = outputs,
  .input_dims = input_dims, .output_dims = output_dims, .symbol_count = 1, .symbols = symbols, .slot_count = 1,
  .buffer_count = BUF_COUNT, .buffers = buffers, .arena_bytes = -1, .weights = &own, .weight_bytes = sizeof own,
  .errors = errors, .error_count = 1, .run = run, .text_count = 4, .text_bounds = 0, .text_bytes = sizeof own.bounds,
};

static int32_t join_twice(SinterFrame *frame, int64_t *given, int64_t *made, int64_t *numbers, int64_t count) {
  (void)numbers;
  int32_t status = sinter_text_join(frame, (void *[]){made, given, given}, (int64_t[]){count, count, count});
  return status ? status : sinter_text_join(frame, (void *[]){made, made, given}, (int64_t[]){count, count, count});
}

static int32_t capitals(SinterFrame *frame, int64_t *given, int64_t *made, int64_t *numbers, int64_t count) {
  (void)numbers;
  return sinter_text_change_case(frame, (void *[]){made, given}, (int64_t[]){count, count, 1});
}

static int32_t ranks(SinterFrame *frame, int64_t *given, int64_t *made, int64_t *numbers, int64_t count) {
  int32_t status = sinter_text_ranks(frame, (void *[]){numbers, given}, (int64_t[]){count, count});
  return status ? status : sinter_text_print(frame, (void *[]){made, numbers}, (int64_t[]){count, count, NUMBER_SIGNED});
}

static int32_t reparsed(SinterFrame *frame, int64_t *given, int64_t *made, int64_t *numbers, int64_t count) {
  int32_t status = sinter_text_parse(frame, (void *[]){numbers, given}, (int64_t[]){count, count, NUMBER_FLOAT, 0});
  return status ? status : sinter_text_print(frame, (void *[]){made, numbers}, (int64_t[]){count, count, NUMBER_FLOAT});
}

/* The last of the pieces, up to four, at the comma that is text 2 of the program. */
static int32_t last_piece(SinterFrame *frame, int64_t *given, int64_t *made, int64_t *numbers, int64_t count) {
  int64_t counts[8];
  CHECK(count <= 8);
  int32_t status = sinter_text_count_pieces(frame, (void *[]){counts, given}, (int64_t[]){count, count, 2, -1});
  if (!status) status = sinter_text_pieces(frame, (void *[]){numbers, given}, (int64_t[]){4 * count, count, 2, -1});
  for (int64_t i = 0; i < count; i++) made[i] = counts[i] > 4 ? 1 : numbers[4 * i + counts[i] - 1];
  return status;
}

/* ---- A host ---- */

static int64_t allocations, allowed = INT64_MAX;

static void *allocate(void *host, size_t bytes, size_t alignment) {
  (void)host;
  if (allocations >= allowed) return NULL;
  allocations++;
  return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void deallocate(void *host, void *memory) {
  (void)host;
  free(memory);
}

static const SinterOptions options = {.size = sizeof options, .threads = 1, .allocate = allocate, .deallocate = deallocate};
static const SinterLibrary *library;

static SinterSession *open_session(void) {
  SinterSession *session;
  CHECK_STATUS(library->open(&options, &session), SINTER_OK, library->message(NULL));
  return session;
}

static SinterValue value_of(const SinterString *texts, int64_t *count, int64_t *strides) {
  return (SinterValue){.kind = SINTER_TENSOR,
                       .tensor = {.data = (void *)(uintptr_t)texts, .device = {1, 0}, .ndim = 1, .dtype = TEXT_TYPE, .shape = count,
                                  .strides = strides}};
}

static SinterString text(const char *bytes) { return (SinterString){bytes, strlen(bytes)}; }

static bool are_equal(SinterString a, SinterString b) {
  return a.length == b.length && (a.length == 0 || !memcmp(a.bytes, b.bytes, a.length));
}

/* Runs on some texts, and checks both outputs. */
static void expect(SinterSession *session, const SinterString *given, const SinterString *made, int64_t count) {
  SinterValue in = value_of(given, &count, NULL), out[2] = {{0}};
  CHECK_STATUS(library->run(session, &in, out), SINTER_OK, library->message(session));
  const SinterString *same = out[0].tensor.data, *results = out[1].tensor.data;
  for (int64_t i = 0; i < count; i++) CHECK(are_equal(same[i], given[i]) && are_equal(results[i], made[i]));
  for (int i = 0; i < 2; i++) out[i].release(&out[i]);
}

static void expect_one(SinterSession *session, const char *given, const char *made) {
  expect(session, (SinterString[]){text(given)}, (SinterString[]){text(made)}, 1);
}

/* ---- Tests ---- */

static uint64_t state = 7;

static int64_t draw(int64_t below) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)((state >> 33) % (uint64_t)below);
}

enum { MOST = 3000 };

/* Random texts of few letters, so that many are equal, some of them long. */
static void test_many(void) {
  static SinterString given[MOST], made[MOST];
  static char bytes[MOST][64], joined[MOST][192];
  SinterSession *session = open_session();
  work = join_twice;
  for (int turn = 0; turn < 40; turn++) {
    int64_t count = turn % 2 ? MOST : draw(MOST);
    for (int64_t i = 0; i < count; i++) {
      size_t length = (size_t)draw(draw(20) ? 4 : 64);
      for (size_t k = 0; k < length; k++) bytes[i][k] = (char)draw(3);
      given[i] = (SinterString){length ? bytes[i] : NULL, length};
      for (int k = 0; k < 3; k++) memcpy(joined[i] + (size_t)k * length, bytes[i], length);
      made[i] = (SinterString){joined[i], 3 * length};
    }
    expect(session, given, made, count);
  }
  library->close(session);
}

/* A second run with texts that there was room for allocates outputs and nothing else. */
static void test_memory_stays(void) {
  static SinterString given[MOST], made[MOST];
  static char bytes[MOST][16], joined[MOST][48];
  for (int i = 0; i < MOST; i++) {
    int length = snprintf(bytes[i], sizeof bytes[i], "text %d", i);
    snprintf(joined[i], sizeof joined[i], "%.15s%.15s%.15s", bytes[i], bytes[i], bytes[i]);
    given[i] = (SinterString){bytes[i], (uint64_t)length};
    made[i] = (SinterString){joined[i], 3 * (uint64_t)length};
  }
  SinterSession *session = open_session();
  work = join_twice;
  expect(session, given, made, MOST);
  for (int turn = 0; turn < 3; turn++) {
    allocations = 0;
    expect(session, given, made, MOST);
    CHECK(allocations == 4); /* two outputs, and the bytes of each */
  }
  library->close(session);
}

/* Whatever allocation fails, the run says so, and the session goes on. */
static void test_no_memory(void) {
  static SinterString given[MOST], made[MOST];
  static char bytes[MOST][16], joined[MOST][48];
  for (int i = 0; i < MOST; i++) {
    int length = snprintf(bytes[i], sizeof bytes[i], "%d", i);
    snprintf(joined[i], sizeof joined[i], "%.15s%.15s%.15s", bytes[i], bytes[i], bytes[i]);
    given[i] = (SinterString){bytes[i], (uint64_t)length};
    made[i] = (SinterString){joined[i], 3 * (uint64_t)length};
  }
  work = join_twice;
  int failures = 0;
  for (int64_t most = 0;; most++) {
    allocations = 0, allowed = most;
    SinterSession *session;
    if (library->open(&options, &session)) {
      CHECK(!session);
      failures++;
      continue;
    }
    int64_t count = MOST;
    SinterValue in = value_of(given, &count, NULL), out[2] = {{0}};
    int32_t status = library->run(session, &in, out);
    allowed = INT64_MAX;
    if (!status) {
      for (int i = 0; i < 2; i++) out[i].release(&out[i]);
      library->close(session);
      break;
    }
    CHECK(status == SINTER_OUT_OF_MEMORY && strlen(library->message(session)) > 0);
    for (int i = 0; i < 2; i++) CHECK(!out[i].release && out[i].kind == SINTER_NONE);
    expect(session, given, made, MOST);
    library->close(session);
    failures++;
  }
  CHECK(failures > 8);
}

static void test_wrong_texts(void) {
  SinterSession *session = open_session();
  work = join_twice;
  int64_t count = 2;
  SinterString texts[] = {{"a", 1}, {NULL, 3}};
  SinterValue in = value_of(texts, &count, NULL), out[2] = {{0}};
  CHECK_STATUS(library->run(session, &in, out), SINTER_INVALID_ARGUMENT, library->message(session));
  CHECK_TEXT(library->message(session), "input 'given': text 1 has 3 bytes, but no memory: the pointer is null");
  const uint64_t lengths[] = {UINT64_MAX, (uint64_t)1 << 63, (uint64_t)1 << 40, (uint64_t)INT32_MAX + 1};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    texts[1] = (SinterString){"b", lengths[i]};
    CHECK_STATUS(library->run(session, &in, out), SINTER_INVALID_ARGUMENT, library->message(session));
    CHECK(strstr(library->message(session), "input 'given': text 1 has ") != NULL);
  }
  texts[1] = (SinterString){NULL, 0};
  expect(session, texts, (SinterString[]){{"aaa", 3}, {NULL, 0}}, 2);
  library->close(session);
}

/* Inputs with strides, and outputs in the host's memory. */
static void test_strides_and_bound_outputs(void) {
  SinterSession *session = open_session();
  work = join_twice;
  SinterString texts[] = {text("a"), text("b"), text("c"), text("d"), text("e")}, same[3], made[3];
  int64_t count = 3, backwards = -2;
  SinterValue in = value_of(texts + 4, &count, &backwards), out[2] = {value_of(same, &count, NULL), value_of(made, &count, NULL)};
  for (int turn = 0; turn < 4; turn++) {
    if (turn == 2) allocations = 0; /* each of two turns has its memory */
    CHECK_STATUS(library->run(session, &in, out), SINTER_OK, library->message(session));
    CHECK(are_equal(same[0], text("e")) && are_equal(same[1], text("c")) && are_equal(same[2], text("a")));
    CHECK(are_equal(made[0], text("eee")) && are_equal(made[2], text("aaa")));
    CHECK(!out[0].release && !out[1].release);
  }
  CHECK(allocations == 0);
  /* The texts of one run are inputs of the next, which writes to where they are listed. */
  SinterString mine[3];
  for (int turn = 0; turn < 5; turn++) {
    memcpy(mine, made, sizeof mine);
    SinterValue back = value_of(mine, &count, NULL);
    CHECK_STATUS(library->run(session, &back, out), SINTER_OK, library->message(session));
  }
  CHECK(made[0].length == 729 && made[2].length == 729 && made[0].bytes[728] == 'e' && made[2].bytes[0] == 'a');
  int64_t still = 0;
  in = value_of(texts, &count, &still); /* one text three times */
  CHECK_STATUS(library->run(session, &in, out), SINTER_OK, library->message(session));
  CHECK(are_equal(same[2], text("a")) && are_equal(made[2], text("aaa")));
  library->close(session);
}

static void test_functions(void) {
  SinterSession *session = open_session();
  work = capitals;
  expect_one(session, "stra\xc3\x9f" "e", "STRASSE");
  expect_one(session, "\xc3\xa9\xc5\x89\xf0\x90\x90\xa8 \xf0\x9f\x98\x80", "\xc3\x89\xca\xbcN\xf0\x90\x90\x80 \xf0\x9f\x98\x80");
  /* What is no UTF-8 stays: cut off, too long, a half of a pair, beyond the last code point. */
  expect_one(session, "a\xc3", "A\xc3");
  expect_one(session, "\xe0\x80\xa1z\xed\xa0\x80\xf4\x90\x80\x80\xff\x80", "\xe0\x80\xa1Z\xed\xa0\x80\xf4\x90\x80\x80\xff\x80");
  work = ranks;
  expect(session, (SinterString[]){text("b"), text("a"), text("ab"), text(""), text("b"), text("\xff")},
         (SinterString[]){text("3"), text("1"), text("2"), text("0"), text("3"), text("4")}, 6);
  work = last_piece;
  expect(session, (SinterString[]){text(""), text(","), text("a,b"), text("a,b,c,d"), text("a,b,c,d,e"), text("a")},
         (SinterString[]){text(""), text(""), text("b"), text("d"), text("cat"), text("a")}, 6);
  work = reparsed;
  expect(session, (SinterString[]){text(" 1.5x"), text("1e999"), text("-nan"), text("0.1"), text("-0")},
         (SinterString[]){text("1.5"), text("INF"), text("NaN"), text("0.1"), text("-0")}, 5);
  int64_t count = 2;
  SinterString wrong[] = {text("1"), text("x")};
  SinterValue in = value_of(wrong, &count, NULL), out[2] = {{0}};
  CHECK_STATUS(library->run(session, &in, out), SINTER_RUNTIME_ERROR, library->message(session));
  CHECK_TEXT(library->message(session), "text 1 is no number");
  library->close(session);
}

int main(void) {
  library = sinter_library();
  test_many();
  test_memory_stays();
  test_no_memory();
  test_wrong_texts();
  test_strides_and_bound_outputs();
  test_functions();
  return 0;
}
