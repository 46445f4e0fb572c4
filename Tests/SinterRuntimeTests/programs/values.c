/* values.c: sequences, optionals and maps at the border of a program that is written by hand, hostile ones among them.
 *
 *   seq      = a sequence of f32 tensors of two axes, the second of size 2, handed through
 *   any      = a sequence of i64 tensors of any numbers of axes, handed through
 *   perhaps  = an optional sequence of f32 scalars, handed through
 *   maybe    = an optional f32 tensor [3, n], handed through
 *   table    = a map from i64 to f32, handed through
 *
 * Besides, it gives the plain tensor `flag`, and `rows`, maps of two keys.
 */
#include <stdbool.h>

#include "check.h"
#include "sinter_runtime.h"

#define FLOAT32 {2, 32, 1}
#define INT64 {0, 64, 1}
#define BOOL {6, 8, 1}
#define NOTHING {0, 0, 0}

/* Tensors. */
enum { SEQ_E, SEQ_S, ANY_E, ANY_S, PERHAPS_P, PERHAPS_E, PERHAPS_S, MAYBE_P, MAYBE_T, TABLE_K, TABLE_V, TENSORS };
enum { FLAG = TENSORS, ROWS_K, ROWS_V, MADE };
enum { SEQ_TOTAL, SEQ_LENGTH, ANY_TOTAL, ANY_LENGTH, ANY_RANK, PERHAPS_TOTAL, PERHAPS_LENGTH, MAYBE_N, TABLE_COUNT, TWO, ZERO, THREE, SLOTS };
enum { SYMBOLS = TWO };

static const int64_t open[] = {-1, -1}, three_open[] = {3, -1}, any_two[] = {-1, 2};
static const SinterPort tensors[] = {
  {"seq.elements", SINTER_TENSOR, 0, FLOAT32, 1, open, NULL, NULL}, {"seq.shapes", SINTER_TENSOR, 0, INT64, 2, any_two, NULL, NULL},
  {"any.elements", SINTER_TENSOR, 0, INT64, 1, open, NULL, NULL},   {"any.shapes", SINTER_TENSOR, 0, INT64, 2, open, NULL, NULL},
  {"perhaps.present", SINTER_TENSOR, 0, BOOL, 0, NULL, NULL, NULL}, {"perhaps.elements", SINTER_TENSOR, 0, FLOAT32, 1, open, NULL, NULL},
  {"perhaps.shapes", SINTER_TENSOR, 0, INT64, 2, (const int64_t[]){-1, 0}, NULL, NULL},
  {"maybe.present", SINTER_TENSOR, 0, BOOL, 0, NULL, NULL, NULL},   {"maybe", SINTER_TENSOR, 0, FLOAT32, 2, three_open, NULL, NULL},
  {"table.keys", SINTER_TENSOR, 0, INT64, 1, open, NULL, NULL},     {"table.values", SINTER_TENSOR, 0, FLOAT32, 1, open, NULL, NULL},
  {"flag", SINTER_TENSOR, 0, BOOL, 0, NULL, NULL, NULL},            {"rows.keys", SINTER_TENSOR, 0, INT64, 1, (const int64_t[]){2}, NULL, NULL},
  {"rows.values", SINTER_TENSOR, 0, FLOAT32, 2, any_two, NULL, NULL},
};
#define SYMBOL(slot) {SINTER_DIM_SYMBOL, slot, #slot}
static const SinterDim d0[] = {SYMBOL(SEQ_TOTAL)}, d1[] = {SYMBOL(SEQ_LENGTH), {SINTER_DIM_CONSTANT, 2, NULL}}, d2[] = {SYMBOL(ANY_TOTAL)},
                       d3[] = {SYMBOL(ANY_LENGTH), SYMBOL(ANY_RANK)}, d5[] = {SYMBOL(PERHAPS_TOTAL)},
                       d6[] = {SYMBOL(PERHAPS_LENGTH), {SINTER_DIM_CONSTANT, 0, NULL}}, d8[] = {{SINTER_DIM_CONSTANT, 3, NULL}, SYMBOL(MAYBE_N)},
                       d9[] = {SYMBOL(TABLE_COUNT)};
