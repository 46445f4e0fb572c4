/* calls.c: libFuzzer's calls of compiled libraries. An input is read as a program: which library, how a session is opened, and what each port is
 * given, right or wrong in kind, element type, rank, sizes, strides and pointers.
 *
 * What a caller promises is kept: an array is as long as it says, and what shape and strides reach is memory. All else may be wrong, and has to be
 * answered with a status and a sentence. Generated code is not instrumented, so the data of tensors, and what the library allocates, end at a page that
 * nothing may touch; the runtime is instrumented, and arrays of sizes and elements come from malloc.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinter.h"

extern const SinterLibrary *models[];
extern const size_t model_count;

enum { MAX_RANK = 70, MAX_DATA = 1 << 20, MAX_BLOCK = 1 << 24 };

#define REQUIRE(condition, ...)                        \
  do {                                                 \
    if (condition) break;                              \
    fprintf(stderr, "not so: %s; ", #condition);       \
    fprintf(stderr, __VA_ARGS__);                      \
    fputc('\n', stderr);                               \
    abort();                                           \
  } while (0)

/* ---- The input, byte by byte; zeros behind its end ---- */

static const uint8_t *bytes_left;
static size_t count_left;

static uint8_t byte(void) { return count_left > 0 ? (count_left--, *bytes_left++) : 0; }
static int one_in(int n) { return byte() % n == n - 1; }

/* After REQUIRE, which it uses. */
#include "../../CompilerTests/programs/guarded.h"

/* The library's memory, of which there is little and sometimes none. */
static int allocations_left;
static void *hook_allocate(void *host, size_t bytes, size_t alignment) {
  (void)host;
  if (bytes > MAX_BLOCK || allocations_left == 0) return NULL;
  if (allocations_left > 0) allocations_left--;
  return guarded(bytes, alignment);
}
static void hook_deallocate(void *host, void *data) { (void)host, give_back(data); }

/* What is freed when a call is over. */
static void *kept[4096];
static size_t kept_count;
static void *keep(size_t bytes) {
  REQUIRE(kept_count < sizeof kept / sizeof *kept, "a call of too many parts");
  return kept[kept_count++] = malloc(bytes ? bytes : 1);
}

/* ---- Values ---- */

static const SinterDataType odd_types[] = {
  {0, 64, 1}, {0, 8, 1}, {1, 8, 1}, {2, 32, 1}, {2, 64, 1}, {2, 16, 1}, {4, 16, 1}, {5, 64, 1}, {6, 8, 1}, {0, 4, 1}, {SINTER_STRING, 128, 1},
  {2, 32, 4}, {255, 255, 65535}, {0, 0, 0},
};

static SinterString text(void) {
  static const char *const common[] = {"", "a", "ab c", "\xc3\xa4", "\xff\xfe", "\xed\xa0\x80", "1.5", "-7", "x,y"};
  const char *given = common[byte() % (sizeof common / sizeof *common)];
  size_t length = strlen(given);
  if (length == 0 && one_in(2)) return (SinterString){NULL, 0};
  char *copy = keep(length);
  memcpy(copy, given, length);
  return (SinterString){copy, length};
}

/* Memory for a tensor, in which every element that its shape and strides reach lies. */
static void fill(SinterTensor *tensor) {
  int64_t width = tensor->dtype.code == SINTER_STRING ? (int64_t)sizeof(SinterString) : (int64_t)tensor->dtype.bits * tensor->dtype.lanes;
  int is_packed = tensor->dtype.code != SINTER_STRING && width % 8;
  if (tensor->dtype.code != SINTER_STRING && !is_packed) width /= 8;
  int64_t low = 0, high = 0, dense = 1;
  for (int32_t i = tensor->ndim - 1; i >= 0; i--) {
    int64_t stride = tensor->strides ? tensor->strides[i] : dense, size = tensor->shape[i] > 0 ? tensor->shape[i] : 0, reach;
    if (__builtin_mul_overflow(dense, size, &dense) || (stride && size > MAX_DATA)) size = 0, dense = 0;
    if (size == 0) {
      /* No memory is this large, so there is none: the sizes have to be refused. Where one is zero, no element is reached. */
      low = high = 0;
      dense = 0;
      break;
    }
    reach = stride * (size - 1);
    if (reach < 0) low += reach;
    else high += reach;
  }
  int64_t count = high - low + 1, length = is_packed ? (count * width + 7) / 8 : count * width;
  if (length > MAX_DATA) length = width;
  int64_t alignment = width >= 8 ? 8 : width == 4 ? 4 : width == 2 ? 2 : 1;
  if (is_packed) alignment = 1;
  char *data = guarded((size_t)length, (size_t)alignment);
  kept[kept_count++] = data; /* given back with the rest, see forget() */
  if (tensor->dtype.code == SINTER_STRING) {
    for (int64_t i = 0; i < count && i < length / width; i++) ((SinterString *)data)[i] = text();
  } else {
    int wild = one_in(4);
    for (int64_t i = 0; i < length; i++) data[i] = (char)(wild ? byte() : byte() % 3);
  }
  tensor->data = data - (is_packed ? 0 : low * width);
  if (one_in(8)) {
    tensor->byte_offset = (uint64_t)(byte() % 16);
    tensor->data = (char *)tensor->data - tensor->byte_offset;
  }
}

