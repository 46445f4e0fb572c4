/* pool.c: a kernel's tasks on several threads.
 *
 * The tasks of a launch are cut into ranges, a few for each thread, and each thread has a share of neighbouring ranges, so
 * that it tends to find in its cache what it wrote one kernel before. Who is done with its own share takes whole ranges
 * of others. The caller takes part, and waits only for ranges that a worker has begun: a worker that the system does
 * not let run costs nothing. The cut depends on nothing but the counts, and a kernel's result does not depend on the cut.
 *
 * Systems like to wake a thread on the processor of the one that woke it, where it stands in its way. So a worker that finds
 * itself there moves to any other processor. If another program then keeps it from running in the middle of a range, the
 * caller, which waits for it, takes it to its own processor. For a multiple of the time that it lost it then works alone, for longer
 * each time that this did not help: on a crowded machine the others are of no help.
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
#include <unistd.h>

/* Ranges for each thread: more of them balance better, fewer cost less. */
#define RANGES_PER_THREAD 8
/* A range holds at least this part of a grain. */
#define GRAIN_PART 2

/* How long a thread looks for work, or for the end of it, before it sleeps. */
#define WORKER_SPIN_NS 40000
#define CALLER_SPIN_NS 50000
/* How long the caller sleeps before it looks whether a worker is stuck behind another program. */
#define STUCK_NS 80000
/* What a wait may be longer than the workers ran meanwhile. Beyond that something else had a processor. */
#define LOST_NS 100000
/* For how many times as long as it lost the caller then works alone: at first, and at most. */
#define ALONE_FACTOR 8
#define ALONE_FACTOR_LIMIT 128
/* About what a grain takes. Work alone is counted in grains, so that a pause between runs does not end it. */
#define GRAIN_NS 3000

/* A sleeping worker comes late: it is woken for so many grains of work, in launches that follow each other closely. */
#define WAKE_GRAINS 16
#define CLOSELY_NS 200000

typedef struct {
  SinterKernel kernel;
  void *const *buffers;
  const int64_t *sizes;
  int64_t count, ranges; /* tasks, and the ranges that they are cut into */
  int32_t shares;
  bool flushes_subnormals; /* on the host's threads; workers are set once */
  atomic_flag failing;   /* held by who writes the next two */
  int64_t failed;        /* the first range that failed; INT64_MAX for none */
  KernelError error;     /* its error */
} Job;

/* The ranges next ..< end are still to be taken. */
typedef struct { _Alignas(CACHE_LINE) _Atomic int64_t next; int64_t end; } Share;

#define STATE_OPEN 1u    /* workers may come in */
#define STATE_WAITING 2u /* the caller sleeps until the last one is out */
#define STATE_ONE_IN 4u  /* the number of workers inside */
#define STATE_INSIDE 0xffcu
#define STATE_EPOCH 0x1000u /* counts jobs */
#define MAX_THREADS 1023

typedef struct {
  _Alignas(CACHE_LINE) _Atomic uint32_t asleep; /* who sets this to 0 wakes the worker */
  Pool *pool;
  int32_t index;
  atomic_bool inside;   /* it is at work */
  _Atomic uint32_t moved; /* the caller took it to its own processor; not a byte, which not every processor exchanges in one instruction */
  _Atomic pid_t id;     /* the system's */
  int64_t processor_ns; /* that it has run for, when the caller last looked */
  int64_t awaited_ns;   /* the same when the caller began to wait; -1: it was not at work */
  pthread_t thread;
} Worker;

struct Pool {
  _Alignas(CACHE_LINE) _Atomic uint32_t state;
  _Alignas(CACHE_LINE) _Atomic uint32_t bell; /* rings for each job, and at the end */
  atomic_bool closing;
  _Atomic int32_t caller; /* the processor that the caller launches from */
  _Alignas(CACHE_LINE) Job job;
  int64_t alone, alone_before;         /* grains to do alone, and those of the last time */
  int64_t shared;                      /* grains done together since */
  int64_t alone_factor;
  int64_t unwoken_grains, last_launch; /* work done alone since the workers sleep, and when */
  int32_t wanted, threads; /* with the caller's; that the host asked for, and that there are */
  bool started;
  bool spin;
  bool flushes_subnormals;
  cpu_set_t processors; /* that this process may run on */
  Worker *workers;
  Share shares[]; /* one a thread */
};

