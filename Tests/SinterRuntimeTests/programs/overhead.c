/* overhead.c: what the runtime itself costs, with kernels of a known length. `make bench-runtime` builds and runs it.
 *
 * Prints medians in nanoseconds for each number of threads: of a run that launches nothing; of one launch more that stays on
 * the caller's thread; and of runs with 20 launches of some length, one straight after another and with pauses between. */
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "sinter_runtime.h"

enum { TASKS = 64, GRAIN = 32, RUNS = 1001 };

/* What `run` does: so many launches of so many tasks, each of so many dependent multiplications. */
static int launches, tasks, turns;

static const int64_t shape[] = {16};
static const SinterPort input = {"x", SINTER_TENSOR, 0, {2, 32, 1}, 1, shape, NULL, NULL};
static const SinterPort output = {"y", SINTER_TENSOR, 0, {2, 32, 1}, 1, shape, NULL, NULL};
static const SinterDim dims[] = {{SINTER_DIM_CONSTANT, 16, NULL}};
static const SinterDim *const input_dims[] = {dims};
static const int32_t slot = 0;
static const int32_t *const output_dims[] = {&slot};
static const SinterBufferInfo buffers[] = {{SINTER_BUFFER_INPUT, 0, 0, 0, 0, 0}, {SINTER_BUFFER_OUTPUT, 0, 0, 0, 0, 0}};

static int32_t plan(int64_t *sizes) {
  sizes[0] = 16;
  return 0;
}

static int32_t multiply_kernel(void *const *all, const int64_t *sizes, int64_t begin, int64_t end) {
  (void)sizes;
  volatile float sink;
  for (int64_t task = begin; task < end; task++) {
    float product = *(const float *)all[0];
    for (int turn = 0; turn < turns; turn++) product *= 1.0001f;
    sink = product;
  }
  (void)sink;
  return 0;
}

static int32_t run(SinterFrame *frame) {
  int32_t status = sinter_output(frame, 0);
  for (int i = 0; i < launches && !status; i++)
    status = sinter_launch(frame, multiply_kernel, frame->buffers, frame->sizes, tasks, GRAIN);
  return status;
}

const SinterProgram sinter_program = {
  .abi_version = SINTER_ABI_VERSION, .name = "overhead", .producer = "sinter test", .target = "any processor",
  .input_count = 1, .output_count = 1, .inputs = &input, .outputs = &output, .input_dims = input_dims,
  .output_dims = output_dims, .slot_count = 1, .buffer_count = 2, .buffers = buffers, .plan = plan, .run = run,
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* The median of many runs; each sample is the mean of `batch` runs, after a pause. */
static double median(const SinterLibrary *library, SinterSession *session, int batch, useconds_t pause) {
  static float x[16], y[16];
  static int64_t samples[RUNS];
  int64_t sizes[] = {16};
  const SinterValue value = {.kind = SINTER_TENSOR, .tensor = {x, {1, 0}, 1, {2, 32, 1}, sizes, NULL, 0}};
  SinterValue result = value;
  result.tensor.data = y;
  int count = pause ? RUNS / 10 : RUNS;
  for (int i = 0; i < count; i++) {
    if (pause) usleep(pause);
    int64_t start = now();
    for (int j = 0; j < batch; j++) CHECK(library->run(session, &value, &result) == SINTER_OK);
    samples[i] = now() - start;
  }
  qsort(samples, (size_t)count, sizeof *samples, compare);
  return (double)samples[count / 2] / batch;
}

int main(void) {
  const SinterLibrary *library = sinter_library();
  long most = sysconf(_SC_NPROCESSORS_ONLN);
  printf("threads  empty run  launch here  20 x 20 us  20 x 200 us  20 x 20 us, pauses\n");
  for (int threads = 1; threads <= most; threads *= 2) {
    SinterSession *session;
    CHECK(library->open(&(SinterOptions){.size = sizeof(SinterOptions), .threads = threads}, &session) == SINTER_OK);
    launches = 0;
    double empty = median(library, session, 100, 0);
    launches = 100, tasks = 1, turns = 0;
    double here = (median(library, session, 20, 0) - empty) / launches;
    launches = 20, tasks = TASKS, turns = 550;
    double brief = median(library, session, 1, 0), apart = median(library, session, 1, 2000);
    turns = 5500;
    double longer = median(library, session, 1, 0);
    printf("%7d  %9.0f  %11.1f  %10.0f  %11.0f  %18.0f\n", threads, empty, here, brief, longer, apart);
    library->close(session);
  }
  return 0;
}
