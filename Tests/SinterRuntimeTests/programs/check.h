/* check.h: the least that a test in C needs. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (condition) break;                                                           \
    fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);         \
    exit(1);                                                                        \
  } while (0)

#define CHECK_STATUS(given, expected, message)                                                                     \
  do {                                                                                                             \
    int status_ = (given);                                                                                         \
    if (status_ == (expected)) break;                                                                              \
    fprintf(stderr, "%s:%d: status %d, expected %d: %s\n", __FILE__, __LINE__, status_, (expected), (message));    \
    exit(1);                                                                                                       \
  } while (0)

#define CHECK_TEXT(given, expected)                                                                         \
  do {                                                                                                      \
    const char *text_ = (given);                                                                            \
    if (!strcmp(text_, (expected))) break;                                                                  \
    fprintf(stderr, "%s:%d: \"%s\"\n  expected \"%s\"\n", __FILE__, __LINE__, text_, (expected));           \
    exit(1);                                                                                                \
  } while (0)

#endif