/* ---- Waiting ---- */

static inline void relax(void) {
#if defined __x86_64__ || defined __i386__
  __builtin_ia32_pause();
#elif defined __aarch64__
  __asm__ volatile("yield");
#elif defined __riscv
  __asm__ volatile(".4byte 0x0100000f"); /* pause, a hint that processors without it take for a fence of nothing */
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t nanoseconds) {
  struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nanoseconds > 0 ? &time : NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }

/* ---- Ranges ---- */

static void cut(Job *job, SinterKernel kernel, void *const *buffers, const int64_t *sizes, int64_t count, int64_t grain,
                int32_t threads) {
  int64_t ranges = (int64_t)threads * RANGES_PER_THREAD, least = grain / GRAIN_PART;
  if (ranges > count) ranges = count;
  if (least > 1 && ranges > count / least) ranges = count / least > 0 ? count / least : 1;
  job->kernel = kernel;
  job->buffers = buffers;
  job->sizes = sizes;
  job->count = count;
  job->ranges = ranges;
  job->shares = (int32_t)(job->ranges < threads ? job->ranges : threads);
  atomic_flag_clear_explicit(&job->failing, memory_order_relaxed);
  job->failed = INT64_MAX;
  job->error = (KernelError){0};
}

/* Where a range begins: ranges differ by one task at most. */
static int64_t range_begin(const Job *job, int64_t index) {
  int64_t whole = job->count / job->ranges, rest = job->count % job->ranges;
  return index * whole + index * rest / job->ranges;
}

static void run_range(Job *job, int64_t index) {
  int32_t error = job->kernel(job->buffers, job->sizes, range_begin(job, index), range_begin(job, index + 1));
  if (!error) return;
  KernelError reported = take_report(error);
  while (atomic_flag_test_and_set_explicit(&job->failing, memory_order_acquire)) relax();
  if (index < job->failed) {
    job->failed = index;
    job->error = reported;
  }
  atomic_flag_clear_explicit(&job->failing, memory_order_release);
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
  if ((state & STATE_WAITING) && !(state & STATE_INSIDE)) futex_wake(&pool->state);
}

/* Moves this worker off the caller's processor if it is there. False where there is no other. */
static bool get_out_of_the_way(Worker *worker) {
  Pool *pool = worker->pool;
  int32_t caller = atomic_load_explicit(&pool->caller, memory_order_relaxed);
  if (caller < 0 || caller >= CPU_SETSIZE) return true;
  bool moved = atomic_exchange_explicit(&worker->moved, 0, memory_order_relaxed);
  if (!moved && sched_getcpu() != caller) return true;
  cpu_set_t others = pool->processors;
  CPU_CLR((size_t)caller, &others);
  return CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0;
}

