/* promises.c: what a library promises of its runs, held by a host that counts.
 *
 *   promises LIBRARY SIZE SIZE [SYMBOL=SIZE]...
 *
 * The model's open sizes are the one SIZE and then the other, but for symbols that have their own. For one thread and for several, for the library's own threads and for the host's:
 *
 *   - outputs have the same bits as those of the first session, run after run;
 *   - after the first run of a shape nothing is allocated, neither through the options' hooks nor behind their back. Threads that
 *     start late may allocate what the C library needs for them, since they start when there is work for them and not before.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sinter.h"

#define REQUIRE(condition, ...)                                        \
  do {                                                                 \
    if (condition) break;                                              \
    atomic_store(&counting, 0);                                        \
    printf("%s:%d: not so: %s; ", __FILE__, __LINE__, #condition);     \
    printf(__VA_ARGS__);                                               \
    puts("");                                                          \
    exit(1);                                                           \
  } while (0)

/* ---- Everything that allocates, counted while `counting` is set. ---- */

static atomic_int counting, allocations;
static __thread int starting_thread;

static void count(void) {
  if (atomic_load(&counting) && !starting_thread) atomic_fetch_add(&allocations, 1);
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

void *malloc(size_t bytes) { return count(), __libc_malloc(bytes); }
void *calloc(size_t number, size_t bytes) { return count(), __libc_calloc(number, bytes); }
void *realloc(void *block, size_t bytes) { return count(), __libc_realloc(block, bytes); }
void *memalign(size_t alignment, size_t bytes) { return count(), __libc_memalign(alignment, bytes); }
void *aligned_alloc(size_t alignment, size_t bytes) { return count(), __libc_memalign(alignment, bytes); }
int posix_memalign(void **block, size_t alignment, size_t bytes) {
  count();
  *block = __libc_memalign(alignment, bytes);
  return *block ? 0 : ENOMEM;
}
void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset) {
  count();
  return (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
}

static int (*real_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  starting_thread++;
  int status = real_create(thread, attributes, body, argument);
  starting_thread--;
  return status;
}

/* ---- The hooks of the options. ---- */

static atomic_int hook_blocks, hook_calls;

static void *hook_allocate(void *host, size_t bytes, size_t alignment) {
  (void)host;
  atomic_fetch_add(&hook_blocks, 1);
  atomic_fetch_add(&hook_calls, 1);
  return __libc_memalign(alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes);
}

static void hook_deallocate(void *host, void *block) {
  (void)host;
  atomic_fetch_sub(&hook_blocks, 1);
  free(block);
}

/* The host's own threads: two of them, started ahead of time, and the caller. They take what is left from the far end. */
static atomic_int shared_launches;

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  void (*body)(void *, size_t);
  void *argument;
  size_t left, running;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void take_one(void) {
  size_t index = --work.left;
  work.running++;
  pthread_mutex_unlock(&work.lock);
  work.body(work.argument, index);
  pthread_mutex_lock(&work.lock);
  work.running--;
  pthread_cond_broadcast(&work.changed);
}

static void *help(void *unused) {
  pthread_mutex_lock(&work.lock);
  for (;;) {
    if (work.left) take_one();
    else pthread_cond_wait(&work.changed, &work.lock);
  }
  return unused;
}

static void host_parallel(void *host, void (*body)(void *, size_t), void *argument, size_t number) {
  (void)host;
  atomic_fetch_add(&shared_launches, 1);
  pthread_mutex_lock(&work.lock);
  work.body = body, work.argument = argument, work.left = number;
  pthread_cond_broadcast(&work.changed);
  while (work.left) take_one();
  while (work.running) pthread_cond_wait(&work.changed, &work.lock);
  pthread_mutex_unlock(&work.lock);
}

/* ---- Values ---- */

enum { MAX_PORTS = 256, MAX_RANK = 8, SIZES = 2, ROUNDS = 6 };

static const SinterLibrary *library;
static char **own_sizes; /* "SYMBOL=SIZE", NULL at the end */

/* Everything for one of the sizes. */
typedef struct {
  SinterValue inputs[MAX_PORTS], outputs[MAX_PORTS];
  int64_t input_shapes[MAX_PORTS][MAX_RANK], output_shapes[MAX_PORTS][MAX_RANK];
  void *expected[MAX_PORTS];
  size_t bytes[MAX_PORTS];
} Case;

static Case cases[SIZES];

static size_t byte_count(const SinterTensor *tensor) {
  size_t count = 1;
  for (int32_t i = 0; i < tensor->ndim; i++) count *= (size_t)tensor->shape[i];
  return count * tensor->dtype.bits / 8;
}

static void fill(const SinterTensor *tensor) {
  static uint32_t state = 1;
  size_t count = byte_count(tensor) * 8 / tensor->dtype.bits;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    if (tensor->dtype.code == 2 && tensor->dtype.bits == 32) ((float *)tensor->data)[i] = (float)(state >> 8) / (1 << 23) - 1;
    else if (tensor->dtype.bits == 64) ((int64_t *)tensor->data)[i] = state >> 31;
    else ((char *)tensor->data)[i * tensor->dtype.bits / 8] = (char)(state >> 31);
  }
}

