/* program.h: a program such as the compiler would generate, written by hand.
 *
 *   sum      = x + y + bias          through two intermediate buffers
 *   positive = indices of rows of `sum` that start above zero: a size that the data decides
 *   packed   = mask                  elements of half a byte
 *   texts    = names                 strings
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdatomic.h>

#include "sinter_runtime.h"

enum { IN_X, IN_Y, IN_BIAS, IN_MODE, IN_MASK, IN_NAMES, IN_COUNT };
enum { OUT_SUM, OUT_POSITIVE, OUT_PACKED, OUT_TEXTS, OUT_COUNT };

/* What the scalar input "mode" asks for. */
enum { MODE_PLAIN, MODE_FAIL, MODE_FAIL_WITH_VALUES, MODE_FORGET_OUTPUT, MODE_SLOW, MODE_REPORT, MODE_REPORT_INSIDE, MODE_REPORT_DIRECTLY };

#ifndef FLUSHES
#define FLUSHES 0 /* 1: subnormal numbers are flushed to zero */
#endif

#define COLUMNS 4
#define GRAIN 16
#define MAX_ROWS 1000000

/* The features that the program asks for; tests write here. */
extern const char *program_features[4];
extern atomic_int plan_calls;

#endif