static void make_tensor(SinterTensor *tensor, const SinterPort *port) {
  *tensor = (SinterTensor){.device = {1, 0}, .dtype = port->dtype};
  tensor->ndim = port->ndim >= 0 ? port->ndim : byte() % 4;
  if (one_in(24)) tensor->ndim = (int8_t)byte();
  if (one_in(24)) tensor->dtype = odd_types[byte() % (sizeof odd_types / sizeof *odd_types)];
  if (one_in(32)) tensor->device.device_type = byte();
  if (tensor->ndim > MAX_RANK) tensor->ndim = MAX_RANK;
  int32_t ndim = tensor->ndim > 0 ? tensor->ndim : 0;
  tensor->shape = keep((size_t)ndim * sizeof(int64_t));
  int is_huge = one_in(32), has_strides = one_in(6);
  if (has_strides) tensor->strides = keep((size_t)ndim * sizeof(int64_t));
  int64_t dense = 1;
  for (int32_t i = ndim - 1; i >= 0; i--) {
    int64_t known = i < port->ndim && port->shape ? port->shape[i] : -1, size = known >= 0 && !one_in(16) ? known : byte() % 5;
    if (ndim > 6) size = i < 6 ? byte() % 3 : 1;
    if (one_in(48)) size = -1 - byte() % 3;
    /* More than there are addresses, or one element over and over: of sizes in between libraries would compute for days, as they should. */
    if (is_huge) size = one_in(2) ? INT64_MAX - byte() : (int64_t)((uint64_t)1 << (has_strides && one_in(2) ? byte() % 4 : 57 + byte() % 7));
    tensor->shape[i] = size;
    if (!has_strides) continue;
    tensor->strides[i] = is_huge ? 0 : one_in(2) ? dense : (int64_t)(int8_t)byte() % 4;
    dense = (int64_t)((uint64_t)dense * (uint64_t)(size > 0 ? size : 1));
  }
  fill(tensor);
  if (one_in(32)) tensor->data = NULL;
  if (ndim > 0 && one_in(32)) tensor->shape = NULL;
}

static void make_value(SinterValue *value, const SinterPort *port) {
  memset(value, 0, sizeof *value);
  value->kind = port->kind;
  if (port->optional && one_in(3)) value->kind = SINTER_NONE;
  if (one_in(24)) value->kind = (int8_t)byte() % 6;
  make_tensor(&value->tensor, port);
  if (port->kind == SINTER_TENSOR && value->kind <= SINTER_TENSOR) return;
  value->count = port->kind == SINTER_MAP && !one_in(8) ? 2 : byte() % 4;
  value->elements = keep(value->count * sizeof *value->elements);
  for (size_t i = 0; i < value->count; i++) {
    const SinterPort *element = !port->elements ? port : &port->elements[port->kind == SINTER_MAP && i < 2 ? i : 0];
    if (element != port) make_value(&value->elements[i], element);
    else memset(&value->elements[i], 0, sizeof *value->elements);
  }
  if (one_in(32)) value->elements = NULL;
}

/* Frees what the call was given. Data of tensors are guarded blocks, all else is malloc's. */
static void forget(void) {
  for (size_t i = 0; i < kept_count; i++) {
    const Block *block = blocks;
    while (block && block->data != kept[i]) block = block->next;
    if (block) give_back(kept[i]);
    else free(kept[i]);
  }
  kept_count = 0;
}

/* ---- Results ---- */

