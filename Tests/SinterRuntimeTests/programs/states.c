/* states.c: a library that keeps a sum, and files of its state, damaged ones among them. `test FOLDER`. With IN_PLACE the next sum is written over
 * the current one. */
#include "internal.h" /* first, since it says what of the system is used */

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

/* ---- The program: y = x + sum, sum becomes y; where x[0] is NaN, the run fails behind that, or before it in place. ---- */

enum { SIZE = 4 };

static const int64_t shape[] = {SIZE};
static const SinterPort inputs[] = {
  {"x", SINTER_TENSOR, 0, {2, 32, 1}, 1, shape, NULL, NULL},
  {"sum \"é\"", SINTER_TENSOR, 0, {2, 32, 1}, 1, shape, NULL, NULL},
  {"fixed", SINTER_TENSOR, 0, {6, 8, 1}, 0, NULL, NULL, NULL},
};
static const SinterPort outputs[] = {
  {"y", SINTER_TENSOR, 0, {2, 32, 1}, 1, shape, NULL, NULL},
  {"sum.next", SINTER_TENSOR, 0, {2, 32, 1}, 1, shape, NULL, NULL},
};
static const SinterDim dims[] = {{SINTER_DIM_CONSTANT, SIZE, NULL}};
static const SinterDim *const input_dims[] = {dims, dims, NULL};
static const int32_t slots[] = {0};
static const int32_t *const output_dims[] = {slots, slots};
static const SinterBufferInfo buffers[] = {
  {SINTER_BUFFER_INPUT, 0, 0, 0, 0, 0}, {SINTER_BUFFER_INPUT, 1, 0, 0, 0, 0},
  {SINTER_BUFFER_OUTPUT, 0, 0, 0, 0, 0}, {SINTER_BUFFER_OUTPUT, 1, 0, 0, 0, 0},
};
#ifdef IN_PLACE
enum { in_place = 1 };
#else
enum { in_place = 0 };
#endif
static const SinterStateInfo states[] = {{1, 1, in_place, 0}, {2, -1, 0, -1}};
static const struct { _Alignas(64) float start[SIZE]; } weights = {{1, 2, 3, 4}};
static const char *const errors[] = {"x is no number"}, *const features[] = {NULL};

static int32_t plan(int64_t *sizes) {
  sizes[0] = SIZE;
  return 0;
}

static atomic_int waiting, enough;

static int32_t run(SinterFrame *frame) {
  int32_t status = sinter_output(frame, 0);
  if (!status) status = sinter_output(frame, 1);
  if (status) return status;
  const float *x = frame->buffers[0], *sum = frame->buffers[1];
  float *y = frame->buffers[2], *next = frame->buffers[3];
  CHECK((sum == next) == in_place);
  if (in_place && isnan(x[0])) return sinter_fail(frame, SINTER_RUNTIME_ERROR, 0, NULL, 0);
  for (int i = 0; i < SIZE; i++) y[i] = next[i] = x[i] + sum[i];
  for (waiting = isinf(x[0]); waiting && !enough;) usleep(100);
  return isnan(x[0]) ? sinter_fail(frame, SINTER_RUNTIME_ERROR, 0, NULL, 0) : SINTER_OK;
}

const SinterProgram sinter_program = {
  .abi_version = 1, .name = "sums", .producer = "by hand", .target = "any", .features = features,
  .input_count = 3, .output_count = 2, .inputs = inputs, .outputs = outputs, .input_dims = input_dims, .output_dims = output_dims,
  .slot_count = 1, .buffer_count = 4, .buffers = buffers, .arena_bytes = 0, .weights = &weights, .weight_bytes = sizeof weights,
  .errors = errors, .error_count = 1, .plan = plan, .run = run, .state_count = 2, .states = states,
};

/* ---- Its host ---- */

static const SinterLibrary *library;

static int32_t add(SinterSession *session, float first) {
  float x[SIZE] = {first, 1, 1, 1};
  int64_t sizes[] = {SIZE};
  SinterValue given = {.kind = SINTER_TENSOR, .tensor = {.data = x, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = sizes}};
  SinterValue made = {0};
  int32_t status = library->run(session, &given, &made);
  if (made.release) made.release(&made);
  return status;
}

