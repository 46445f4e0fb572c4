/* sinter_linker.h: the linker inside a command that was built to need nothing around it (packaging/static.sh). */
#ifndef SINTER_LINKER_H
#define SINTER_LINKER_H

#include <stddef.h>
#include <stdint.h>

/* Whether there is one. */
int32_t sinter_linker_exists(void);

/* Links as `ld` does with these `count` arguments, and returns its exit status. `*output` becomes what it had to say, for free().
 * One call at a time. */
int32_t sinter_linker_run(const char *const *arguments, size_t count, char **output);

/* The file that this process loaded under the name `library`, as in "libc.so.6", for free(); NULL where there is none. */
char *sinter_loaded_path(const char *library);

#endif
