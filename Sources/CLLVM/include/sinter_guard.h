/* sinter_guard.h: calls compiled code that may be wrong, and comes back from faults in it. */
#ifndef SINTER_GUARD_H
#define SINTER_GUARD_H

#include <stdint.h>

typedef int32_t (*SinterKernelFunction)(void *const *pointers, const int64_t *sizes, int64_t first, int64_t last);

/* What the kernel returns. `fault` becomes the number of the signal that ended it, or 0. */
int32_t sinter_guarded_call(SinterKernelFunction kernel, void *const *pointers, const int64_t *sizes, int64_t first, int64_t last,
                            int32_t *fault);

/* For a signal handler: leaves the kernel that this thread is in; returns where it is in none. */
void sinter_guard_leave(int32_t signal);

#endif
