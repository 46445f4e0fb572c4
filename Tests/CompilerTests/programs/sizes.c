/* sizes.c: runs models that are linked in at many sizes, in memory whose ends are watched.
 *
 *   sizes RUNS RESULTS
 *
 * RUNS holds, for each run, the model's number and its inputs; RESULTS gets the status and the outputs. Numbers are i64s; a tensor is its
 * number of axes, its sizes, its number of bytes, and its bytes. Generated code is not instrumented: all that it reads and writes ends
 * where a page ends that nothing may touch, inputs, outputs and what the library allocates. The runtime is, and every other run has its inputs from
 * malloc, so that the sanitizer watches both of their ends.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinter.h"

extern const SinterLibrary *const models[];
extern const size_t model_count;

enum { MAX_PORTS = 64, MAX_RANK = 16 };

static int64_t run_number = -1;

#define REQUIRE(condition, ...)                                         \
  do {                                                                  \
    if (condition) break;                                               \
    printf("run %lld: not so: %s; ", (long long)run_number, #condition); \
    printf(__VA_ARGS__);                                                \
    puts("");                                                           \
    exit(1);                                                            \
  } while (0)

/* After REQUIRE, which it uses. */
#include "guarded.h"

static void *hook_allocate(void *host, size_t bytes, size_t alignment) { return (void)host, guarded(bytes, alignment); }
static void hook_deallocate(void *host, void *data) { (void)host, give_back(data); }

/* ---- Files ---- */

static FILE *runs, *results;

static int get(int64_t *number) { return fread(number, sizeof *number, 1, runs) == 1; }
static int64_t must_get(void) {
  int64_t number = 0;
  REQUIRE(get(&number), "the file ends");
  return number;
}
static void put(int64_t number) { fwrite(&number, sizeof number, 1, results); }

static size_t alignment_of(SinterDataType type) { return type.bits < 8 ? 1 : type.bits > 64 ? 8 : type.bits / 8; }

static size_t byte_count(const SinterTensor *tensor) {
  size_t count = 1;
  for (int32_t i = 0; i < tensor->ndim; i++) count *= (size_t)tensor->shape[i];
  return (count * tensor->dtype.bits + 7) / 8;
}

static void put_tensor(const SinterTensor *tensor) {
  put(tensor->ndim);
  for (int32_t i = 0; i < tensor->ndim; i++) put(tensor->shape[i]);
  size_t bytes = byte_count(tensor);
  put((int64_t)bytes);
  fwrite((const char *)tensor->data + tensor->byte_offset, 1, bytes, results);
}

/* ---- Runs ---- */

static void run(const SinterLibrary *model, SinterSession *session) {
  SinterValue inputs[MAX_PORTS] = {0}, outputs[MAX_PORTS] = {0}, again[MAX_PORTS] = {0};
  static int64_t shapes[MAX_PORTS][MAX_RANK];
  int from_malloc = (int)(run_number % 2);
  REQUIRE(model->input_count <= MAX_PORTS && model->output_count <= MAX_PORTS, "too many ports");
  for (size_t i = 0; i < model->input_count; i++) {
    SinterTensor *tensor = &inputs[i].tensor;
    inputs[i].kind = SINTER_TENSOR;
    *tensor = (SinterTensor){.device = {1, 0}, .dtype = model->inputs[i].dtype, .shape = shapes[i]};
    tensor->ndim = (int32_t)must_get();
    REQUIRE(tensor->ndim <= MAX_RANK, "too many axes");
    for (int32_t j = 0; j < tensor->ndim; j++) shapes[i][j] = must_get();
    size_t bytes = (size_t)must_get();
    tensor->data = from_malloc ? malloc(bytes) : guarded(bytes, alignment_of(tensor->dtype));
    REQUIRE(fread(tensor->data, 1, bytes, runs) == bytes, "the file ends");
  }
  int32_t status = model->run(session, inputs, outputs);
  put(status);
  const char *message = status ? model->message(session) : "";
  put((int64_t)strlen(message));
  fwrite(message, 1, strlen(message), results);
  for (size_t i = 0; i < model->output_count && !status; i++) {
    SinterTensor *tensor = &outputs[i].tensor;
    put_tensor(tensor);
    again[i] = (SinterValue){.kind = SINTER_TENSOR, .tensor = *tensor};
    again[i].tensor.strides = NULL;
    again[i].tensor.data = guarded(byte_count(tensor), alignment_of(tensor->dtype));
  }
  /* The same into the caller's memory. */
  if (!status) {
    status = model->run(session, inputs, again);
    REQUIRE(!status, "%s", model->message(session));
    for (size_t i = 0; i < model->output_count; i++) {
      REQUIRE(!memcmp(again[i].tensor.data, outputs[i].tensor.data, byte_count(&outputs[i].tensor)), "output %zu differs", i);
      give_back(again[i].tensor.data);
      outputs[i].release(&outputs[i]);
    }
  }
  for (size_t i = 0; i < model->input_count; i++) from_malloc ? free(inputs[i].tensor.data) : give_back(inputs[i].tensor.data);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3, "usage: sizes RUNS RESULTS");
  setvbuf(stdout, NULL, _IONBF, 0);
  runs = fopen(argv[1], "rb");
  results = fopen(argv[2], "wb");
  REQUIRE(runs && results, "files");
  SinterSession *session = NULL;
  int64_t current = -1, number;
  while (get(&number)) {
    run_number++;
    REQUIRE(number >= 0 && (size_t)number < model_count, "no model %lld", (long long)number);
    if (number != current) {
      if (session) models[current]->close(session);
      SinterOptions options = {.size = sizeof options, .threads = 2, .allocate = hook_allocate, .deallocate = hook_deallocate};
      REQUIRE(!models[number]->open(&options, &session), "%s", models[number]->message(NULL));
      current = number;
      printf("model %lld\n", (long long)number);
    }
    run(models[number], session);
  }
  if (session) models[current]->close(session);
  REQUIRE(!blocks, "memory is left");
  fclose(results);
  return 0;
}
