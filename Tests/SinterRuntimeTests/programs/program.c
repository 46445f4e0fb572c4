#include "program.h"

#include <string.h>

#define FLOAT32 {2, 32, 1}
#define INT64 {0, 64, 1}
#define UINT4 {1, 4, 1}
#define TEXT {SINTER_STRING, 128, 1}

const char *program_features[4];
atomic_int plan_calls;

enum { SLOT_N, SLOT_N_PLUS_1, SLOT_BYTES, SLOT_COLUMNS, SLOT_TWO, SLOT_POSITIVE, SLOT_COUNT };
enum { BUF_X, BUF_Y, BUF_BIAS, BUF_MODE, BUF_MASK, BUF_NAMES, BUF_SUM, BUF_POSITIVE, BUF_PACKED, BUF_TEXTS,
       BUF_FIRST, BUF_SECOND, BUF_INDICES, BUF_TWOS, BUF_COUNT };
enum { ERROR_ROW, ERROR_VALUES, ERROR_PLAN, ERROR_INSIDE, ERROR_COUNT };

static const char *const rows_symbols[] = {"n", NULL}, *const n_symbol[] = {"n"}, *const next_symbol[] = {"n + 1"};
static const int64_t rows_shape[] = {-1, COLUMNS}, one_open[] = {-1}, two_shape[] = {2};

static const SinterPort inputs[] = {
  {"x", SINTER_TENSOR, 0, FLOAT32, 2, rows_shape, rows_symbols, NULL},
  {"y", SINTER_TENSOR, 0, FLOAT32, 2, rows_shape, rows_symbols, NULL},
  {"bias", SINTER_TENSOR, 0, FLOAT32, 1, one_open, next_symbol, NULL},
  {"mode", SINTER_TENSOR, 0, INT64, 0, NULL, NULL, NULL},
  {"mask", SINTER_TENSOR, 0, UINT4, 1, one_open, n_symbol, NULL},
  {"names", SINTER_TENSOR, 0, TEXT, 1, two_shape, NULL, NULL},
};
static const SinterPort outputs[] = {
  {"sum", SINTER_TENSOR, 0, FLOAT32, 2, rows_shape, rows_symbols, NULL},
  {"positive", SINTER_TENSOR, 0, INT64, 1, one_open, NULL, NULL},
  {"packed", SINTER_TENSOR, 0, UINT4, 1, one_open, n_symbol, NULL},
  {"texts", SINTER_TENSOR, 0, TEXT, 1, two_shape, NULL, NULL},
};
static const SinterDim rows_dims[] = {{SINTER_DIM_SYMBOL, SLOT_N, "n"}, {SINTER_DIM_CONSTANT, COLUMNS, NULL}};
static const SinterDim next_dims[] = {{SINTER_DIM_DERIVED, SLOT_N_PLUS_1, "n + 1"}};
static const SinterDim n_dims[] = {{SINTER_DIM_SYMBOL, SLOT_N, "n"}}, two_dims[] = {{SINTER_DIM_CONSTANT, 2, NULL}};
static const SinterDim *const input_dims[] = {rows_dims, rows_dims, next_dims, NULL, n_dims, two_dims};
static const int32_t sum_slots[] = {SLOT_N, SLOT_COLUMNS}, positive_slots[] = {SLOT_POSITIVE}, packed_slots[] = {SLOT_N},
                     text_slots[] = {SLOT_TWO};
static const int32_t *const output_dims[] = {sum_slots, positive_slots, packed_slots, text_slots};
static const SinterSymbol symbols[] = {{"n", 1, MAX_ROWS}};
static const SinterBufferInfo buffers[] = {
  {SINTER_BUFFER_INPUT, IN_X, 0, 0, 0, 0},           {SINTER_BUFFER_INPUT, IN_Y, 0, 0, 0, 0},
  {SINTER_BUFFER_INPUT, IN_BIAS, 0, 0, 0, 0},        {SINTER_BUFFER_INPUT, IN_MODE, 0, 0, 0, 0},
  {SINTER_BUFFER_INPUT, IN_MASK, 0, 0, 0, 0},        {SINTER_BUFFER_INPUT, IN_NAMES, 0, 0, 0, 0},
  {SINTER_BUFFER_OUTPUT, OUT_SUM, 0, 0, 0, 0},       {SINTER_BUFFER_OUTPUT, OUT_POSITIVE, 0, 0, 0, 0},
  {SINTER_BUFFER_OUTPUT, OUT_PACKED, 0, 0, 0, 0},    {SINTER_BUFFER_OUTPUT, OUT_TEXTS, 0, 0, 0, 0},
  {SINTER_BUFFER_ARENA, -1, 0, 1, -1, SLOT_BYTES},   {SINTER_BUFFER_ARENA, -1, 1, 2, -1, SLOT_BYTES},
  {SINTER_BUFFER_DYNAMIC, -1, 0, 0, 0, 0},           {SINTER_BUFFER_CONSTANT, -1, 0, 0, 64, 0},
};
static const char *const errors[] = {
  "Check: a row is not allowed (node /check)", "Gather: index %0 is outside 0 ..< %1 (node /gather)", "n may not be 13",
  "row %0 fails: it is not below %1",
};
static const struct { _Alignas(64) float unused[16]; float twos[COLUMNS]; } weights = {{0}, {2, 2, 2, 2}};

static int32_t plan(int64_t *sizes) {
  plan_calls++;
  if (sizes[SLOT_N] == 13) return 1 + ERROR_PLAN;
  sizes[SLOT_N_PLUS_1] = sizes[SLOT_N] + 1;
  sizes[SLOT_BYTES] = sizes[SLOT_N] * COLUMNS * (int64_t)sizeof(float);
  sizes[SLOT_COLUMNS] = COLUMNS;
  sizes[SLOT_TWO] = 2;
  return 0;
}

