/* beside.c: a program whose weights lie in a file beside it, and which needs no threads. The first argument is the folder of
 * this executable. */
#include <unistd.h>

#include "check.h"
#include "sinter_runtime.h"

static const int64_t shape[] = {3};
static const SinterPort output = {"weights", SINTER_TENSOR, 0, {2, 32, 1}, 1, shape, NULL, NULL};
static const int32_t slot = 0;
static const int32_t *const output_dims[] = {&slot};
static const SinterBufferInfo buffers[] = {
  {SINTER_BUFFER_CONSTANT, -1, 0, 0, 4, 0}, {SINTER_BUFFER_OUTPUT, 0, 0, 0, 0, 0},
};

static int32_t plan(int64_t *sizes) { sizes[0] = 3; return 0; }

static int32_t copy_kernel(void *const *all, const int64_t *sizes, int64_t begin, int64_t end) {
  (void)sizes, (void)begin, (void)end;
  memcpy(all[1], all[0], 3 * sizeof(float));
  return 0;
}

static int32_t run(SinterFrame *frame) {
  int32_t status = sinter_output(frame, 0);
  return status ? status : sinter_launch(frame, copy_kernel, frame->buffers, frame->sizes, 1, 1);
}

const SinterProgram sinter_program = {
  .abi_version = SINTER_ABI_VERSION, .name = "beside", .producer = "sinter test", .target = "any processor",
  .output_count = 1, .outputs = &output, .output_dims = output_dims, .slot_count = 1, .buffer_count = 2, .buffers = buffers,
  .arena_bytes = 0, .weight_bytes = 4 * sizeof(float), .plan = plan, .run = run,
};

static void write_weights(const char *path, int count) {
  const float values[] = {1, 2, 3, 4};
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(values, sizeof *values, (size_t)count, file) == (size_t)count && !fclose(file));
}

static void check_run(const SinterLibrary *library, SinterSession *session) {
  SinterValue value = {0};
  CHECK_STATUS(library->run(session, NULL, &value), SINTER_OK, library->message(session));
  CHECK(!memcmp(value.tensor.data, (float[]){2, 3, 4}, 3 * sizeof(float)));
  value.release(&value);
  CHECK(!value.release && !value.tensor.data);
  library->close(session);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  char beside[4096], elsewhere[4096], expected[10000];
  snprintf(beside, sizeof beside, "%s/beside.weights", argv[1]);
  snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", argv[1]);
  unlink(beside);
  const SinterLibrary *library = sinter_library();
  SinterSession *session;

  CHECK(library->open(NULL, &session) == SINTER_INVALID_ARGUMENT && !session);
  CHECK(strstr(library->message(NULL), "beside.weights cannot be opened: No such file or directory"));
  write_weights(beside, 4);
  CHECK_STATUS(library->open(NULL, &session), SINTER_OK, library->message(NULL));
  check_run(library, session);

  SinterOptions options = {.size = sizeof options, .weights = elsewhere};
  write_weights(elsewhere, 4);
  CHECK_STATUS(library->open(&options, &session), SINTER_OK, library->message(NULL));
  check_run(library, session);
  write_weights(elsewhere, 3);
  CHECK(library->open(&options, &session) == SINTER_INVALID_ARGUMENT);
  snprintf(expected, sizeof expected, "the weights file %s has 12 bytes, expected 16: it belongs to another model", elsewhere);
  CHECK_TEXT(library->message(NULL), expected);
  return 0;
}
