/* sinter_targets.h: the processors that this program's LLVM writes code for. */
#ifndef SINTER_TARGETS_H
#define SINTER_TARGETS_H

#include <stdint.h>

/* Makes all of them known to LLVM. Once, before it is asked for a target. */
void sinter_initialize_targets(void);

/* Whether there are others than x86-64: a command that was built to need nothing around it (packaging/static.sh) has none. */
int32_t sinter_has_other_targets(void);

#endif
