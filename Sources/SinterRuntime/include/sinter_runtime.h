/* sinter_runtime.h: what the generated part of a library and the runtime linked beside it agree on.
 *
 * The generated object defines one SinterProgram, `sinter_program`. The runtime does everything that is the same in
 * every library: ports, shapes, memory, threads, errors, and the entry points of sinter.h. A program is straight code:
 * `plan` turns input sizes into all other sizes, `run` calls kernels one after another.
 *
 * Sizes. A program knows its shapes as a table of int64 slots. The first `symbol_count` slots are the symbols that the
 * runtime binds from the shapes of inputs; the next ones are computed by `plan` from those; the rest are written during
 * `run`, where a size depends on data.
 *
 * Texts. Programs know texts by number: a buffer of an input or output of text holds one int64 an element. The runtime gives the numbers as
 * it reads inputs, and puts the texts into outputs at the end.
 *
 * Buffers. Each buffer has an entry in `frame->buffers`, a pointer that kernels receive. What stands behind it is told by
 * its kind.
 */
#ifndef SINTER_RUNTIME_H
#define SINTER_RUNTIME_H

#include "sinter.h"
#include "sinter_profile.h"

#pragma GCC visibility push(hidden)

typedef struct SinterFrame {
  void **buffers;       /* one pointer a buffer of the program */
  int64_t *sizes;       /* one value a slot */
  SinterSession *session;
} SinterFrame;

/* One kernel: does tasks begin ..< end of its grid. `buffers` and `sizes` are the call's own arguments. Different tasks
 * write different memory. Returns 0, or an error number that indexes the program's `errors`, plus one; or what
 * sinter_report makes of that. */
typedef int32_t (*SinterKernel)(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end);

typedef enum {
  SINTER_BUFFER_INPUT = 0,    /* the memory of input `port` */
  SINTER_BUFFER_OUTPUT = 1,   /* the memory of output `port` */
  SINTER_BUFFER_CONSTANT = 2, /* the weights section, at `offset` */
  SINTER_BUFFER_ARENA = 3,    /* the arena; live from step `first` to step `last`; at `offset`, or planned by the runtime
                                 where `offset` is negative */
  SINTER_BUFFER_DYNAMIC = 4   /* grown during run() by sinter_reserve, since its size depends on data */
} SinterBufferKind;

typedef struct {
  int32_t kind;      /* a SinterBufferKind */
  int32_t port;      /* inputs and outputs; -1 otherwise */
  int32_t first, last; /* arena: the steps (counted over the whole program) between which the contents must stay */
  int64_t offset;    /* bytes; constants, and arena buffers planned ahead of time */
  int32_t bytes;     /* arena: the slot that holds this buffer's size in bytes */
} SinterBufferInfo;

/* What one dimension of an input must be. */
typedef enum {
  SINTER_DIM_CONSTANT = 0, /* exactly `value` */
  SINTER_DIM_SYMBOL = 1,   /* slot `value`: bound where it appears first, compared from then on */
  SINTER_DIM_DERIVED = 2   /* slot `value`, computed by `plan`: compared after it ran */
} SinterDimKind;

typedef struct { int32_t kind; int64_t value; const char *text; /* as the user wrote it: "batch", "past + 1" */ } SinterDim;

/* For each symbol the values it may take; plan() fails politely outside. */
typedef struct { const char *name; int64_t minimum, maximum; /* maximum < 0: unbounded */ } SinterSymbol;

/* What two sizes must be to one another. */
typedef enum {
  SINTER_EQUAL = 0,         /* left == right */
  SINTER_EQUAL_OR_ONE = 1,  /* left == right, or left == 1 */
  SINTER_BROADCASTABLE = 2, /* left == right, or one of them is 1 */
  SINTER_DIVISIBLE = 3,     /* left is a multiple of right, which is positive */
  SINTER_AT_LEAST = 4       /* left >= right */
} SinterRelation;

/* Checked once for each new combination of sizes, after plan(). The text of the error names both sides as %0 and %1. */
typedef struct {
  int32_t relation;    /* a SinterRelation */
  int32_t left, right; /* slots that plan() fills */
  int32_t error;       /* an index into the program's `errors` */
} SinterObligation;

/* How tensors of a program make up a value that its caller sees. */
typedef enum {
  SINTER_PARTS_TENSOR = 0, /* one tensor, which is the value */
  SINTER_PARTS_LIST = 1,   /* a sequence: a tensor for each element */
  SINTER_PARTS_RAGGED = 2, /* a sequence: the elements of all its tensors one after another, and their shapes, a row of a matrix each */
  SINTER_PARTS_MAP = 3,    /* keys and values */
  SINTER_PARTS_MAPS = 4    /* a sequence of maps with the same keys: these, and the values, a row of a matrix for each map */
} SinterPartsKind;

typedef struct {
  int32_t kind;         /* a SinterPartsKind */
  int32_t optional;     /* 1: the first tensor tells whether the value is there */
  int32_t first, count; /* its tensors among the program's inputs, or outputs */
} SinterParts;

/* The ports as callers see them, where not all of them are tensors. */
typedef struct {
  size_t input_count, output_count;
  const SinterPort *inputs, *outputs;
  const SinterParts *input_parts, *output_parts;
} SinterInterface;

/* What a library keeps between runs: one of the program's last inputs, and, where runs change it, one of its last outputs. */
typedef struct {
  int32_t input, output; /* output: -1 where runs leave it as it is */
  int32_t in_place;      /* 1: the next value is written over the current one, after all that can fail */
  int64_t initial;       /* in the weights: what a session starts with; -1: zeros */
} SinterStateInfo;

