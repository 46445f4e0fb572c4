/* run_library.c: runs a compiled library on values from a file and writes what it gives: for machines that are emulated, with nothing but a
 * C library on them.
 *
 *   run_library LIBRARY INPUTS OUTPUTS [THREADS]
 *
 * INPUTS: the number of data sets, and for each one value a port. OUTPUTS: the status of open(), then for each data set twice the status of
 * run() and, where it is SINTER_OK, one value a port; behind any other status the message, and nothing more. All numbers are little-endian:
 * counts and lengths of 64 bits, a status and what a tensor is of 32. emulated.py has the other side.
 *
 * The second time, this program's floats are rounded toward zero, and on AArch64 small ones are flushed to it, as a host may have it: results
 * must not show that, and the host must find its floats as they were.
 *
 * The exit status is 0 where the library could be loaded, whatever it said. */
#include <dlfcn.h>
#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinter.h"

static FILE *input, *output;

static void fail(const char *what) {
  fprintf(stderr, "run_library: %s\n", what);
  exit(1);
}

static void get(void *to, size_t bytes) {
  if (bytes && fread(to, 1, bytes, input) != bytes) fail("the inputs end too early");
}
static void put(const void *from, size_t bytes) {
  if (bytes && fwrite(from, 1, bytes, output) != bytes) fail("the outputs cannot be written");
}
static uint64_t get64(void) { uint64_t number; get(&number, 8); return number; }
static uint32_t get32(void) { uint32_t number; get(&number, 4); return number; }
static void put64(uint64_t number) { put(&number, 8); }
static void put32(uint32_t number) { put(&number, 4); }

static void *memory(size_t bytes) {
  void *block = aligned_alloc(64, (bytes / 64 + 1) * 64);
  if (!block) fail("out of memory");
  return block;
}

static uint64_t elements(const SinterTensor *tensor) {
  uint64_t count = 1;
  for (int32_t axis = 0; axis < tensor->ndim; axis++) count *= (uint64_t)tensor->shape[axis];
  return count;
}

static void read_value(SinterValue *value) {
  memset(value, 0, sizeof *value);
  value->kind = (int32_t)get32();
  if (value->kind == SINTER_NONE) return;
  if (value->kind != SINTER_TENSOR) {
    value->count = get64();
    value->elements = memory(value->count * sizeof(SinterValue));
    for (size_t i = 0; i < value->count; i++) read_value(&value->elements[i]);
    return;
  }
  SinterTensor *tensor = &value->tensor;
  tensor->device.device_type = 1;
  tensor->dtype.code = (uint8_t)get32();
  tensor->dtype.bits = (uint8_t)get32();
  tensor->dtype.lanes = 1;
  tensor->ndim = (int32_t)get32();
  tensor->shape = memory((size_t)tensor->ndim * 8);
  get(tensor->shape, (size_t)tensor->ndim * 8);
  if (tensor->dtype.code == SINTER_STRING) {
    uint64_t count = elements(tensor);
    SinterString *texts = tensor->data = memory(count * sizeof *texts);
    for (uint64_t i = 0; i < count; i++) {
      char *bytes = memory(texts[i].length = get64());
      get(bytes, texts[i].length);
      texts[i].bytes = bytes;
    }
  } else {
    uint64_t bytes = get64();
    tensor->data = memory(bytes);
    get(tensor->data, bytes);
  }
}

static void write_value(const SinterValue *value) {
  put32((uint32_t)value->kind);
  if (value->kind == SINTER_NONE) return;
  if (value->kind != SINTER_TENSOR) {
    put64(value->count);
    for (size_t i = 0; i < value->count; i++) write_value(&value->elements[i]);
    return;
  }
  const SinterTensor *tensor = &value->tensor;
  put32(tensor->dtype.code), put32(tensor->dtype.bits), put32((uint32_t)tensor->ndim);
  put(tensor->shape, (size_t)tensor->ndim * 8);
  uint64_t count = elements(tensor);
  const char *data = (const char *)tensor->data + tensor->byte_offset;
  if (tensor->dtype.code == SINTER_STRING) {
    const SinterString *texts = (const SinterString *)data;
    for (uint64_t i = 0; i < count; i++) put64(texts[i].length), put(texts[i].bytes, texts[i].length);
  } else {
    uint64_t bytes = (count * tensor->dtype.bits + 7) / 8;
    put64(bytes);
    put(data, bytes);
  }
}

/* Whether all went well; else the message is the last that is written. */
static int told(int32_t status, const char *message) {
  put32((uint32_t)status);
  if (status == SINTER_OK) return 1;
  put64(strlen(message));
  put(message, strlen(message));
  return 0;
}

#ifdef __aarch64__
static uint64_t float_mode(void) { uint64_t mode; __asm__ volatile("mrs %0, fpcr" : "=r"(mode)); return mode; }
static void set_float_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
static void flush_small_floats(void) { set_float_mode(float_mode() | 1u << 24); }
#else
static uint64_t float_mode(void) { return (uint64_t)fegetround(); }
static void flush_small_floats(void) {}
#endif

/* Runs under the host's own way with floats. */
static int32_t run_rounding_down(const SinterLibrary *model, SinterSession *session, const SinterValue *inputs, SinterValue *outputs) {
  if (fesetround(FE_TOWARDZERO)) fail("this processor cannot round toward zero");
  flush_small_floats();
  uint64_t before = float_mode();
  int32_t status = model->run(session, inputs, outputs);
  if (float_mode() != before) fail("the run changes how the host's floats are rounded");
#ifdef __aarch64__
  set_float_mode(0);
#endif
  fesetround(FE_TONEAREST);
  return status;
}

int main(int count, char **arguments) {
  if (count < 4) fail("give a library, a file of inputs and one for outputs");
  input = fopen(arguments[2], "rb"), output = fopen(arguments[3], "wb");
  if (!input || !output) fail("a file cannot be opened");
  void *handle = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (!handle) fail(dlerror());
  const SinterLibrary *(*entry)(void) = (const SinterLibrary *(*)(void))dlsym(handle, "sinter_library");
  if (!entry) fail("the library has no sinter_library()");
  const SinterLibrary *model = entry();
  SinterOptions options = {.size = sizeof options, .threads = count > 4 ? atoi(arguments[4]) : 1};
  SinterSession *session = NULL;
  int goes_on = told(model->open(&options, &session), model->message(NULL));
  for (uint64_t sets = get64(); goes_on && sets > 0; sets--) {
    if (get64() != model->input_count) fail("the library has another number of inputs");
    SinterValue *inputs = memory(model->input_count * sizeof *inputs);
    for (size_t i = 0; i < model->input_count; i++) read_value(&inputs[i]);
    for (int turn = 0; goes_on && turn < 2; turn++) {
      SinterValue *outputs = memory(model->output_count * sizeof *outputs);
      memset(outputs, 0, model->output_count * sizeof *outputs);
      int32_t status =
        turn ? run_rounding_down(model, session, inputs, outputs) : model->run(session, inputs, outputs);
      goes_on = told(status, model->message(session));
      if (!goes_on) break;
      put64(model->output_count);
      for (size_t i = 0; i < model->output_count; i++) {
        write_value(&outputs[i]);
        if (outputs[i].release) outputs[i].release(&outputs[i]);
      }
    }
  }
  if (session) model->close(session);
  return fclose(output) ? 1 : 0;
}
