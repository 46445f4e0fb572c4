/* sessions.c: everything that a host can do to a library, with the program of program.c. An argument after the folder names
 * the only test to run. */
#include <pthread.h>
#include <stdatomic.h>
#include <xmmintrin.h>

#include "check.h"
#include "program.h"

/* ---- A host's values ---- */

#define CAPACITY 20000

typedef struct {
  int64_t rows, rows_shape[2], next_shape[1], n_shape[1], two_shape[1], mode;
  float *x, *y, *bias;
  uint8_t *mask;
  SinterString names[2];
  SinterValue inputs[IN_COUNT], outputs[OUT_COUNT];
} Host;

static SinterValue tensor(void *data, SinterDataType type, int32_t ndim, int64_t *shape) {
  return (SinterValue){.kind = SINTER_TENSOR,
                       .tensor = {.data = data, .device = {1, 0}, .ndim = ndim, .dtype = type, .shape = shape}};
}

static const SinterDataType float32 = {2, 32, 1}, int64 = {0, 64, 1}, uint4 = {1, 4, 1}, text = {SINTER_STRING, 128, 1};

static void set_rows(Host *host, int64_t rows) {
  host->rows = host->rows_shape[0] = host->n_shape[0] = rows;
  host->rows_shape[1] = COLUMNS;
  host->next_shape[0] = rows + 1;
  host->two_shape[0] = 2;
  host->inputs[IN_X] = tensor(host->x, float32, 2, host->rows_shape);
  host->inputs[IN_Y] = tensor(host->y, float32, 2, host->rows_shape);
  host->inputs[IN_BIAS] = tensor(host->bias, float32, 1, host->next_shape);
  host->inputs[IN_MODE] = tensor(&host->mode, int64, 0, NULL);
  host->inputs[IN_MASK] = tensor(host->mask, uint4, 1, host->n_shape);
  host->inputs[IN_NAMES] = tensor(host->names, text, 1, host->two_shape);
}

static Host *new_host(int64_t rows) {
  Host *host = calloc(1, sizeof *host);
  host->x = aligned_alloc(64, CAPACITY * COLUMNS * sizeof(float));
  host->y = aligned_alloc(64, CAPACITY * COLUMNS * sizeof(float));
  host->bias = aligned_alloc(64, (CAPACITY + 16) * sizeof(float));
  host->mask = malloc(CAPACITY);
  for (int i = 0; i < CAPACITY * COLUMNS; i++) host->x[i] = (float)(i % 17), host->y[i] = (float)(i % 5);
  for (int i = 0; i <= CAPACITY; i++) host->bias[i] = (float)(-(i % 20));
  for (int i = 0; i < CAPACITY; i++) host->mask[i] = (uint8_t)i;
  host->names[0] = (SinterString){"one", 3};
  host->names[1] = (SinterString){NULL, 0};
  set_rows(host, rows);
  return host;
}

static void free_host(Host *host) {
  free(host->x), free(host->y), free(host->bias), free(host->mask), free(host);
}

static void release_outputs(Host *host) {
  for (int i = 0; i < OUT_COUNT; i++)
    if (host->outputs[i].release) host->outputs[i].release(&host->outputs[i]);
}

static void check_outputs(const Host *host) {
  const SinterValue *outputs = host->outputs;
  const float *sum = outputs[OUT_SUM].tensor.data;
  const int64_t *positive = outputs[OUT_POSITIVE].tensor.data;
  int64_t count = 0;
  for (int64_t i = 0; i < host->rows; i++) {
    for (int64_t j = i * COLUMNS; j < (i + 1) * COLUMNS; j++) CHECK(sum[j] == host->x[j] + host->y[j] + host->bias[i]);
    if (sum[i * COLUMNS] > 0) CHECK(count < outputs[OUT_POSITIVE].tensor.shape[0] && positive[count++] == i);
  }
  CHECK(outputs[OUT_SUM].tensor.ndim == 2 && outputs[OUT_SUM].tensor.shape[0] == host->rows);
  CHECK(outputs[OUT_POSITIVE].tensor.shape[0] == count);
  CHECK(outputs[OUT_PACKED].tensor.shape[0] == host->rows);
  CHECK(!memcmp(outputs[OUT_PACKED].tensor.data, host->mask, (size_t)(host->rows + 1) / 2));
  const SinterString *texts = outputs[OUT_TEXTS].tensor.data;
  CHECK(texts[0].length == 3 && !memcmp(texts[0].bytes, "one", 3) && texts[0].bytes != host->names[0].bytes);
  CHECK(texts[1].length == 0);
}

