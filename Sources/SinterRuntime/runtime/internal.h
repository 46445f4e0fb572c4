/* internal.h: what the files of the runtime share. Each file has one concern:
 *
 *   memory.c    the host's memory or malloc's          inputs.c   checks inputs, binds symbols, makes them dense
 *   errors.c    what went wrong, in words              outputs.c  checks, allocates, releases outputs
 *   cpu.c       does this processor suffice            plan.c     sizes, and where each buffer lies
 *   pool.c      threads and the ranges they take       weights.c  where constants lie
 *   library.c   the entry points of sinter.h           tensors.c  elements, bytes, strides
 *   spares.c    memory of released outputs
 *   texts.c     texts by number; text_*.c: what is done with them; only with SINTER_TEXT
 *   state.c     what a session keeps between runs, state_file.c the same as a file; only with SINTER_STATE
 *   profile.c   when kernels ran; only with SINTER_PROFILE
 *   pack.c      sequences, optionals and maps of inputs as tensors      unpack.c   the same of outputs, from tensors;
 *               both only with SINTER_STRUCTURES
 */
#ifndef SINTER_INTERNAL_H
#define SINTER_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sinter_runtime.h"

#pragma GCC visibility push(hidden)

#define CACHE_LINE 64
#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)
#define ALIGNMENT 64 /* of everything that kernels touch and the runtime allocates */
#define MESSAGE_BYTES 1024