static int64_t open_size(const char *symbol, int64_t size) {
  size_t length = symbol ? strlen(symbol) : 0;
  for (char **own = own_sizes; symbol && *own; own++)
    if (!strncmp(*own, symbol, length) && (*own)[length] == '=') return atoll(*own + length + 1);
  return size;
}

static void make_inputs(Case *mine, int64_t size) {
  for (size_t i = 0; i < library->input_count; i++) {
    const SinterPort *port = &library->inputs[i];
    REQUIRE(port->ndim >= 0 && port->ndim <= MAX_RANK, "input %s has rank %d", port->name, port->ndim);
    for (int32_t j = 0; j < port->ndim; j++) {
      int is_open = port->shape[j] < 0;
      mine->input_shapes[i][j] = is_open ? open_size(port->dimension ? port->dimension[j] : NULL, size) : port->shape[j];
    }
    SinterTensor *tensor = &mine->inputs[i].tensor;
    *tensor = (SinterTensor){.device = {1, 0}, .ndim = port->ndim, .dtype = port->dtype, .shape = mine->input_shapes[i]};
    tensor->data = aligned_alloc(64, (byte_count(tensor) + 127) / 64 * 64);
    mine->inputs[i].kind = SINTER_TENSOR;
    fill(tensor);
  }
}

static void run(SinterSession *session, Case *mine) {
  int32_t status = library->run(session, mine->inputs, mine->outputs);
  REQUIRE(status == SINTER_OK, "%s", library->message(session));
}

/* Lets the library allocate the outputs; the first time what they hold is what all others must give. */
static void run_first(SinterSession *session, Case *mine) {
  memset(mine->outputs, 0, sizeof mine->outputs);
  run(session, mine);
  for (size_t i = 0; i < library->output_count; i++) {
    SinterTensor *tensor = &mine->outputs[i].tensor;
    if (!mine->expected[i]) {
      mine->bytes[i] = byte_count(tensor);
      mine->expected[i] = malloc(mine->bytes[i] + 1);
      memcpy(mine->expected[i], tensor->data, mine->bytes[i]);
    }
    REQUIRE(!memcmp(mine->expected[i], tensor->data, mine->bytes[i]), "output %s has other bits", library->outputs[i].name);
    mine->outputs[i].release(&mine->outputs[i]);
  }
}

/* Brings memory for the outputs. */
static void bind_outputs(Case *mine, const SinterValue *shapes) {
  for (size_t i = 0; i < library->output_count; i++) {
    const SinterTensor *like = &shapes[i].tensor;
    memcpy(mine->output_shapes[i], like->shape, (size_t)like->ndim * sizeof(int64_t));
    mine->outputs[i] = (SinterValue){.kind = SINTER_TENSOR};
    mine->outputs[i].tensor = (SinterTensor){
      .data = aligned_alloc(64, (mine->bytes[i] + 127) / 64 * 64), .device = {1, 0}, .ndim = like->ndim, .dtype = like->dtype,
      .shape = mine->output_shapes[i]};
  }
}