static const SinterDim *const input_dims[] = {d0, d1, d2, d3, NULL, d5, d6, NULL, d8, d9, d9};
#define SLOTS_OF(...) (const int32_t[]){__VA_ARGS__}
static const int32_t *const output_dims[] = {
  SLOTS_OF(SEQ_TOTAL), SLOTS_OF(SEQ_LENGTH, TWO), SLOTS_OF(ANY_TOTAL), SLOTS_OF(ANY_LENGTH, ANY_RANK), NULL, SLOTS_OF(PERHAPS_TOTAL),
  SLOTS_OF(PERHAPS_LENGTH, ZERO), NULL, SLOTS_OF(THREE, MAYBE_N), SLOTS_OF(TABLE_COUNT), SLOTS_OF(TABLE_COUNT), NULL, SLOTS_OF(TWO), SLOTS_OF(THREE, TWO),
};
static const SinterSymbol symbols[SYMBOLS] = {
  {"SEQ_TOTAL", 0, -1}, {"SEQ_LENGTH", 0, -1}, {"ANY_TOTAL", 0, -1}, {"ANY_LENGTH", 0, -1}, {"ANY_RANK", 0, -1}, {"PERHAPS_TOTAL", 0, -1},
  {"PERHAPS_LENGTH", 0, -1}, {"MAYBE_N", 0, -1}, {"TABLE_COUNT", 0, -1},
};

static const SinterPort scalar = {NULL, SINTER_TENSOR, 0, FLOAT32, 0, NULL, NULL, NULL}, matrix = {NULL, SINTER_TENSOR, 0, FLOAT32, 2, any_two, NULL, NULL},
                        whole = {NULL, SINTER_TENSOR, 0, INT64, -1, NULL, NULL, NULL};
static const SinterPort entries[] = {{NULL, SINTER_TENSOR, 0, INT64, 1, open, NULL, NULL}, {NULL, SINTER_TENSOR, 0, FLOAT32, 1, open, NULL, NULL}};
static const SinterPort map = {NULL, SINTER_MAP, 0, NOTHING, 0, NULL, NULL, entries};
static const SinterPort ports[] = {
  {"seq", SINTER_SEQUENCE, 0, FLOAT32, 2, any_two, NULL, &matrix}, {"any", SINTER_SEQUENCE, 0, INT64, -1, NULL, NULL, &whole},
  {"perhaps", SINTER_SEQUENCE, 1, FLOAT32, 0, NULL, NULL, &scalar}, {"maybe", SINTER_TENSOR, 1, FLOAT32, 2, three_open, NULL, NULL},
  {"table", SINTER_MAP, 0, NOTHING, 0, NULL, NULL, entries}, {"flag", SINTER_TENSOR, 0, BOOL, 0, NULL, NULL, NULL},
  {"rows", SINTER_SEQUENCE, 0, NOTHING, 0, NULL, NULL, &map},
};
enum { SEQ, ANY, PERHAPS, MAYBE, TABLE, INPUTS, OUT_FLAG = INPUTS, OUT_ROWS, OUTPUTS };
static const SinterParts parts[] = {
  {SINTER_PARTS_RAGGED, 0, SEQ_E, 2}, {SINTER_PARTS_RAGGED, 0, ANY_E, 2}, {SINTER_PARTS_RAGGED, 1, PERHAPS_P, 3}, {SINTER_PARTS_TENSOR, 1, MAYBE_P, 2},
  {SINTER_PARTS_MAP, 0, TABLE_K, 2}, {SINTER_PARTS_TENSOR, 0, FLAG, 1}, {SINTER_PARTS_MAPS, 0, ROWS_K, 2},
};
static const SinterInterface interface = {INPUTS, OUTPUTS, ports, ports, parts, parts};

static int32_t plan(int64_t *sizes) {
  sizes[TWO] = 2, sizes[ZERO] = 0, sizes[THREE] = 3;
  return 0;
}

static size_t bytes_of(const SinterTensor *tensor) {
  size_t bytes = tensor->dtype.bits / 8;
  for (int32_t i = 0; i < tensor->ndim; i++) bytes *= (size_t)tensor->shape[i];
  return bytes;
}

static SinterBufferInfo buffers[TENSORS + MADE];

static int32_t copy(SinterFrame *frame, int32_t tensor) {
  int64_t count = 1;
  for (int32_t i = 0; i < tensors[tensor].ndim; i++) count *= frame->sizes[output_dims[tensor][i]];
  int32_t status = sinter_output(frame, tensor);
  if (!status && tensor < TENSORS && count > 0)
    memcpy(frame->buffers[TENSORS + tensor], frame->buffers[tensor], (size_t)count * tensors[tensor].dtype.bits / 8);
  return status;
}