static inline size_t round_up(size_t bytes, size_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

/* Nanoseconds since some moment. */
static inline int64_t clock_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* ---- memory.c ---- */

/* The three host fields of SinterOptions that concern memory. */
typedef struct {
  void *(*allocate)(void *host, size_t bytes, size_t alignment);
  void (*deallocate)(void *host, void *memory);
  void *host;
} Memory;

/* At least one byte; NULL when there is none left. Large blocks come in huge pages where the system has some. */
void *memory_allocate(const Memory *memory, size_t bytes, size_t alignment);
/* Has the system provide all pages at once, where it would otherwise do so one by one as they are touched. */
void memory_populate(const Memory *memory, void *block, size_t bytes);
void memory_free(const Memory *memory, void *block);

/* A block that only grows, and keeps no contents when it does. */
typedef struct { void *data; size_t capacity; } Block;

/* Makes the block at least `bytes` large. False when there is no memory left: then it is empty. */
bool block_reserve(Block *block, const Memory *memory, size_t bytes, size_t alignment);
/* The same, but keeps what the first `capacity` bytes hold; on failure the block stays as it is. */
bool block_grow(Block *block, const Memory *memory, size_t bytes, size_t alignment);
void block_free(Block *block, const Memory *memory);

/* ---- spares.c ---- */

typedef struct Spares Spares;

/* What stands behind an output's `owner`; shape, strides and elements follow in the same block. */
typedef struct {
  Memory memory;
  void *text;     /* all strings of a tensor of text */
  Spares *spares; /* where the block goes when it is released; NULL: back to `memory` */
  int32_t port;
  size_t capacity; /* bytes of the block */
} Output;

/* NULL where the host brought its memory, or none is left: then nothing is kept. */
Spares *spares_open(const Memory *memory, size_t outputs);
/* For a session that closes. */
void spares_leave(Spares *spares, const Memory *memory);
/* A block of at least `bytes`, of which the head is filled in; NULL when there is no memory left. */
Output *spares_take(Spares *spares, const Memory *memory, int32_t port, size_t bytes);
/* Keeps the block or frees it. */
void spares_put(Output *output);

/* ---- errors.c ---- */

/* Notes what went wrong in this session, as printf does; returns `status`. */
int32_t fail(SinterSession *session, int32_t status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for open(), kept per thread. */
int32_t fail_open(int32_t status, const char *format, ...) __attribute__((format(printf, 2, 3)));
void forget_open_failure(void);
/* run() found the session running. Its message is not touched: another thread may be writing it. */
int32_t fail_busy(SinterSession *session);
/* A kernel's error number, and the value and the bound that it reported, if it did. */
typedef struct { int32_t error; bool has_values; int64_t values[2]; } KernelError;
/* What the kernel that just returned `error` on this thread reported. */
KernelError take_report(int32_t error);
int32_t fail_kernel(SinterSession *session, KernelError error);
const char *error_message(const SinterSession *session);

typedef struct { char text[24]; } TypeName;
TypeName type_name(SinterDataType type); /* "float32" */
const char *kind_name(int32_t kind);     /* "a tensor" */

/* ---- cpu.c ---- */

/* Writes the names of the features that this processor or its system lacks, with commas between; true when there is none. */
bool cpu_has(const char *const *features, char *missing, size_t bytes);

/* Rounding to nearest, subnormal numbers kept or flushed to zero, whatever the host's threads are set to. Gives what they are set to. */
typedef uint64_t FloatMode;
FloatMode float_mode_enter(bool flushes_subnormals);
void float_mode_leave(FloatMode mode);

/* ---- pool.c ---- */

typedef struct Pool Pool;

/* A pool of threads - 1 workers, which start when they are needed; NULL where there is no memory. Fewer workers than asked for
 * are no error. Workers compute with subnormal numbers or flush them to zero. */
Pool *pool_open(const Memory *memory, int32_t threads, bool flushes_subnormals);
void pool_close(Pool *pool, const Memory *memory);
/* How many processors this process may run on. */
int32_t processor_count(void);

/* ---- plan.c ---- */

/* Sizes and buffer offsets for one set of symbols. */
typedef struct {
  bool valid;
  int64_t *sizes;   /* slot_count */
  int64_t *offsets; /* buffer_count; of arena buffers only */
  int64_t bytes;    /* of the arena */
} Plan;

/* Hosts that go back and forth between a few shapes plan each of them once. */
#define PLAN_COUNT 8

/* Makes the plan for session->symbols the current one, and its arena exist. */
int32_t plan_prepare(SinterSession *session);

/* ---- tensors.c ---- */

/* Bytes of `count` elements; false where no memory has as many. */
bool element_bytes(SinterDataType type, int64_t count, int64_t *bytes);
/* Elements of a shape; false where one is negative or the count overflows. */
bool element_count(const int64_t *shape, int32_t ndim, int64_t *count);
bool is_dense(const SinterTensor *tensor);
/* The first element. A tensor without elements may have no data, to which C adds nothing but zero. */
static inline void *tensor_data(const SinterTensor *tensor) { return (void *)((uintptr_t)tensor->data + tensor->byte_offset); }
/* The memory that a tensor touches: first byte, and past the last. */
typedef struct { uintptr_t begin, end; } Span;
Span tensor_span(const SinterTensor *tensor);

/* ---- inputs.c, outputs.c ---- */

/* Checks all that can be checked before sizes are planned; sets session->symbols and the buffers of inputs. */
int32_t inputs_bind(SinterSession *session, const SinterValue *inputs);
/* Holds the dimensions that follow from others against the plan. */
int32_t inputs_check_derived(SinterSession *session, const SinterValue *inputs);

/* Checks the outputs that the caller brought, before anything runs. */
int32_t outputs_bind(SinterSession *session, const SinterValue *inputs, SinterValue *outputs);
/* Whether a tensor of the caller's can take what a port gives, but for its sizes. `role`: "output", say. */
int32_t check_tensor(SinterSession *session, const char *role, const SinterPort *port, const SinterValue *value);
/* Makes a value a tensor for what a port gives, in one block that its release() frees: `index` tells the spares which output it is, -1:
 * none. `slots`: where `sizes` has each dimension; NULL: in order. Nothing changes where there is no memory. */
int32_t allocate_tensor(SinterSession *session, const char *role, const SinterPort *port, int32_t index, const int64_t *sizes,
                        const int32_t *slots, SinterValue *value);
/* After run(): every output is there, and its text is its own. */
int32_t outputs_finish(SinterSession *session);
/* After an error: frees what this run allocated and leaves the values as the caller passed them. */
void outputs_undo(SinterSession *session);

/* ---- texts.c ---- */

#ifdef SINTER_TEXT
/* Bytes that a text has at most. */
#define TEXT_LIMIT ((uint64_t)INT32_MAX)

typedef struct {
  const char *bytes;
  uint32_t length, hash;
  uint32_t slot; /* in the table of numbers */
} Text;

typedef struct TextChunk TextChunk;

typedef struct {
  Block entries; /* Text[], by number */
  size_t count, own_count; /* in this run, and of the program's own */
  Block slots;   /* uint32_t[] */
  size_t slot_count;
  TextChunk *chunks, *current;
  Block scratch;
} Texts;

/* Puts the program's own texts into the table. */
int32_t texts_open(SinterSession *session);
void texts_close(SinterSession *session);
/* Forgets the texts of the run before. */
void texts_begin(SinterSession *session);

SinterString text_of(const SinterSession *session, int64_t number);
/* The number of a text whose bytes stay as long as the run. */
int32_t text_number(SinterSession *session, SinterString text, int64_t *number);
/* Room to make one text in, until the next call of anything here. */
int32_t text_room(SinterSession *session, uint64_t bytes, char **room);
/* The number of the text that was made in that room. */
int32_t text_made(SinterSession *session, const char *room, uint64_t length, int64_t *number);

/* The numbers of an input's texts, SinterString[], which may be the memory that the numbers are written to. */
int32_t texts_read(SinterSession *session, int32_t port, const void *from, int64_t *to, int64_t count);
/* How many bytes the texts of some numbers have together; false where that overflows. */
bool texts_bytes(const SinterSession *session, const void *numbers, int64_t count, size_t *bytes);
/* Makes SinterString[] of numbers, in the same memory, with their bytes at `to`. */
void texts_write(const SinterSession *session, void *numbers, int64_t count, char *to);
#endif

/* ---- weights.c ---- */

/* Finds the constants: in the library, or in a file that is mapped now. `path` is the host's; NULL: beside the library. */
int32_t weights_open(SinterSession *session, const char *path);
void weights_close(SinterSession *session);

/* ---- profile.c ---- */

/* Copies a strided tensor of at least one element, of up to MAX_NDIM dimensions, in row-major order. `width`: bytes of an element. */
enum { MAX_NDIM = 64 };
void copy_dense(char *to, const SinterTensor *tensor, int64_t width);

#ifdef SINTER_STRUCTURES
/* ---- pack.c, unpack.c: where the program has an interface ---- */

/* The caller's inputs as the tensors that the program takes: session->given. */
int32_t values_pack(SinterSession *session, const SinterValue *inputs);
/* The tensors that the program is to make: session->made. Only plain tensors may be in the caller's memory. */
int32_t values_prepare(SinterSession *session, SinterValue *outputs);
/* After a run: the caller's outputs from the tensors that were made. */
int32_t values_unpack(SinterSession *session, SinterValue *outputs);
#endif

#ifdef SINTER_STATE
/* ---- state.c ---- */

/* A state's memory: what a run reads, and what it writes, which change places after it; `next` is NULL where it is the same. */
typedef struct { void *current, *next; } State;

int32_t states_open(SinterSession *session);
void states_close(SinterSession *session);
/* The program's inputs and outputs: the caller's, and the states behind them. NULL stays NULL, where the caller should have brought some. */
const SinterValue *states_inputs(SinterSession *session, const SinterValue *inputs);
SinterValue *states_outputs(SinterSession *session, SinterValue *outputs);
/* After a run that went well. */
void states_advance(SinterSession *session);
int64_t state_bytes(const SinterSession *session, size_t state);
const SinterPort *state_port(const SinterProgram *program, size_t state);

int32_t session_read_state(SinterSession *session, size_t state, SinterValue *value);
int32_t session_write_state(SinterSession *session, size_t state, const SinterValue *value);

/* ---- state_file.c ---- */

int32_t session_save_state(SinterSession *session, const char *path);
int32_t session_restore_state(SinterSession *session, const char *path);
#endif

/* How many outputs of a program are states' next values: its last ones. */
size_t changed_states(const SinterProgram *program);

#ifdef SINTER_PROFILE
typedef struct {
  SinterLaunch *launches; /* of the last run */
  size_t count, capacity;
  int64_t start; /* of the first of them */
} Profile;

void profile_close(SinterSession *session);
#endif

/* ---- A session ---- */

/* What became of an output in the current run, in this order. */
typedef enum {
  OUTPUT_PENDING,    /* zeroed, and not made yet */
  OUTPUT_BOUND,      /* in the caller's memory, and not made yet */
  OUTPUT_READY,      /* made in the caller's memory */
  OUTPUT_ALLOCATED,  /* made in memory that the library allocated */
} OutputState;

/* Whether a session runs: a run that begins has not set `was_busy` and `runner` yet. */
enum { RUN_NONE, RUN_BEGINS, RUN_INSIDE };

/* A call begins: SINTER_BUSY where another is inside the session. */
int32_t session_enter(SinterSession *session);
void session_leave(SinterSession *session);

struct SinterSession {
  const SinterProgram *program;
  SinterFrame frame;
  atomic_int running;
  atomic_bool was_busy;      /* since the current or the last run began, another thread came */
  _Atomic pthread_t runner;  /* who began it */

  Memory memory;
  Spares *spares;
  Pool *pool; /* NULL: everything on the caller's thread, or on the host's threads where it brought some */
  void (*parallel)(void *host, void (*body)(void *argument, size_t index), void *argument, size_t count);
  void *host;
  int32_t threads;

  const char *weights;
  size_t mapped_bytes; /* 0 where the weights are part of the library */

  int64_t *symbols; /* of the current run; -1: not bound yet */
  Plan plans[PLAN_COUNT];
  int32_t plan, oldest_plan; /* -1: none yet */
  int32_t *order, *placed;     /* the planner's scratch, one entry a buffer each */
  int64_t *padded;
  Block arena;

  /* Buffers of one port form a list: head by port, next by buffer; -1 ends it. */
  int32_t *input_head, *output_head, *next;
  Block *staging; /* one an input: its dense copy */
  Block *dynamic; /* one a buffer */

  SinterValue *outputs; /* of the current run */
  uint8_t *output_state; /* an OutputState each */
  Span *output_spans;

#ifdef SINTER_STRUCTURES
  SinterValue *given, *made;     /* one a tensor of the program */
  Block *packed;                 /* one a tensor input: what was copied into it */
  int64_t (*packed_shape)[2];    /* and its shape */
  void **assemblies;             /* one an output that callers see, while outputs are unpacked */
#endif
#ifdef SINTER_STATE
  State *states;
  SinterValue *all_inputs, *all_outputs; /* the caller's and the states' */
#endif
#ifdef SINTER_PROFILE
  Profile profile;
#endif
#ifdef SINTER_TEXT
  Texts texts;
  /* Two an output: the bytes of texts whose array the caller brought. They take turns, since the texts of one run may be inputs of the next. */
  Block *output_text;
  size_t text_turn; /* 0 or 1 */
#endif

  char message[MESSAGE_BYTES];
};

#pragma GCC visibility pop
#endif