/* ---- Sessions ---- */

typedef struct { const char *name; int32_t threads; int has_hooks, has_parallel; } Host;

static void hold(const Host *host) {
  SinterOptions options = {.size = sizeof options, .threads = host->threads};
  if (host->has_hooks) options.allocate = hook_allocate, options.deallocate = hook_deallocate;
  if (host->has_parallel) options.parallel = host_parallel;
  SinterSession *session;
  int32_t status = library->open(&options, &session);
  REQUIRE(status == SINTER_OK, "%s", library->message(NULL));
  for (int i = 0; i < SIZES; i++) run_first(session, &cases[i]);
  for (int i = 0; i < SIZES; i++) {
    SinterValue shapes[MAX_PORTS] = {0};
    memcpy(cases[i].outputs, shapes, sizeof shapes);
    run(session, &cases[i]);
    memcpy(shapes, cases[i].outputs, sizeof shapes);
    bind_outputs(&cases[i], shapes);
    for (size_t j = 0; j < library->output_count; j++) shapes[j].release(&shapes[j]);
  }
  int hooks = atomic_load(&hook_calls);
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < SIZES; i++) {
      for (size_t j = 0; j < library->output_count; j++) memset(cases[i].outputs[j].tensor.data, 0xa5, cases[i].bytes[j]);
      atomic_store(&allocations, 0);
      atomic_store(&counting, 1);
      run(session, &cases[i]);
      atomic_store(&counting, 0);
      REQUIRE(atomic_load(&allocations) == 0, "%d allocations, %s, %d threads", atomic_load(&allocations), host->name, host->threads);
      REQUIRE(atomic_load(&hook_calls) == hooks, "the hook was called, %s, %d threads", host->name, host->threads);
      for (size_t j = 0; j < library->output_count; j++)
        REQUIRE(!memcmp(cases[i].expected[j], cases[i].outputs[j].tensor.data, cases[i].bytes[j]),
                "output %s has other bits, %s, %d threads, run %d", library->outputs[j].name, host->name, host->threads, round);
    }
  }
  library->close(session);
  for (int i = 0; i < SIZES; i++)
    for (size_t j = 0; j < library->output_count; j++) free(cases[i].outputs[j].tensor.data);
  REQUIRE(atomic_load(&hook_blocks) == 0, "%d blocks of the host are left", atomic_load(&hook_blocks));
}

int main(int argc, char **argv) {
  REQUIRE(argc >= 2 + SIZES, "usage: promises LIBRARY SIZE SIZE [SYMBOL=SIZE]...");
  own_sizes = argv + 2 + SIZES;
  real_create = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
  void *handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  REQUIRE(handle, "%s", dlerror());
  library = ((const SinterLibrary *(*)(void))dlsym(handle, "sinter_library"))();
  REQUIRE(library->input_count <= MAX_PORTS && library->output_count <= MAX_PORTS, "too many ports");
  for (int i = 0; i < SIZES; i++) make_inputs(&cases[i], atoll(argv[2 + i]));

  pthread_t helpers[2];
  for (int i = 0; i < 2; i++) pthread_create(&helpers[i], NULL, help, NULL);
  static const Host hosts[] = {
    {"own threads", 1, 0, 0}, {"own threads", 2, 0, 0}, {"own threads", 3, 1, 0}, {"own threads", 7, 0, 0},
    {"host's threads", 2, 1, 1}, {"host's threads", 7, 0, 1},
  };
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) hold(&hosts[i]);
  printf("held, %s\n", atomic_load(&shared_launches) ? "with shared work" : "with no work that is worth sharing");
  return 0;
}