static void check_result(const SinterPort *port, const SinterValue *value) {
  if (value->kind == SINTER_NONE) {
    REQUIRE(port->optional, "output '%s' is nothing", port->name ? port->name : "?");
    return;
  }
  REQUIRE(value->kind == port->kind, "output of kind %d", value->kind);
  for (size_t i = 0; i < value->count; i++)
    if (port->elements) check_result(&port->elements[port->kind == SINTER_MAP ? i : 0], &value->elements[i]);
  if (value->kind != SINTER_TENSOR) return;
  const SinterTensor *tensor = &value->tensor;
  REQUIRE(!memcmp(&tensor->dtype, &port->dtype, sizeof port->dtype), "another type");
  REQUIRE(port->ndim < 0 || tensor->ndim == port->ndim, "%d axes", tensor->ndim);
  size_t bits = tensor->dtype.code == SINTER_STRING ? 128 : (size_t)tensor->dtype.bits * tensor->dtype.lanes, count = 1;
  for (int32_t i = 0; i < tensor->ndim; i++) {
    REQUIRE(tensor->shape[i] >= 0, "a negative size");
    REQUIRE(port->ndim < 0 || port->shape[i] < 0 || port->shape[i] == tensor->shape[i], "another size");
    count *= (size_t)tensor->shape[i];
  }
  const unsigned char *data = (const unsigned char *)((uintptr_t)tensor->data + tensor->byte_offset);
  static volatile unsigned char sink; /* all of it is memory */
  for (size_t i = 0; i < (count * bits + 7) / 8; i++) sink = data[i];
  if (tensor->dtype.code != SINTER_STRING) return;
  for (size_t i = 0; i < count; i++)
    for (uint64_t j = 0; j < ((const SinterString *)data)[i].length; j++) sink = (unsigned char)((const SinterString *)data)[i].bytes[j];
  (void)sink;
}

static void check_status(const SinterLibrary *model, const SinterSession *session, int32_t status) {
  const char *message = model->message(session);
  REQUIRE(status >= SINTER_OK && status <= SINTER_RUNTIME_ERROR, "status %d", status);
  REQUIRE(message, "no message");
  REQUIRE(status == SINTER_OK || *message, "status %d without a message", status);
  REQUIRE(!strstr(message, "internal error"), "%s", message);
}

static void call(const SinterLibrary *model, SinterSession *session) {
  SinterValue *inputs = keep(model->input_count * sizeof *inputs), *outputs = keep(model->output_count * sizeof *outputs);
  for (size_t i = 0; i < model->input_count; i++) make_value(&inputs[i], &model->inputs[i]);
  memset(outputs, 0, model->output_count * sizeof *outputs);
  for (size_t i = 0; i < model->output_count; i++) {
    if (!one_in(6)) continue;
    make_value(&outputs[i], &model->outputs[i]);
  }
  int has_no_inputs = one_in(64), has_no_outputs = one_in(64);
  int32_t status = model->run(session, has_no_inputs ? NULL : inputs, has_no_outputs ? NULL : outputs);
  check_status(model, session, status);
  for (size_t i = 0; i < model->output_count && status == SINTER_OK && !has_no_outputs; i++) {
    check_result(&model->outputs[i], &outputs[i]);
    if (outputs[i].release) outputs[i].release(&outputs[i]);
  }
  forget();
}

static void drive(const SinterLibrary *model) {
  SinterOptions options = {.size = sizeof options, .threads = 1, .allocate = hook_allocate, .deallocate = hook_deallocate};
  if (one_in(8)) options.threads = (int8_t)byte() % 4;
  if (one_in(32)) options.allocate = NULL;
  if (one_in(32)) options.size = byte() % (sizeof options / sizeof(void *)) * sizeof(void *); /* whole fields */
  if (one_in(32)) options.weights = "/nowhere/at.all";
  allocations_left = one_in(8) ? byte() % 16 : -1;
  SinterSession *session = NULL;
  int32_t status = model->open(one_in(16) ? NULL : &options, one_in(64) ? NULL : &session);
  check_status(model, NULL, status);
  if (!session) return;
  REQUIRE(status == SINTER_OK, "a session and status %d", status);
  int calls = 1 + byte() % 4;
  for (int i = 0; i < calls; i++) {
    if (allocations_left >= 0) allocations_left = one_in(2) ? byte() % 8 : -1;
    call(model, session);
  }
  model->close(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count) {
  bytes_left = data;
  count_left = count;
  drive(models[byte() % model_count]);
  REQUIRE(!blocks, "memory that the library did not give back");
  return 0;
}