/* first = (x + y) * 2 */
static int32_t add_kernel(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end) {
  const float *x = buffers[0], *y = buffers[1], *twos = buffers[3];
  float *first = buffers[2];
  (void)sizes;
  for (int64_t i = begin * COLUMNS; i < end * COLUMNS; i++) first[i] = (x[i] + y[i]) * twos[i % COLUMNS];
  return 0;
}

/* second = first / 2 */
static int32_t half_kernel(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end) {
  const float *first = buffers[0];
  float *second = buffers[1];
  (void)sizes;
  for (int64_t i = begin * COLUMNS; i < end * COLUMNS; i++) second[i] = first[i] / 2;
  return 0;
}

/* sum = second + bias */
static int32_t bias_kernel(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end) {
  const float *second = buffers[0], *bias = buffers[1];
  float *sum = buffers[2];
  (void)sizes;
  for (int64_t i = begin * COLUMNS; i < end * COLUMNS; i++) sum[i] = second[i] + bias[i / COLUMNS];
  return 0;
}

/* Fails at every row past 5, so that several ranges do. */
static int32_t failing_kernel(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end) {
  (void)buffers, (void)sizes, (void)begin;
  return end > 5 ? 1 + ERROR_ROW : 0;
}

/* Reports the row at which it fails, once at the end of the text and once inside it. */
static int32_t reporting_kernel(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end) {
  (void)sizes;
  return end > 5 ? sinter_report(1 + (buffers ? ERROR_INSIDE : ERROR_ROW), begin > 6 ? begin : 6, 5) : 0;
}

/* Takes long enough for another thread to find the session busy. */
static int32_t slow_kernel(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end) {
  (void)buffers, (void)sizes, (void)begin, (void)end;
  for (volatile int i = 0; i < 100000000; i++) {}
  return 0;
}

#define CHECKED(call) do { int32_t status = (call); if (status) return status; } while (0)

static int32_t run(SinterFrame *frame) {
  void **all = frame->buffers;
  int64_t *sizes = frame->sizes, rows = sizes[SLOT_N], mode = *(int64_t *)all[BUF_MODE];
  if (mode == MODE_SLOW) CHECKED(sinter_launch(frame, slow_kernel, NULL, NULL, 1, 1));

  CHECKED(sinter_output(frame, OUT_SUM));
  void *add[] = {all[BUF_X], all[BUF_Y], all[BUF_FIRST], all[BUF_TWOS]};
  CHECKED(sinter_launch(frame, add_kernel, add, sizes, rows, GRAIN));
  void *half[] = {all[BUF_FIRST], all[BUF_SECOND]};
  CHECKED(sinter_launch(frame, half_kernel, half, sizes, rows, GRAIN));
  void *bias[] = {all[BUF_SECOND], all[BUF_BIAS], all[BUF_SUM]};
  CHECKED(sinter_launch(frame, bias_kernel, bias, sizes, rows, GRAIN));
  if (mode == MODE_FAIL) CHECKED(sinter_launch(frame, failing_kernel, NULL, NULL, rows, 1));
  if (mode == MODE_REPORT) CHECKED(sinter_launch(frame, reporting_kernel, NULL, NULL, rows, 1));
  if (mode == MODE_REPORT_DIRECTLY) return sinter_fail_kernel(frame, reporting_kernel(NULL, NULL, 0, rows));
  if (mode == MODE_REPORT_INSIDE) CHECKED(sinter_launch(frame, reporting_kernel, all, NULL, rows, 1));
  if (mode == MODE_FAIL_WITH_VALUES) {
    int64_t values[] = {-7, rows};
    return sinter_fail(frame, SINTER_RUNTIME_ERROR, ERROR_VALUES, values, 2);
  }

  CHECKED(sinter_reserve(frame, BUF_INDICES, rows * (int64_t)sizeof(int64_t)));
  int64_t *indices = all[BUF_INDICES], count = 0;
  const float *sum = all[BUF_SUM];
  for (int64_t i = 0; i < rows; i++)
    if (sum[i * COLUMNS] > 0) indices[count++] = i;
  sizes[SLOT_POSITIVE] = count;
  CHECKED(sinter_output(frame, OUT_POSITIVE));
  if (count) memcpy(all[BUF_POSITIVE], indices, (size_t)count * sizeof *indices);

  CHECKED(sinter_output(frame, OUT_PACKED));
  memcpy(all[BUF_PACKED], all[BUF_MASK], (size_t)(rows + 1) / 2);
  if (mode == MODE_FORGET_OUTPUT) return SINTER_OK;
  CHECKED(sinter_output(frame, OUT_TEXTS));
  memcpy(all[BUF_TEXTS], all[BUF_NAMES], 2 * sizeof(int64_t)); /* numbers of texts */
  return SINTER_OK;
}

const SinterProgram sinter_program = {
  .abi_version = SINTER_ABI_VERSION, .name = "hand_written", .producer = "sinter test", .target = "any processor",
  .features = program_features, .input_count = IN_COUNT, .output_count = OUT_COUNT, .inputs = inputs, .outputs = outputs,
  .input_dims = input_dims, .output_dims = output_dims, .symbol_count = 1, .symbols = symbols, .slot_count = SLOT_COUNT,
  .buffer_count = BUF_COUNT, .buffers = buffers, .arena_bytes = -1, .weights = &weights, .weight_bytes = sizeof weights,
  .errors = errors, .error_count = ERROR_COUNT, .plan = plan, .run = run,
  .flushes_subnormals = FLUSHES,
};