typedef struct SinterProgram {
  uint32_t abi_version;
  const char *name, *producer, *target;

  /* Names of the processor features that the code needs, as in /proc/cpuinfo ("avx512f"); NULL ends the list. */
  const char *const *features;

  size_t input_count, output_count;
  const SinterPort *inputs, *outputs;
  const SinterDim *const *input_dims;   /* an array a tensor port, one entry a dimension */
  const int32_t *const *output_dims;    /* an array a tensor port: the slot that holds each dimension */

  size_t symbol_count;
  const SinterSymbol *symbols;          /* of slots 0 ..< symbol_count */
  size_t slot_count;

  size_t buffer_count;
  const SinterBufferInfo *buffers;
  int64_t arena_bytes;                  /* -1 where the runtime must place the buffers once the sizes are known */

  const void *weights;                  /* NULL: in a file beside the library */
  uint64_t weight_bytes;

  const char *const *errors;            /* what kernels report: "Gather: index out of range (node /embed, ...)" */
  size_t error_count;

  /* Computes every slot that follows from the symbols. Returns 0, or 1 + the index into `errors` of what does not hold. */
  int32_t (*plan)(int64_t *sizes);
  /* Runs all steps. Returns a SinterStatus; has called sinter_fail where that is not SINTER_OK. */
  int32_t (*run)(SinterFrame *frame);

  /* The same model for a processor with fewer features; NULL where there is none. Ports and errors are the same. */
  const struct SinterProgram *fallback;

  const SinterObligation *obligations;
  size_t obligation_count;

  /* NULL where each port is one tensor. Others need a runtime that was compiled with SINTER_STRUCTURES. */
  const SinterInterface *interface;
  /* Texts that kernels know by number, from 0 on, the first of them empty: `text_count` + 1 int64 in the constants at `text_bounds`, each
   * where a text begins in the bytes at `text_bytes`, the last where those end. 0: none but the empty text, which is always there. */
  size_t text_count;
  int64_t text_bounds, text_bytes;
  /* In the order of their inputs. They need a runtime that was compiled with SINTER_STATE. */
  size_t state_count;
  const SinterStateInfo *states;
  /* Of weights in a file beside the library, by sinter_weight_hash.h; 0: the file is not held against one. */
  uint64_t weight_hash;
  /* 1: kernels take subnormal numbers for zeros and give zeros in their place, as far as the processor can. */
  int32_t flushes_subnormals;
} SinterProgram;

/* Defined by the generated object. */
extern const SinterProgram sinter_program;

/* ---- What `run` calls. All return a SinterStatus. ---- */

/* Runs the tasks 0 ..< count of a kernel, cut into contiguous ranges that threads take one after another. `grain` is the number
 * of tasks, worth some three microseconds, below which another thread does not pay; less than -1, each task is worth -grain times as much. */
int32_t sinter_launch(SinterFrame *frame, SinterKernel kernel, void *const *buffers, const int64_t *sizes, int64_t count,
                      int64_t grain);

/* Makes output `port` ready to be written: its dimensions' slots hold their values by now. Sets its buffer. */
int32_t sinter_output(SinterFrame *frame, int32_t port);

/* Makes a dynamic buffer at least `bytes` large. Keeps no contents. */
int32_t sinter_reserve(SinterFrame *frame, int32_t buffer, int64_t bytes);

/* The same, but what the buffer holds stays. */
int32_t sinter_grow(SinterFrame *frame, int32_t buffer, int64_t bytes);

/* Notes an error: error `index` of the program, with up to four values that its text refers to as %0 to %3. */
int32_t sinter_fail(SinterFrame *frame, int32_t status, int32_t index, const int64_t *values, int32_t count);

/* Notes the error that a kernel returned which `run` called itself, without sinter_launch. */
int32_t sinter_fail_kernel(SinterFrame *frame, int32_t error);

/* For kernels: `return sinter_report(error, value, bound)` fails with that error number. Its text refers to the value as %0, to
 * the bound that it did not keep as %1, and to the value less the bound where it is negative as %2; a text without %0 and %2 is
 * followed by the value. */
int32_t sinter_report(int32_t error, int64_t value, int64_t bound);

/* What programs do with texts, in libraries that have some. Each takes the places of its result and its operands, and in `numbers` how many
 * elements each of these has, then its parameters; RuntimeFunction.swift says what they compute. */
int32_t sinter_text_join(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_count_pieces(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_pieces(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_change_case(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_ranks(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_print(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_parse(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_match(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_count_tokens(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_text_tokens(SinterFrame *frame, void *const *places, const int64_t *numbers);

/* The same for image files: in an object of its own, image_all.c, which libraries link that decode some. */
int32_t sinter_image_size(SinterFrame *frame, void *const *places, const int64_t *numbers);
int32_t sinter_image_pixels(SinterFrame *frame, void *const *places, const int64_t *numbers);

/* ---- What `run` calls besides, in libraries compiled with --profile. ---- */

/* First of all: forgets the launches of the run before. */
void sinter_profile_run(SinterFrame *frame);

/* Before a kernel is launched, by sinter_launch or by itself. `flops` and `bytes` are -1 where they are not known. Returns a
 * SinterStatus. */
int32_t sinter_profile_launch(SinterFrame *frame, const SinterCall *call, int64_t flops, int64_t bytes);

/* After it. */
void sinter_profile_launched(SinterFrame *frame);

#pragma GCC visibility pop

#endif
