/* The most memory that a process holds while it runs a compiled step of training, without a compiler in it: peak LIBRARY STEPS
 *
 * Inputs are zeros. Prints bytes: the peak behind the steps, less what the process held before the library was loaded. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinter.h"

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "peak: %s: %s\n", what, detail);
  exit(1);
}

/* The most that the process has held, pages of files among it. */
static long long peak(void) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  long long kilobytes = -1;
  while (status && fgets(line, sizeof line, status))
    if (sscanf(line, "VmHWM: %lld", &kilobytes) == 1) break;
  if (status) fclose(status);
  return kilobytes * 1024;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s LIBRARY STEPS\n", argv[0]);
    return 2;
  }
  long long before = peak();
  void *file = dlopen(argv[1], RTLD_NOW);
  if (!file) fail("dlopen", dlerror());
  const SinterLibrary *(*entry)(void);
  *(void **)&entry = dlsym(file, "sinter_library");
  if (!entry) fail("dlsym", dlerror());
  const SinterLibrary *library = entry();
  SinterOptions options = {.size = sizeof options, .threads = 1};
  SinterSession *session;
  if (library->open(&options, &session)) fail("open", library->message(NULL));
  SinterValue *inputs = calloc(library->input_count, sizeof *inputs);
  SinterValue *outputs = calloc(library->output_count, sizeof *outputs);
  for (size_t i = 0; i < library->input_count; i++) {
    const SinterPort *port = &library->inputs[i];
    size_t bytes = (size_t)port->dtype.bits / 8;
    for (int32_t axis = 0; axis < port->ndim; axis++) {
      if (port->shape[axis] < 0) fail(port->name, "has a size that is open");
      bytes *= (size_t)port->shape[axis];
    }
    inputs[i].kind = SINTER_TENSOR;
    inputs[i].tensor = (SinterTensor){
      .data = calloc(1, bytes ? bytes : 1), .device = {1, 0}, .ndim = port->ndim, .dtype = port->dtype, .shape = (int64_t *)port->shape};
  }
  for (long step = 0; step < atol(argv[2]); step++) {
    memset(outputs, 0, library->output_count * sizeof *outputs);
    if (library->run(session, inputs, outputs)) fail("run", library->message(session));
    for (size_t i = 0; i < library->output_count; i++)
      if (outputs[i].release) outputs[i].release(&outputs[i]);
  }
  printf("%lld\n", peak() - before);
  library->close(session);
  return 0;
}
