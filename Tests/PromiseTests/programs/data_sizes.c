/* data_sizes.c: runs a library of one input of floats in turns over different contents, which determine sizes inside, and counts what is
 * allocated. Once all contents have been seen, a run allocates its outputs and nothing else. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinter.h"

enum { COUNT = 64, CONTENTS = 5 };

static int allocations;

static void *allocate(void *host, size_t bytes, size_t alignment) {
  void *memory;
  (void)host;
  allocations++;
  return posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes ? bytes : 1) ? NULL : memory;
}

static void deallocate(void *host, void *memory) {
  (void)host;
  free(memory);
}

int main(int argc, char **argv) {
  void *handle = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
  const SinterLibrary *(*entry)(void) = NULL;
  if (handle) *(void **)&entry = dlsym(handle, "sinter_library");
  if (!entry) return printf("no library\n"), 2;
  const SinterLibrary *library = entry();
  SinterOptions options = {.size = sizeof options, .threads = 1, .allocate = allocate, .deallocate = deallocate};
  SinterSession *session;
  if (library->open(&options, &session)) return printf("%s\n", library->message(NULL)), 2;
  float x[COUNT];
  int64_t shape[1] = {COUNT};
  for (int turn = 0; turn < 3 * CONTENTS; turn++) {
    for (int i = 0; i < COUNT; i++) x[i] = i % (turn % CONTENTS + 1) ? 1.0f : -1.0f;
    SinterValue input = {.kind = SINTER_TENSOR}, outputs[8];
    memset(outputs, 0, sizeof outputs);
    input.tensor.data = x;
    input.tensor.device.device_type = 1;
    input.tensor.ndim = 1;
    input.tensor.dtype = library->inputs[0].dtype;
    input.tensor.shape = shape;
    int before = allocations;
    if (library->run(session, &input, outputs)) return printf("%s\n", library->message(session)), 1;
    int made = allocations - before - (int)library->output_count;
    if (turn >= CONTENTS && made) return printf("turn %d allocates %d times besides its outputs\n", turn, made), 1;
    for (size_t i = 0; i < library->output_count; i++) outputs[i].release(&outputs[i]);
  }
  library->close(session);
  printf("held\n");
  return 0;
}