static const SinterLibrary *library;

static SinterSession *open_session(const SinterOptions *options) {
  SinterSession *session;
  CHECK_STATUS(library->open(options, &session), SINTER_OK, library->message(NULL));
  return session;
}

static void run_and_check(SinterSession *session, Host *host) {
  CHECK_STATUS(library->run(session, host->inputs, host->outputs), SINTER_OK, library->message(session));
  check_outputs(host);
}

static void expect_failure(SinterSession *session, Host *host, int32_t status, const char *message) {
  CHECK_STATUS(library->run(session, host->inputs, host->outputs), status, library->message(session));
  CHECK_TEXT(library->message(session), message);
  for (int i = 0; i < OUT_COUNT; i++) CHECK(!host->outputs[i].release);
}

/* ---- Tests ---- */

static void test_table(void) {
  CHECK(library == sinter_library());
  CHECK(library->abi_version == 1 && library->input_count == IN_COUNT);
  CHECK_TEXT(library->name, "hand_written");
  CHECK_TEXT(library->message(NULL), "");
}

static void test_shapes(void) {
  Host *host = new_host(1);
  for (int threads = 1; threads <= 4; threads++) {
    SinterSession *session = open_session(&(SinterOptions){.size = sizeof(SinterOptions), .threads = threads});
    const int64_t rows[] = {1, 2, 3, 100, 7, 1000, CAPACITY, 5, 1000, 31, 32, 33};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
      set_rows(host, rows[i]);
      for (int again = 0; again < 3; again++) {
        run_and_check(session, host);
        CHECK((uintptr_t)host->outputs[OUT_SUM].tensor.data % 64 == 0);
        CHECK(host->outputs[OUT_SUM].tensor.strides[0] == COLUMNS && host->outputs[OUT_SUM].tensor.strides[1] == 1);
        release_outputs(host);
      }
    }
    library->close(session);
  }
  SinterSession *session = open_session(NULL);
  set_rows(host, 100);
  run_and_check(session, host);
  library->close(session);
  check_outputs(host); /* they outlive their session */
  release_outputs(host);
  free_host(host);
}

static void test_plans_are_kept(void) {
  Host *host = new_host(10);
  SinterSession *session = open_session(&(SinterOptions){.size = sizeof(SinterOptions), .threads = 1});
  plan_calls = 0;
  for (int i = 0; i < 12; i++) {
    set_rows(host, i % 3 + 10);
    run_and_check(session, host);
    release_outputs(host);
  }
  CHECK(plan_calls == 3);
  library->close(session);
  free_host(host);
}