static float last(SinterSession *session) {
  SinterValue value = {0};
  CHECK(library->read_state(session, 0, &value) == SINTER_OK);
  float result = ((float *)value.tensor.data)[SIZE - 1];
  value.release(&value);
  return result;
}

static void test_runs(SinterSession *session) {
  CHECK(library->abi_version == 2 && library->input_count == 1 && library->output_count == 1 && library->state_count == 2);
  CHECK(last(session) == 4 && add(session, 1) == SINTER_OK && last(session) == 5);
  CHECK(add(session, NAN) == SINTER_RUNTIME_ERROR && last(session) == 5);
  CHECK(library->run(session, NULL, NULL) == SINTER_INVALID_ARGUMENT && last(session) == 5);
  SinterValue none = {0};
  CHECK(library->read_state(session, 2, &none) == SINTER_INVALID_ARGUMENT);
  CHECK(library->write_state(session, 0, &none) == SINTER_INVALID_ARGUMENT);
  CHECK(strstr(library->message(session), "expected a tensor"));
  CHECK(library->read_state(NULL, 0, &none) == SINTER_INVALID_ARGUMENT);
  CHECK(library->save_state(session, NULL) == SINTER_INVALID_ARGUMENT && library->restore_state(session, "") == SINTER_INVALID_ARGUMENT);
}

static void *add_for_long(void *session) {
  CHECK(add(session, INFINITY) == SINTER_OK);
  return NULL;
}

static void test_busy(SinterSession *session, const char *path) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, add_for_long, session) == 0);
  while (!waiting) usleep(100);
  SinterValue value = {0};
  CHECK(library->read_state(session, 0, &value) == SINTER_BUSY && library->write_state(session, 0, &value) == SINTER_BUSY);
  CHECK(library->save_state(session, path) == SINTER_BUSY && library->restore_state(session, path) == SINTER_BUSY);
  enough = 1;
  CHECK(pthread_join(thread, NULL) == 0);
}

/* ---- Files ---- */

#define SUM "\"sum \\\"\\u00e9\\\"\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}"
#define FIXED "\"fixed\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[16,17]}"

static void write_header(const char *path, const char *header, uint64_t length, size_t data) {
  FILE *file = fopen(path, "wb");
  CHECK(file);
  fwrite(&length, 8, 1, file);
  fputs(header, file);
  for (size_t i = 0; i < data; i++) fputc(0, file);
  fclose(file);
}