static int32_t run(SinterFrame *frame) {
  for (int32_t i = 0; i < MADE; i++) {
    int32_t status = copy(frame, i);
    if (status) return status;
  }
  *(uint8_t *)frame->buffers[TENSORS + FLAG] = 1;
  memcpy(frame->buffers[TENSORS + ROWS_K], (const int64_t[]){-4, 9}, 2 * sizeof(int64_t));
  memcpy(frame->buffers[TENSORS + ROWS_V], (const float[]){1, 2, 3, 4, 5, 6}, 6 * sizeof(float));
  return SINTER_OK;
}

static const char *const features[] = {NULL}, *const errors[] = {"none"};
const SinterProgram sinter_program = {
  .abi_version = SINTER_ABI_VERSION, .name = "values", .producer = "hand", .target = "any", .features = features, .input_count = TENSORS,
  .output_count = MADE, .inputs = tensors, .outputs = tensors, .input_dims = input_dims, .output_dims = output_dims, .symbol_count = SYMBOLS,
  .symbols = symbols, .slot_count = SLOTS, .buffer_count = TENSORS + MADE, .buffers = buffers, .arena_bytes = 0, .errors = errors, .error_count = 1,
  .plan = plan, .run = run, .interface = &interface,
};

/* ---- Values ---- */

static SinterValue tensor(void *data, SinterDataType type, int32_t ndim, int64_t *shape) {
  return (SinterValue){.kind = SINTER_TENSOR, .tensor = {.data = data, .device = {1, 0}, .ndim = ndim, .dtype = type, .shape = shape}};
}

static SinterValue sequence(SinterValue *elements, size_t count) {
  return (SinterValue){.kind = SINTER_SEQUENCE, .elements = elements, .count = count};
}

static const SinterDataType f32 = FLOAT32, i64 = INT64;
static float numbers[] = {1, 2, 3, 4, 5, 6, 7, 8};
static int64_t wholes[] = {10, 11, 12, 13, 14, 15};
static int64_t one_two[] = {1, 2}, two_two[] = {2, 2}, none_two[] = {0, 2}, two_three[] = {2, 3}, three_one[] = {3, 1}, three[] = {3}, two[] = {2};

static SinterValue matrices[3], anything[3], scalars[2], pairs[2];

static void fill(SinterValue *inputs) {
  matrices[0] = tensor(numbers, f32, 2, two_two);
  matrices[1] = tensor(NULL, f32, 2, none_two);
  /* Read from behind, every other number. */
  static int64_t strides[] = {0, -2};
  matrices[2] = tensor(numbers + 2, f32, 2, one_two);
  matrices[2].tensor.strides = strides;
  anything[0] = tensor(wholes, i64, 2, two_three);
  anything[1] = tensor(wholes + 1, i64, 0, NULL);
  anything[2] = tensor(wholes + 2, i64, 1, three);
  for (int i = 0; i < 2; i++) scalars[i] = tensor(numbers + i, f32, 0, NULL);
  pairs[0] = tensor(wholes, i64, 1, two);
  pairs[1] = tensor(numbers, f32, 1, two);
  inputs[SEQ] = sequence(matrices, 3);
  inputs[ANY] = sequence(anything, 3);
  inputs[PERHAPS] = sequence(scalars, 2);
  inputs[MAYBE] = tensor(numbers, f32, 2, three_one);
  inputs[TABLE] = (SinterValue){.kind = SINTER_MAP, .elements = pairs, .count = 2};
}

static void expect_floats(const SinterValue *value, int32_t ndim, const int64_t *shape, const float *data) {
  CHECK(value->kind == SINTER_TENSOR && value->tensor.ndim == ndim);
  for (int32_t i = 0; i < ndim; i++) CHECK(value->tensor.shape[i] == shape[i]);
  CHECK(!memcmp((char *)value->tensor.data + value->tensor.byte_offset, data, bytes_of(&value->tensor)));
}

/* ---- Tests ---- */

static const SinterLibrary *library;
static SinterSession *session;