static void test_bound_outputs(void) {
  Host *host = new_host(50);
  SinterSession *session = open_session(NULL);
  static _Alignas(64) float sum[50 * COLUMNS + 1];
  SinterString texts[2];
  int64_t strides[] = {COLUMNS, 1};
  host->outputs[OUT_SUM] = tensor(sum, float32, 2, host->rows_shape);
  host->outputs[OUT_SUM].tensor.strides = strides;
  host->outputs[OUT_TEXTS] = tensor(texts, text, 1, host->two_shape);
  run_and_check(session, host);
  CHECK(host->outputs[OUT_SUM].tensor.data == sum && !host->outputs[OUT_SUM].release);
  CHECK(host->outputs[OUT_TEXTS].tensor.data == texts && !host->outputs[OUT_TEXTS].release);
  release_outputs(host);

  const struct { SinterTensor tensor; int32_t status; const char *message; } wrong[] = {
    {{sum, {1, 0}, 2, float32, (int64_t[]){49, COLUMNS}, NULL, 0}, SINTER_SHAPE_MISMATCH,
     "output 'sum': dimension 0 ('n') is 49, expected 50"},
    {{sum, {1, 0}, 1, float32, (int64_t[]){200}, NULL, 0}, SINTER_INVALID_ARGUMENT,
     "output 'sum' has 1 dimensions, expected 2"},
    {{sum, {1, 0}, 2, int64, (int64_t[]){50, COLUMNS}, NULL, 0}, SINTER_INVALID_ARGUMENT,
     "output 'sum' holds int64, expected float32"},
    {{sum, {2, 0}, 2, float32, (int64_t[]){50, COLUMNS}, NULL, 0}, SINTER_INVALID_ARGUMENT,
     "output 'sum' is on device type 2, expected 1, the CPU"},
    {{NULL, {1, 0}, 2, float32, (int64_t[]){50, COLUMNS}, NULL, 0}, SINTER_INVALID_ARGUMENT,
     "output 'sum' has no data: the pointer is null"},
    {{sum, {1, 0}, 2, float32, (int64_t[]){50, COLUMNS}, (int64_t[]){1, 50}, 0}, SINTER_INVALID_ARGUMENT,
     "output 'sum' has strides that are not dense"},
    {{sum, {1, 0}, 2, float32, (int64_t[]){50, COLUMNS}, NULL, 2}, SINTER_INVALID_ARGUMENT,
     "output 'sum' is not aligned for float32"},
    {{host->x, {1, 0}, 2, float32, (int64_t[]){50, COLUMNS}, NULL, 16}, SINTER_INVALID_ARGUMENT,
     "output 'sum' overlaps input 'x' in memory"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    memset(host->outputs, 0, sizeof host->outputs);
    host->outputs[OUT_SUM] = (SinterValue){.kind = SINTER_TENSOR, .tensor = wrong[i].tensor};
    expect_failure(session, host, wrong[i].status, wrong[i].message);
    CHECK(host->outputs[OUT_SUM].tensor.data == wrong[i].tensor.data);
  }
  library->close(session);
  free_host(host);
}

static void test_wrong_inputs(void) {
  Host *host = new_host(8);
  SinterSession *session = open_session(&(SinterOptions){.size = sizeof(SinterOptions), .threads = 2});
#define WRONG(change, status, message)               \
  do {                                               \
    set_rows(host, 8);                               \
    host->mode = MODE_PLAIN;                         \
    memset(host->outputs, 0, sizeof host->outputs);  \
    change;                                          \
    expect_failure(session, host, status, message);  \
  } while (0)
  WRONG(host->inputs[IN_X].kind = SINTER_NONE, SINTER_INVALID_ARGUMENT, "input 'x' is empty, expected a tensor");
  WRONG(host->inputs[IN_X].kind = SINTER_MAP, SINTER_INVALID_ARGUMENT, "input 'x' is a map, expected a tensor");
  WRONG(host->inputs[IN_X].tensor.data = NULL, SINTER_INVALID_ARGUMENT, "input 'x' has no data: the pointer is null");
  WRONG(host->inputs[IN_X].tensor.shape = NULL, SINTER_INVALID_ARGUMENT, "input 'x' has no shape: the pointer is null");
  WRONG(host->inputs[IN_X].tensor.dtype.bits = 64, SINTER_INVALID_ARGUMENT, "input 'x' holds float64, expected float32");
  WRONG(host->inputs[IN_NAMES].tensor.dtype = int64, SINTER_INVALID_ARGUMENT, "input 'names' holds int64, expected string");
  WRONG(host->inputs[IN_X].tensor.device.device_type = 2, SINTER_INVALID_ARGUMENT,
        "input 'x' is on device type 2, expected 1, the CPU");
  WRONG(host->inputs[IN_X].tensor.ndim = 1, SINTER_INVALID_ARGUMENT, "input 'x' has 1 dimensions, expected 2");
  WRONG(host->inputs[IN_X].tensor.shape = ((int64_t[]){8, 5}), SINTER_SHAPE_MISMATCH, "input 'x': dimension 1 is 5, expected 4");
  WRONG(host->inputs[IN_X].tensor.shape = ((int64_t[]){-8, 4}), SINTER_INVALID_ARGUMENT,
        "input 'x': dimension 0 ('n') is negative: -8");
  WRONG(host->inputs[IN_X].tensor.shape = ((int64_t[]){0, 4}), SINTER_SHAPE_MISMATCH,
        "input 'x': dimension 0 ('n') is 0, expected at least 1");
  WRONG(host->inputs[IN_X].tensor.shape = ((int64_t[]){MAX_ROWS + 1, 4}), SINTER_SHAPE_MISMATCH,
        "input 'x': dimension 0 ('n') is 1000001, expected at most 1000000");
  WRONG(host->inputs[IN_Y].tensor.shape = ((int64_t[]){9, 4}), SINTER_SHAPE_MISMATCH,
        "input 'y': dimension 0 ('n') is 9, expected 8 as in dimension 0 of input 'x'");
  WRONG(host->inputs[IN_BIAS].tensor.shape = ((int64_t[]){8}), SINTER_SHAPE_MISMATCH,
        "input 'bias': dimension 0 ('n + 1') is 8, expected 9");
  WRONG(host->inputs[IN_MASK].tensor.strides = ((int64_t[]){2}), SINTER_INVALID_ARGUMENT,
        "input 'mask' has strides, but uint4 is packed and must be dense");
  WRONG(set_rows(host, 13), SINTER_SHAPE_MISMATCH, "n may not be 13; n = 13");
  WRONG(host->mode = MODE_FAIL, SINTER_RUNTIME_ERROR, "Check: a row is not allowed (node /check)");
  WRONG(host->mode = MODE_FAIL_WITH_VALUES, SINTER_RUNTIME_ERROR, "Gather: index -7 is outside 0 ..< 8 (node /gather)");
  WRONG(host->mode = MODE_REPORT, SINTER_RUNTIME_ERROR, "Check: a row is not allowed (node /check): 6");
  WRONG(host->mode = MODE_REPORT_DIRECTLY, SINTER_RUNTIME_ERROR, "Check: a row is not allowed (node /check): 6");
  WRONG(host->mode = MODE_REPORT_INSIDE, SINTER_RUNTIME_ERROR, "row 6 fails: it is not below 5");
  WRONG(host->mode = MODE_FORGET_OUTPUT, SINTER_RUNTIME_ERROR, "internal error: the program did not make output 'texts'");
  host->mode = MODE_PLAIN;
  CHECK(library->run(session, NULL, host->outputs) == SINTER_INVALID_ARGUMENT);
  CHECK(library->run(session, host->inputs, NULL) == SINTER_INVALID_ARGUMENT);
  CHECK(library->run(NULL, host->inputs, host->outputs) == SINTER_INVALID_ARGUMENT);
  set_rows(host, 8);
  run_and_check(session, host); /* a failure leaves nothing behind */
  CHECK_TEXT(library->message(session), "");
  release_outputs(host);
  library->close(session);
  free_host(host);
}

static void test_strides(void) {
  Host *host = new_host(40), *plain = new_host(40);
  SinterSession *session = open_session(&(SinterOptions){.size = sizeof(SinterOptions), .threads = 1});
  int64_t reversed[] = {-1};
  int64_t steps[3][2] = {{1, 40}, {-COLUMNS, 1}, {0, 1}}; /* transposed, backwards, one row repeated */
  for (int i = 0; i < 3; i++) {
    SinterTensor *x = &host->inputs[IN_X].tensor;
    x->strides = steps[i];
    x->byte_offset = i == 1 ? 39 * COLUMNS * sizeof(float) : 0;
    for (int64_t row = 0; row < 40; row++)
      for (int64_t column = 0; column < COLUMNS; column++)
        plain->x[row * COLUMNS + column] =
          ((float *)((char *)x->data + x->byte_offset))[row * steps[i][0] + column * steps[i][1]];
    CHECK_STATUS(library->run(session, host->inputs, host->outputs), SINTER_OK, library->message(session));
    memcpy(plain->outputs, host->outputs, sizeof host->outputs);
    check_outputs(plain);
    release_outputs(host);
  }
  set_rows(host, 40);
  host->inputs[IN_BIAS].tensor.strides = reversed;
  host->inputs[IN_BIAS].tensor.byte_offset = 40 * sizeof(float);
  CHECK_STATUS(library->run(session, host->inputs, host->outputs), SINTER_OK, library->message(session));
  CHECK(((float *)host->outputs[OUT_SUM].tensor.data)[0] == host->x[0] + host->y[0] + host->bias[40]);
  release_outputs(host);

  set_rows(host, 40); /* data that is not even aligned for its elements */
  char *bytes = malloc(40 * COLUMNS * sizeof(float) + 1);
  memcpy(bytes + 1, host->x, 40 * COLUMNS * sizeof(float));
  host->inputs[IN_X].tensor.data = bytes + 1;
  run_and_check(session, host);
  release_outputs(host);
  free(bytes);
  library->close(session);
  free_host(host), free_host(plain);
}

/* ---- The memory of released outputs ---- */

static void *release_later(void *argument) {
  release_outputs(argument);
  return NULL;
}

static void test_spares(void) {
  Host *host = new_host(1000), *other = new_host(1000);
  SinterSession *session = open_session(NULL);
  run_and_check(session, host);
  const void *first = host->outputs[OUT_SUM].tensor.data;
  /* What is not released is not touched. */
  run_and_check(session, other);
  const void *second = other->outputs[OUT_SUM].tensor.data;
  CHECK(first != second);
  check_outputs(host);
  /* One released block is kept, and is the next output's; so it is where fewer rows need less of it. */
  release_outputs(host);
  set_rows(host, 900);
  run_and_check(session, host);
  CHECK(host->outputs[OUT_SUM].tensor.data == first);
  release_outputs(host);
  /* Any thread may release, also after the session is closed. */
  run_and_check(session, host);
  pthread_t thread;
  CHECK(!pthread_create(&thread, NULL, release_later, host));
  library->close(session);
  check_outputs(other);
  CHECK(!pthread_join(thread, NULL));
  release_outputs(other);
  free_host(host), free_host(other);
}

/* ---- The host's memory ---- */

typedef struct { int allocations, frees, limit; } Counter;

static void *counted_allocate(void *host, size_t bytes, size_t alignment) {
  Counter *counter = host;
  if (counter->limit >= 0 && counter->allocations >= counter->limit) return NULL;
  counter->allocations++;
  return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void counted_free(void *host, void *memory) {
  ((Counter *)host)->frees++;
  free(memory);
}

static void test_memory(void) {
  Host *host = new_host(1000);
  static float sum[1000 * COLUMNS];
  Counter counter = {.limit = -1};
  SinterOptions options = {.size = sizeof options, .threads = 2, .allocate = counted_allocate,
                           .deallocate = counted_free, .host = &counter};
  SinterSession *session = open_session(&options);
  run_and_check(session, host);
  release_outputs(host);
  int before = counter.allocations;
  for (int i = 0; i < 10; i++) {
    memset(host->outputs, 0, sizeof host->outputs);
    host->outputs[OUT_SUM] = tensor(sum, float32, 2, host->rows_shape);
    run_and_check(session, host);
    release_outputs(host);
  }
  /* Of each run: two outputs and one with its text. */
  CHECK(counter.allocations - before == 10 * 4);
  library->close(session);
  CHECK(counter.allocations == counter.frees);

  int limit = 0;
  for (int done = 0; !done; limit++) { /* every allocation fails once */
    memset(host->outputs, 0, sizeof host->outputs);
    counter = (Counter){.limit = limit};
    int32_t status = library->open(&options, &session);
    if (status) {
      CHECK_STATUS(status, SINTER_OUT_OF_MEMORY, library->message(NULL));
    } else {
      status = library->run(session, host->inputs, host->outputs);
      if (status) CHECK_STATUS(status, SINTER_OUT_OF_MEMORY, library->message(session));
      else done = 1, check_outputs(host), release_outputs(host);
      library->close(session);
    }
    CHECK(counter.allocations == counter.frees);
  }
  CHECK(limit > 6);

  options.deallocate = NULL;
  CHECK(library->open(&options, &session) == SINTER_INVALID_ARGUMENT && !session);
  CHECK_TEXT(library->message(NULL), "the options have only one of allocate and deallocate, expected both or neither");
  free_host(host);
}

/* ---- The host's threads ---- */

static void backwards_parallel(void *host, void (*body)(void *argument, size_t index), void *argument, size_t count) {
  *(size_t *)host += count;
  while (count-- > 0) body(argument, count);
}

static void test_host_threads(void) {
  Host *host = new_host(1000);
  size_t tasks = 0;
  SinterOptions options = {.size = sizeof options, .threads = 3, .parallel = backwards_parallel, .host = &tasks};
  SinterSession *session = open_session(&options);
  run_and_check(session, host);
  release_outputs(host);
  CHECK(tasks > 6);
  tasks = 0;
  set_rows(host, GRAIN);
  run_and_check(session, host);
  release_outputs(host);
  CHECK(tasks == 0); /* small work stays here */
  set_rows(host, 1000);
  host->mode = MODE_FAIL;
  expect_failure(session, host, SINTER_RUNTIME_ERROR, "Check: a row is not allowed (node /check)");
  library->close(session);
  free_host(host);
}

/* Subnormal numbers are kept or flushed as the program says, on each thread, and the host's threads stay as they are. */
static void check_float_modes(SinterSession *session, Host *host) {
  const unsigned modes[] = {0x1f80, 0x1f80 | 0x8040 /* flushed to zero */, 0x1f80 | 0x6000 /* rounded toward zero */};
  unsigned before = _mm_getcsr();
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    _mm_setcsr(modes[i]);
    CHECK_STATUS(library->run(session, host->inputs, host->outputs), SINTER_OK, library->message(session));
    unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    CHECK((after & ~0x3fu) == modes[i]);
    const float *sum = host->outputs[OUT_SUM].tensor.data;
    for (int64_t j = 0; j < host->rows * COLUMNS; j++) CHECK(sum[j] == (FLUSHES ? 0 : 1e-40f));
    release_outputs(host);
  }
}

static void test_float_modes(void) {
  Host *host = new_host(CAPACITY);
  for (int i = 0; i < CAPACITY * COLUMNS; i++) host->x[i] = host->y[i] = 0;
  for (int i = 0; i <= CAPACITY; i++) host->bias[i] = 1e-40f; /* subnormal */
  for (int threads = 1; threads <= 3; threads += 2) {
    SinterSession *session = open_session(&(SinterOptions){.size = sizeof(SinterOptions), .threads = threads});
    for (int again = 0; again < 20; again++) check_float_modes(session, host);
    library->close(session);
  }
  size_t tasks = 0;
  SinterOptions options = {.size = sizeof options, .threads = 3, .parallel = backwards_parallel, .host = &tasks};
  SinterSession *session = open_session(&options);
  check_float_modes(session, host);
  library->close(session);
  free_host(host);
}

static void *run_often(void *argument) {
  int seed = *(int *)argument;
  Host *host = new_host(10 + seed);
  for (int i = 0; i < 20; i++) {
    SinterSession *session = open_session(&(SinterOptions){.size = sizeof(SinterOptions), .threads = 1 + (seed + i) % 3});
    for (int j = 0; j < 50; j++) {
      set_rows(host, 14 + (seed * 97 + i * 31 + j * 7) % 500);
      run_and_check(session, host);
      release_outputs(host);
    }
    library->close(session);
  }
  free_host(host);
  return NULL;
}

static void test_many_sessions(void) {
  pthread_t threads[4];
  int seeds[4];
  for (int i = 0; i < 4; i++) {
    seeds[i] = i;
    CHECK(!pthread_create(&threads[i], NULL, run_often, &seeds[i]));
  }
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

typedef struct { SinterSession *session; atomic_int done; } Slow;

static void *run_slowly(void *argument) {
  Slow *slow = argument;
  Host *host = new_host(20);
  host->mode = MODE_SLOW;
  int32_t status;
  do status = library->run(slow->session, host->inputs, host->outputs); while (status == SINTER_BUSY);
  CHECK_STATUS(status, SINTER_OK, library->message(slow->session));
  atomic_store(&slow->done, 1);
  check_outputs(host);
  release_outputs(host);
  free_host(host);
  return NULL;
}

static void test_busy(void) {
  Host *host = new_host(20);
  Slow slow = {.session = open_session(NULL)};
  pthread_t thread;
  CHECK(!pthread_create(&thread, NULL, run_slowly, &slow));
  int busy = 0;
  while (!atomic_load(&slow.done)) {
    int32_t status = library->run(slow.session, host->inputs, host->outputs);
    if (status == SINTER_BUSY) {
      busy = 1;
      CHECK_TEXT(library->message(slow.session), "this session is inside run() already; open a session for each thread");
    } else {
      CHECK_STATUS(status, SINTER_OK, library->message(slow.session));
      release_outputs(host);
    }
  }
  pthread_join(thread, NULL);
  CHECK(busy);
  library->close(slow.session);
  free_host(host);
}

static void test_processor(void) {
  SinterSession *session;
  program_features[0] = "sse2", program_features[1] = "quantum", program_features[2] = "flux_capacitor";
  CHECK(library->open(NULL, &session) == SINTER_UNSUPPORTED_CPU && !session);
  CHECK_TEXT(library->message(NULL), "this library was built for any processor; this processor lacks quantum, flux_capacitor; compile the model with --cpu for it");
  program_features[1] = NULL;
  library->close(open_session(NULL));
  program_features[0] = NULL;
}

int main(int argc, char **argv) {
  library = sinter_library();
  const struct { const char *name; void (*test)(void); } tests[] = {
    {"table", test_table}, {"shapes", test_shapes}, {"plans", test_plans_are_kept}, {"bound", test_bound_outputs},
    {"wrong", test_wrong_inputs}, {"strides", test_strides}, {"spares", test_spares}, {"memory", test_memory}, {"host-threads", test_host_threads},
    {"floats", test_float_modes}, {"sessions", test_many_sessions}, {"busy", test_busy}, {"processor", test_processor},
  };
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    if (argc > 2 && strcmp(argv[2], tests[i].name)) continue;
    fprintf(stderr, "%s\n", tests[i].name);
    tests[i].test();
  }
  return 0;
}
