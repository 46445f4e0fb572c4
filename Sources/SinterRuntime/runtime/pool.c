/* pool.c: a kernel's tasks on several threads.
 *
 * The tasks of a launch are cut into ranges, a few for each thread, and each thread has a share of neighbouring ranges, so
 * that it tends to find in its cache what it wrote one kernel before. Who is done with its own share takes whole ranges
 * of others. The caller takes part, and waits only for ranges that a worker has begun: a worker that the system does
 * not let run costs nothing. The cut depends on nothing but the counts, and a kernel's result does not depend on the cut.
 *
 * `state` is the door to the job. The caller opens it when the job is written, workers count themselves in and out, and
 * the caller shuts it when no range is left and waits until all who are in are out. Thus the job never changes while
 * anybody looks at it.
 */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Ranges for each thread: more of them balance better, fewer cost less. */
#define RANGES_PER_THREAD 8
/* A range holds at least this part of a grain. */
#define GRAIN_PART 4

/* How long a thread looks for work, or for the end of it, before it sleeps. */
#define WORKER_SPIN_NS 40000
#define CALLER_SPIN_NS 20000

typedef struct {
  SinterKernel kernel;
  void *const *buffers;
  const int64_t *sizes;
  int64_t count, range, ranges; /* tasks, tasks a range, ranges */
  int32_t shares;
  _Atomic uint64_t error; /* the first range that failed << 32 | its error; UINT64_MAX for none */
} Job;

/* The ranges next ..< end are still to be taken. */
typedef struct { _Alignas(CACHE_LINE) _Atomic int64_t next; int64_t end; } Share;

#define STATE_OPEN 1u    /* workers may come in */
#define STATE_WAITING 2u /* the caller sleeps until the last one is out */
#define STATE_ONE_IN 4u  /* the number of workers inside */
#define STATE_INSIDE 0xffcu
#define STATE_EPOCH 0x1000u /* counts jobs */
#define MAX_THREADS 1023

typedef struct { Pool *pool; int32_t index; pthread_t thread; } Worker;

struct Pool {
  _Alignas(CACHE_LINE) _Atomic uint32_t state;
  _Alignas(CACHE_LINE) _Atomic uint32_t bell; /* rings for each job, and at the end */
  _Atomic int32_t sleepers;
  atomic_bool closing;
  _Alignas(CACHE_LINE) Job job;
  int32_t threads; /* with the caller's */
  bool spin;
  Worker *workers;
  Share shares[]; /* one a thread */
};

/* ---- Waiting ---- */

static inline void relax(void) {
#if defined __x86_64__ || defined __i386__
  __builtin_ia32_pause();
#elif defined __aarch64__
  __asm__ volatile("yield");
#endif
}

static int64_t clock_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int32_t count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/* ---- Ranges ---- */

static void cut(Job *job, SinterKernel kernel, void *const *buffers, const int64_t *sizes, int64_t count, int64_t grain,
                int32_t threads) {
  int64_t range = (count + (int64_t)threads * RANGES_PER_THREAD - 1) / ((int64_t)threads * RANGES_PER_THREAD);
  if (range < grain / GRAIN_PART) range = grain / GRAIN_PART;
  job->kernel = kernel;
  job->buffers = buffers;
  job->sizes = sizes;
  job->count = count;
  job->range = range;
  job->ranges = (count + range - 1) / range;
  job->shares = (int32_t)(job->ranges < threads ? job->ranges : threads);
  atomic_store_explicit(&job->error, UINT64_MAX, memory_order_relaxed);
}

static void run_range(Job *job, int64_t index) {
  int64_t begin = index * job->range, end = begin + job->range;
  int32_t error = job->kernel(job->buffers, job->sizes, begin, end < job->count ? end : job->count);
  if (!error) return;
  uint64_t mine = (uint64_t)index << 32 | (uint32_t)error;
  uint64_t first = atomic_load_explicit(&job->error, memory_order_relaxed);
  while (mine < first && !atomic_compare_exchange_weak(&job->error, &first, mine)) {}
}

static int32_t job_error(Job *job) {
  uint64_t error = atomic_load_explicit(&job->error, memory_order_relaxed);
  return error == UINT64_MAX ? 0 : (int32_t)(uint32_t)error;
}

/* Takes ranges until none is left: first of the thread's own share, then of the others'. */
static void work(Pool *pool, int32_t index) {
  Job *job = &pool->job;
  for (int32_t i = 0; i < job->shares; i++) {
    Share *share = &pool->shares[(index + i) % job->shares];
    for (;;) {
      if (atomic_load_explicit(&share->next, memory_order_relaxed) >= share->end) break;
      int64_t range = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
      if (range >= share->end) break;
      run_range(job, range);
    }
  }
}

/* ---- Workers ---- */

/* Comes in if the door is open and this job is another than `epoch`. */
static bool come_in(Pool *pool, uint32_t *epoch) {
  uint32_t state = atomic_load_explicit(&pool->state, memory_order_relaxed);
  while ((state & STATE_OPEN) && state / STATE_EPOCH != *epoch) {
    if (!atomic_compare_exchange_weak_explicit(&pool->state, &state, state + STATE_ONE_IN, memory_order_acquire,
                                               memory_order_relaxed))
      continue;
    *epoch = state / STATE_EPOCH;
    return true;
  }
  return false;
}

static void go_out(Pool *pool) {
  uint32_t state = atomic_fetch_sub_explicit(&pool->state, STATE_ONE_IN, memory_order_release) - STATE_ONE_IN;
  if ((state & STATE_WAITING) && !(state & STATE_INSIDE)) futex_wake(&pool->state, 1);
}

