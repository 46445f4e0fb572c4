/* sinter_bindings.h: what lies beside a library in a package, for other languages than C. Templates, in which @NAME@ and the like stand
 * for what is the model's own. */
#ifndef SINTER_BINDINGS_H
#define SINTER_BINDINGS_H

#include <stddef.h>

typedef struct {
  const char *name; /* of the file in the package */
  const unsigned char *bytes;
  size_t length;
} SinterTemplate;

/* The templates, `*count` of them. */
const SinterTemplate *sinter_templates(size_t *count);

#endif