static void test_headers(SinterSession *session, const char *path) {
  static char long_name[4096], deep[2048];
  snprintf(long_name, sizeof long_name, "{\"%03000d\":{}," SUM "}", 1);
  strcpy(deep, "{\"fixed\":{\"dtype\":\"BOOL\",\"shape\":[");
  for (int i = 0; i < 200; i++) strcat(deep, "1,");
  strcat(deep, "1],\"data_offsets\":[16,17]}," SUM "}");
  const struct { const char *header; int32_t status; } cases[] = {
    {"{" SUM "," FIXED "}", SINTER_OK},
    {" { \"__metadata__\" : { \"a\" : \"\\\\\\\" }\" , \"b\":\"\" } , " FIXED " , " SUM " } ", SINTER_OK},
    {"{" SUM "}", SINTER_SHAPE_MISMATCH},
    {"{}", SINTER_SHAPE_MISMATCH},
    {"", SINTER_INVALID_ARGUMENT},
    {"{", SINTER_INVALID_ARGUMENT},
    {"{\"", SINTER_INVALID_ARGUMENT},
    {"{\"\\", SINTER_INVALID_ARGUMENT},
    {"{\"\\u12", SINTER_INVALID_ARGUMENT},
    {"{\"\\ud800\\u\"", SINTER_INVALID_ARGUMENT},
    {"{\"fixed\\u0000x\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[16,17]}," SUM "}", SINTER_INVALID_ARGUMENT},
    {"{\"\\ud83d\\ude00\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}," SUM "," FIXED "}", SINTER_SHAPE_MISMATCH},
    {"{" SUM "," SUM "," FIXED "}", SINTER_INVALID_ARGUMENT},
    {"{" SUM "," FIXED "}x", SINTER_OK}, /* what stands behind is not looked at */
    {"{\"fixed\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[17,18]}," SUM "}", SINTER_INVALID_ARGUMENT},
    {"{\"fixed\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[17,16]}," SUM "}", SINTER_INVALID_ARGUMENT},
    {"{\"fixed\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[16,18446744073709551633]}," SUM "}", SINTER_INVALID_ARGUMENT},
    {"{\"fixed\":{\"dtype\":\"BOOL\",\"shape\":[],\"data_offsets\":[-1,0]}," SUM "}", SINTER_INVALID_ARGUMENT},
    {"{\"fixed\":{\"dtype\":\"BOOL\",\"shape\":[]}," SUM "}", SINTER_INVALID_ARGUMENT},
    {"{\"fixed\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[16,17]}," SUM "}", SINTER_SHAPE_MISMATCH},
    {"{\"fixed\":{\"dtype\":\"BOOLEANTRUTHVALUES\",\"shape\":[],\"data_offsets\":[16,17]}," SUM "}", SINTER_INVALID_ARGUMENT},
    {"{\"fixed\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[16,17]}," SUM "}", SINTER_SHAPE_MISMATCH},
    {long_name, SINTER_INVALID_ARGUMENT},
    {deep, SINTER_SHAPE_MISMATCH},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    float before = last(session);
    write_header(path, cases[i].header, strlen(cases[i].header), 17);
    int32_t status = library->restore_state(session, path);
    if (status != cases[i].status) fprintf(stderr, "%s: %s\n", cases[i].header, library->message(session));
    CHECK(status == cases[i].status);
    CHECK(last(session) == (status ? before : 0));
    if (!status) CHECK(add(session, 1) == SINTER_OK);
  }
  const uint64_t lengths[] = {0, 1, 1u << 20, UINT64_MAX, UINT64_MAX - 7, (uint64_t)INT64_MAX};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    write_header(path, "{" SUM "," FIXED "}", lengths[i], 17);
    CHECK(library->restore_state(session, path) != SINTER_OK);
  }
}

static void test_files(SinterSession *session, SinterSession *second, const char *folder, const char *path) {
  CHECK(add(session, 1) == SINTER_OK && library->save_state(session, path) == SINTER_OK);
  CHECK(library->restore_state(second, path) == SINTER_OK && last(second) == last(session));
  /* Links are followed, permissions stay, devices and pipes are what they were. */
  char link[1024], target[1024];
  snprintf(link, sizeof link, "%s/link", folder);
  snprintf(target, sizeof target, "%s/target", folder);
  CHECK(symlink("target", link) == 0 && library->save_state(session, link) == SINTER_OK);
  struct stat info;
  CHECK(lstat(link, &info) == 0 && S_ISLNK(info.st_mode) && lstat(target, &info) == 0 && S_ISREG(info.st_mode));
  CHECK(chmod(target, 0600) == 0 && library->save_state(session, link) == SINTER_OK);
  CHECK(stat(target, &info) == 0 && (info.st_mode & 0777) == 0600);
  CHECK(library->save_state(session, "/dev/null") == SINTER_OK && stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
  CHECK(library->save_state(session, "/dev/full") == SINTER_RUNTIME_ERROR);
  CHECK(library->save_state(session, folder) == SINTER_RUNTIME_ERROR);
  char pipe[1024];
  snprintf(pipe, sizeof pipe, "%s/pipe", folder);
  CHECK(mkfifo(pipe, 0600) == 0 && library->restore_state(session, pipe) == SINTER_INVALID_ARGUMENT);
}

int main(int count, char **arguments) {
  CHECK(count == 2);
  char path[1024];
  snprintf(path, sizeof path, "%s/state.safetensors", arguments[1]);
  library = sinter_library();
  SinterSession *session, *second;
  CHECK(library->open(NULL, &session) == SINTER_OK && library->open(NULL, &second) == SINTER_OK);
  test_runs(session);
  test_busy(session, path);
  test_files(session, second, arguments[1], path);
  test_headers(second, path);
  library->close(session);
  library->close(second);
  return 0;
}