static void hands_values_through(void) {
  SinterValue inputs[INPUTS], outputs[OUTPUTS];
  for (int turn = 0; turn < 3; turn++) {
    fill(inputs);
    memset(outputs, 0, sizeof outputs);
    uint8_t flag = 0;
    outputs[OUT_FLAG] = tensor(&flag, (SinterDataType)BOOL, 0, NULL);
    if (turn == 1) inputs[PERHAPS] = inputs[MAYBE] = (SinterValue){0}, inputs[SEQ].count = inputs[ANY].count = 0;
    CHECK_STATUS(library->run(session, inputs, outputs), SINTER_OK, library->message(session));
    CHECK(flag == 1);
    CHECK(outputs[SEQ].kind == SINTER_SEQUENCE && outputs[SEQ].count == inputs[SEQ].count);
    CHECK(outputs[ANY].kind == SINTER_SEQUENCE && outputs[ANY].count == inputs[ANY].count);
    if (turn == 1) {
      CHECK(outputs[PERHAPS].kind == SINTER_NONE && outputs[MAYBE].kind == SINTER_NONE);
      CHECK(!outputs[PERHAPS].release && !outputs[MAYBE].release);
    } else {
      expect_floats(&outputs[SEQ].elements[0], 2, two_two, numbers);
      expect_floats(&outputs[SEQ].elements[1], 2, none_two, numbers);
      expect_floats(&outputs[SEQ].elements[2], 2, one_two, (const float[]){3, 1});
      CHECK(outputs[ANY].elements[0].tensor.ndim == 2 && outputs[ANY].elements[1].tensor.ndim == 0);
      CHECK(outputs[ANY].elements[2].tensor.ndim == 1 && outputs[ANY].elements[2].tensor.shape[0] == 3);
      CHECK(!memcmp(outputs[ANY].elements[2].tensor.data, wholes + 2, 3 * sizeof *wholes));
      CHECK(outputs[PERHAPS].count == 2);
      expect_floats(&outputs[PERHAPS].elements[1], 0, NULL, numbers + 1);
      expect_floats(&outputs[MAYBE], 2, three_one, numbers);
    }
    CHECK(outputs[TABLE].kind == SINTER_MAP && outputs[TABLE].count == 2);
    expect_floats(&outputs[TABLE].elements[1], 1, two, numbers);
    CHECK(outputs[OUT_ROWS].kind == SINTER_SEQUENCE && outputs[OUT_ROWS].count == 3);
    for (int i = 0; i < 3; i++) {
      const SinterValue *row = &outputs[OUT_ROWS].elements[i];
      CHECK(row->kind == SINTER_MAP && row->count == 2 && ((int64_t *)row->elements[0].tensor.data)[1] == 9);
      expect_floats(&row->elements[1], 1, two, (const float[]){2 * i + 1, 2 * i + 2});
    }
    for (int i = 0; i < OUTPUTS; i++)
      if (outputs[i].release) outputs[i].release(&outputs[i]);
  }
}

static void refused(int32_t status, int input, SinterValue value, const char *message) {
  SinterValue inputs[INPUTS], outputs[OUTPUTS];
  fill(inputs);
  memset(outputs, 0, sizeof outputs);
  inputs[input] = value;
  CHECK_STATUS(library->run(session, inputs, outputs), status, library->message(session));
  CHECK_TEXT(library->message(session), message);
  for (int i = 0; i < OUTPUTS; i++) CHECK(outputs[i].kind == SINTER_NONE && !outputs[i].release);
}