static int64_t processor_time(const Worker *worker) {
  clockid_t clock;
  struct timespec time;
  if (pthread_getcpuclockid(worker->thread, &clock) || clock_gettime(clock, &time)) return 0;
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Sleeps until a worker goes out, or STUCK_NS have passed. Then a worker that ran for less than half of that time is taken to
 * this processor, which has nothing else to do. */
static void await_workers(Pool *pool, uint32_t state) {
  for (int32_t i = 1; i < pool->threads; i++) {
    Worker *worker = &pool->workers[i];
    if (atomic_load_explicit(&worker->inside, memory_order_relaxed)) worker->processor_ns = processor_time(worker);
  }
  futex_wait(&pool->state, state, STUCK_NS);
  if (atomic_load_explicit(&pool->state, memory_order_relaxed) != state) return;
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET((size_t)sched_getcpu(), &here);
  for (int32_t i = 1; i < pool->threads; i++) {
    Worker *worker = &pool->workers[i];
    if (!atomic_load_explicit(&worker->inside, memory_order_relaxed)) continue;
    if (processor_time(worker) - worker->processor_ns > STUCK_NS / 2) continue;
    atomic_store_explicit(&worker->moved, true, memory_order_relaxed);
    sched_setaffinity(atomic_load_explicit(&worker->id, memory_order_relaxed), sizeof here, &here);
    return;
  }
}

/* Sleeps until every worker is out. The time that passed while none of them ran. */
static int64_t await_all(Pool *pool) {
  int64_t start = clock_now(), worked = 0;
  for (int32_t i = 1; i < pool->threads; i++) {
    Worker *worker = &pool->workers[i];
    bool inside = atomic_load_explicit(&worker->inside, memory_order_relaxed);
    worker->awaited_ns = inside ? processor_time(worker) : -1;
  }
  uint32_t state = atomic_fetch_or_explicit(&pool->state, STATE_WAITING, memory_order_acquire) | STATE_WAITING;
  while (state & STATE_INSIDE) {
    await_workers(pool, state);
    state = atomic_load_explicit(&pool->state, memory_order_acquire);
  }
  atomic_fetch_and_explicit(&pool->state, ~STATE_WAITING, memory_order_relaxed);
  int64_t waited = clock_now() - start;
  for (int32_t i = 1; i < pool->threads && waited > LOST_NS; i++) {
    Worker *worker = &pool->workers[i];
    int64_t ran = worker->awaited_ns < 0 ? 0 : processor_time(worker) - worker->awaited_ns;
    if (ran > worked) worked = ran;
  }
  return waited - worked;
}

/* Returns when the bell has rung since it showed `seen`. */
static void await_bell(Worker *worker, uint32_t seen, bool spin) {
  Pool *pool = worker->pool;
  if (spin) {
    int64_t until = clock_now() + WORKER_SPIN_NS;
    do {
      for (int i = 0; i < 16; i++) {
        if (atomic_load_explicit(&pool->bell, memory_order_relaxed) != seen) return;
        relax();
      }
    } while (clock_now() < until);
  }
  atomic_store(&worker->asleep, 1);
  if (atomic_load(&pool->bell) != seen) atomic_store(&worker->asleep, 0);
  while (atomic_load(&worker->asleep)) futex_wait(&worker->asleep, 1, 0);
}

static void *work_forever(void *argument) {
  Worker *worker = argument;
  Pool *pool = worker->pool;
  uint32_t epoch = UINT32_MAX;
  atomic_store_explicit(&worker->id, (pid_t)syscall(SYS_gettid), memory_order_relaxed);
  float_mode_enter(pool->flushes_subnormals);
  for (;;) {
    uint32_t seen = atomic_load(&pool->bell);
    if (atomic_load_explicit(&pool->closing, memory_order_acquire)) return NULL;
    bool apart = get_out_of_the_way(worker);
    if (apart && come_in(pool, &epoch)) {
      atomic_store_explicit(&worker->inside, true, memory_order_relaxed);
      work(pool, worker->index);
      atomic_store_explicit(&worker->inside, false, memory_order_relaxed);
      go_out(pool);
    } else {
      bool had_work = epoch != UINT32_MAX;
      await_bell(worker, seen, pool->spin && apart && had_work);
    }
  }
}

static bool is_asleep(const Worker *worker) { return atomic_load(&worker->asleep); }

/* Tells the first `count` threads, the caller's included, that there is something new. */
static void ring(Pool *pool, int32_t count) {
  atomic_fetch_add(&pool->bell, 1);
  for (int32_t i = 1; i < count; i++) {
    Worker *worker = &pool->workers[i];
    if (is_asleep(worker) && atomic_exchange(&worker->asleep, 0)) futex_wake(&worker->asleep);
  }
}

Pool *pool_open(const Memory *memory, int32_t threads, bool flushes_subnormals) {
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  size_t shares = sizeof(Pool) + (size_t)threads * sizeof(Share), bytes = shares + (size_t)threads * sizeof(Worker);
  Pool *pool = memory_allocate(memory, bytes, CACHE_LINE);
  if (!pool) return NULL;
  memset(pool, 0, bytes);
  pool->workers = (Worker *)((char *)pool + shares);
  pool->wanted = threads;
  pool->flushes_subnormals = flushes_subnormals;
  pool->threads = 1;
  return pool;
}

/* Starts the workers, in the first launch that is worth it: a small model never needs them. */
static void start_workers(Pool *pool) {
  pool->started = true;
  pool->spin = pool->wanted <= processor_count();
  if (sched_getaffinity(0, sizeof pool->processors, &pool->processors)) CPU_ZERO(&pool->processors);
  atomic_store_explicit(&pool->caller, sched_getcpu(), memory_order_relaxed);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, HUGE_PAGE);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* the host's signals stay on the host's threads */
  for (; pool->threads < pool->wanted; pool->threads++) {
    Worker *worker = &pool->workers[pool->threads];
    worker->pool = pool;
    worker->index = pool->threads;
    if (pthread_create(&worker->thread, &attributes, work_forever, worker)) break;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
}

void pool_close(Pool *pool, const Memory *memory) {
  if (!pool) return;
  atomic_store_explicit(&pool->closing, true, memory_order_release);
  ring(pool, pool->threads);
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
  int64_t lost = await_all(pool);
  if (lost < LOST_NS) return;
  /* Together for shorter than alone: that was too early. */
  bool again = pool->shared < pool->alone_before;
  pool->alone_factor = again ? pool->alone_factor * 2 : ALONE_FACTOR;
  if (pool->alone_factor > ALONE_FACTOR_LIMIT) pool->alone_factor = ALONE_FACTOR_LIMIT;
  pool->alone = pool->alone_before = (lost / GRAIN_NS + 1) * pool->alone_factor;
  pool->shared = 0;
}

/* Whether it pays to have the workers, of whom some may be asleep, for a launch of so many grains. */
static bool is_worth_waking(Pool *pool, int32_t threads, int64_t grains) {
  if (pool->alone > 0) {
    pool->alone -= grains;
    return false;
  }
  pool->shared += grains;
  bool asleep = !pool->started;
  for (int32_t i = 1; i < threads && i < pool->threads; i++) asleep |= is_asleep(&pool->workers[i]);
  if (!asleep) return true;
  int64_t now = clock_now();
  if (now - pool->last_launch > CLOSELY_NS) pool->unwoken_grains = 0;
  pool->last_launch = now;
  pool->unwoken_grains += grains;
  if (pool->unwoken_grains < WAKE_GRAINS) return false;
  pool->unwoken_grains = 0;
  return true;
}

static KernelError run_alone(SinterKernel kernel, void *const *buffers, const int64_t *sizes, int64_t count) {
  int32_t error = kernel(buffers, sizes, 0, count);
  return error ? take_report(error) : (KernelError){0};
}

static KernelError launch_on_pool(Pool *pool, SinterKernel kernel, void *const *buffers, const int64_t *sizes, int64_t count,
                                  int64_t grain, int64_t grains, int32_t threads) {
  if (!is_worth_waking(pool, threads, grains)) return run_alone(kernel, buffers, sizes, count);
  if (!pool->started) start_workers(pool);
  Job *job = &pool->job;
  cut(job, kernel, buffers, sizes, count, grain, threads);
  for (int32_t i = 0; i < job->shares; i++) {
    atomic_store_explicit(&pool->shares[i].next, job->ranges * i / job->shares, memory_order_relaxed);
    pool->shares[i].end = job->ranges * (i + 1) / job->shares;
  }
  atomic_store_explicit(&pool->caller, sched_getcpu(), memory_order_relaxed);
  atomic_fetch_add_explicit(&pool->state, STATE_EPOCH | STATE_OPEN, memory_order_release);
  ring(pool, job->shares < pool->threads ? job->shares : pool->threads);
  work(pool, 0);
  shut(pool);
  return job->error;
}

static void run_host_range(void *argument, size_t index) {
  Job *job = argument;
  FloatMode mode = float_mode_enter(job->flushes_subnormals);
  run_range(job, (int64_t)index);
  float_mode_leave(mode);
}

int32_t sinter_launch(SinterFrame *frame, SinterKernel kernel, void *const *buffers, const int64_t *sizes, int64_t count,
                      int64_t grain) {
  if (count <= 0) return SINTER_OK;
  SinterSession *session = frame->session;
  int32_t threads = session->threads;
  KernelError error;
  int64_t grains_each = grain < -1 ? -grain : 1;
  if (grain < 1) grain = 1;
  if (threads > 1 && count / grain < threads) threads = (int32_t)(count / grain);
  if (threads <= 1) {
    error = run_alone(kernel, buffers, sizes, count);
  } else if (session->parallel) {
    Job job;
    cut(&job, kernel, buffers, sizes, count, grain, threads);
    job.flushes_subnormals = session->program->flushes_subnormals;
    session->parallel(session->host, run_host_range, &job, (size_t)job.ranges);
    error = job.error;
  } else {
    error = launch_on_pool(session->pool, kernel, buffers, sizes, count, grain, count / grain * grains_each, threads);
  }
  return error.error ? fail_kernel(session, error) : SINTER_OK;
}