/* Returns when the bell has rung since it showed `seen`. */
static void await_bell(Pool *pool, uint32_t seen) {
  if (pool->spin) {
    int64_t until = clock_now() + WORKER_SPIN_NS;
    do {
      for (int i = 0; i < 16; i++) {
        if (atomic_load_explicit(&pool->bell, memory_order_relaxed) != seen) return;
        relax();
      }
    } while (clock_now() < until);
  }
  atomic_fetch_add(&pool->sleepers, 1);
  while (atomic_load(&pool->bell) == seen) futex_wait(&pool->bell, seen);
  atomic_fetch_sub(&pool->sleepers, 1);
}

static void *work_forever(void *argument) {
  Worker *worker = argument;
  Pool *pool = worker->pool;
  uint32_t epoch = UINT32_MAX;
  float_mode_enter();
  for (;;) {
    uint32_t seen = atomic_load(&pool->bell);
    if (atomic_load_explicit(&pool->closing, memory_order_acquire)) return NULL;
    if (come_in(pool, &epoch)) {
      work(pool, worker->index);
      go_out(pool);
    } else {
      await_bell(pool, seen);
    }
  }
}

static void ring(Pool *pool, int32_t wanted) {
  atomic_fetch_add(&pool->bell, 1);
  if (atomic_load(&pool->sleepers) > 0) futex_wake(&pool->bell, wanted);
}

Pool *pool_open(const Memory *memory, int32_t threads) {
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  size_t shares = sizeof(Pool) + (size_t)threads * sizeof(Share);
  Pool *pool = memory_allocate(memory, shares + (size_t)threads * sizeof(Worker), CACHE_LINE);
  if (!pool) return NULL;
  memset(pool, 0, shares);
  pool->workers = (Worker *)((char *)pool + shares);
  pool->spin = threads <= processor_count();
  pool->threads = 1;

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, HUGE_PAGE);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* the host's signals stay on the host's threads */
  for (; pool->threads < threads; pool->threads++) {
    Worker *worker = &pool->workers[pool->threads];
    worker->pool = pool;
    worker->index = pool->threads;
    if (pthread_create(&worker->thread, &attributes, work_forever, worker)) break;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return pool;
}

void pool_close(Pool *pool, const Memory *memory) {
  if (!pool) return;
  atomic_store_explicit(&pool->closing, true, memory_order_release);
  ring(pool, INT_MAX);
  for (int32_t i = 1; i < pool->threads; i++) pthread_join(pool->workers[i].thread, NULL);
  memory_free(memory, pool);
}

int32_t processor_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  long count = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than the set has bits */
  return count > 0 ? (int32_t)count : 1;
}

/* ---- Launching ---- */

/* Shuts the door and waits until every worker is out. */
static void shut(Pool *pool) {
  uint32_t state = atomic_fetch_and_explicit(&pool->state, ~STATE_OPEN, memory_order_acquire) & ~STATE_OPEN;
  if (!(state & STATE_INSIDE)) return;
  if (pool->spin) {
    int64_t until = clock_now() + CALLER_SPIN_NS;
    do {
      for (int i = 0; i < 16; i++) {
        if (!(atomic_load_explicit(&pool->state, memory_order_acquire) & STATE_INSIDE)) return;
        relax();
      }
    } while (clock_now() < until);
  }
  state = atomic_fetch_or_explicit(&pool->state, STATE_WAITING, memory_order_acquire) | STATE_WAITING;
  while (state & STATE_INSIDE) {
    futex_wait(&pool->state, state);
    state = atomic_load_explicit(&pool->state, memory_order_acquire);
  }
  atomic_fetch_and_explicit(&pool->state, ~STATE_WAITING, memory_order_relaxed);
}

static void launch_on_pool(Pool *pool) {
  Job *job = &pool->job;
  for (int32_t i = 0; i < job->shares; i++) {
    atomic_store_explicit(&pool->shares[i].next, job->ranges * i / job->shares, memory_order_relaxed);
    pool->shares[i].end = job->ranges * (i + 1) / job->shares;
  }
  atomic_fetch_add_explicit(&pool->state, STATE_EPOCH | STATE_OPEN, memory_order_release);
  ring(pool, job->shares - 1);
  work(pool, 0);
  shut(pool);
}

static void run_host_range(void *argument, size_t index) {
  FloatMode mode = float_mode_enter();
  run_range(argument, (int64_t)index);
  float_mode_leave(mode);
}

int32_t sinter_launch(SinterFrame *frame, SinterKernel kernel, void *const *buffers, const int64_t *sizes, int64_t count,
                      int64_t grain) {
  if (count <= 0) return SINTER_OK;
  SinterSession *session = frame->session;
  int32_t threads = session->threads, error;
  if (grain < 1) grain = 1;
  if (threads > 1 && count / grain < threads) threads = (int32_t)(count / grain);
  if (threads <= 1) {
    error = kernel(buffers, sizes, 0, count);
  } else if (session->parallel) {
    Job job;
    cut(&job, kernel, buffers, sizes, count, grain, threads);
    session->parallel(session->host, run_host_range, &job, (size_t)job.ranges);
    error = job_error(&job);
  } else {
    cut(&session->pool->job, kernel, buffers, sizes, count, grain, threads);
    launch_on_pool(session->pool);
    error = job_error(&session->pool->job);
  }
  return error ? fail_kernel(session, error) : SINTER_OK;
}