static void refuses_hostile_values(void) {
  SinterValue inputs[INPUTS], bad[2];
  fill(inputs);
  int32_t argument = SINTER_INVALID_ARGUMENT;
  refused(argument, SEQ, (SinterValue){0}, "input 'seq' is empty, expected a sequence");
  refused(argument, SEQ, inputs[MAYBE], "input 'seq' is a tensor, expected a sequence");
  refused(argument, SEQ, (SinterValue){.kind = 77}, "input 'seq' is of an unknown kind, expected a sequence");
  refused(argument, PERHAPS, inputs[MAYBE], "input 'perhaps' is a tensor, expected a sequence");
  refused(argument, MAYBE, inputs[SEQ], "input 'maybe' is a sequence, expected a tensor");
  refused(argument, SEQ, sequence(NULL, 4), "input 'seq' has no elements: the pointer is null, expected 4");
  bad[0] = matrices[0], bad[1] = (SinterValue){0};
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1 is empty, expected a tensor");
  bad[1] = inputs[SEQ];
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1 is a sequence, expected a tensor");
  bad[1] = tensor(wholes, i64, 2, two_two);
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1 holds int64, expected float32");
  bad[1] = tensor(numbers, f32, 1, two);
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1 has 1 dimensions, expected 2");
  bad[1] = tensor(numbers, f32, 2, three_one);
  refused(SINTER_SHAPE_MISMATCH, SEQ, sequence(bad, 2), "input 'seq', element 1: dimension 1 is 1, expected 2");
  int64_t negative[] = {-1, 2}, huge[] = {INT64_MAX / 2, 2};
  bad[1] = tensor(numbers, f32, 2, negative);
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1: dimension 0 is negative: -1");
  bad[1] = tensor(numbers, f32, 2, huge);
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1 has more elements than any memory holds");
  bad[1] = tensor(NULL, f32, 2, two_two);
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1 has no data: the pointer is null");
  bad[1] = tensor(numbers, f32, 2, NULL);
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1 has no shape: the pointer is null");
  bad[1] = tensor(numbers, f32, 2, two_two);
  bad[1].tensor.device.device_type = 2;
  refused(argument, SEQ, sequence(bad, 2), "input 'seq', element 1 is on device type 2, expected 1, the CPU");
  bad[0] = tensor(wholes, i64, -3, NULL);
  refused(argument, ANY, sequence(bad, 1), "input 'any', element 0 has -3 dimensions, expected 0 to 64");
  bad[0].tensor.ndim = 65;
  refused(argument, ANY, sequence(bad, 1), "input 'any', element 0 has 65 dimensions, expected 0 to 64");
  refused(argument, TABLE, (SinterValue){.kind = SINTER_MAP, .count = 2}, "input 'table' is a map of 0 elements, expected 2, keys and values");
  bad[0] = pairs[0], bad[1] = inputs[SEQ];
  refused(argument, TABLE, (SinterValue){.kind = SINTER_MAP, .elements = bad, .count = 2},
          "the values of input 'table' are a sequence, expected a tensor");
  bad[1] = tensor(numbers, f32, 1, three);
  refused(SINTER_SHAPE_MISMATCH, TABLE, (SinterValue){.kind = SINTER_MAP, .elements = bad, .count = 2},
          "input 'table.values': dimension 0 ('TABLE_COUNT') is 3, expected 2 as in dimension 0 of input 'table.keys'");
  bad[1] = tensor(wholes, i64, 1, two);
  refused(argument, TABLE, (SinterValue){.kind = SINTER_MAP, .elements = bad, .count = 2},
          "input 'table.values' holds int64, expected float32");

  SinterValue outputs[OUTPUTS] = {0};
  outputs[SEQ] = inputs[SEQ];
  CHECK_STATUS(library->run(session, inputs, outputs), argument, library->message(session));
  CHECK_TEXT(library->message(session), "output 'seq' is a sequence, but the library makes it: pass a zeroed value, released where a run made it");
  CHECK_STATUS(library->run(session, NULL, outputs), argument, library->message(session));
  CHECK_TEXT(library->message(session), "no inputs: the pointer is null, expected 5 values");
  CHECK_STATUS(library->run(session, inputs, NULL), argument, library->message(session));
  CHECK_TEXT(library->message(session), "no outputs: the pointer is null, expected 7 values");
}

/* Memory that ends after some more allocations. */
static int allocations;
static void *allocate(void *host, size_t bytes, size_t alignment) {
  (void)host;
  return allocations-- > 0 ? aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment) : NULL;
}
static void deallocate(void *host, void *memory) { (void)host, free(memory); }

static void survives_missing_memory(void) {
  SinterOptions options = {.size = sizeof options, .threads = 1, .allocate = allocate, .deallocate = deallocate};
  bool worked = false;
  for (int limit = 1; !worked; limit++) {
    SinterSession *poor = NULL;
    allocations = limit;
    if (library->open(&options, &poor)) continue;
    SinterValue inputs[INPUTS], outputs[OUTPUTS] = {0};
    fill(inputs);
    int32_t status = library->run(poor, inputs, outputs);
    CHECK(status == SINTER_OK || status == SINTER_OUT_OF_MEMORY);
    worked = status == SINTER_OK;
    for (int i = 0; i < OUTPUTS; i++) {
      CHECK(worked || outputs[i].kind == SINTER_NONE);
      if (outputs[i].release) outputs[i].release(&outputs[i]);
    }
    library->close(poor);
  }
}

int main(void) {
  for (int i = 0; i < TENSORS; i++) buffers[i] = (SinterBufferInfo){SINTER_BUFFER_INPUT, i, 0, 0, 0, 0};
  for (int i = 0; i < MADE; i++) buffers[TENSORS + i] = (SinterBufferInfo){SINTER_BUFFER_OUTPUT, i, 0, 0, 0, 0};
  library = sinter_library();
  CHECK(library->input_count == INPUTS && library->output_count == OUTPUTS);
  CHECK_STATUS(library->open(NULL, &session), SINTER_OK, library->message(NULL));
  hands_values_through();
  refuses_hostile_values();
  hands_values_through();
  library->close(session);
  survives_missing_memory();
  return 0;
}
