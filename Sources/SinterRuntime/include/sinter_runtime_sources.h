/* sinter_runtime_sources.h: the runtime's C sources, as the compiler carries them to every machine it runs on. */
#ifndef SINTER_RUNTIME_SOURCES_H
#define SINTER_RUNTIME_SOURCES_H

#include <stddef.h>

typedef struct {
  const char *name; /* of the file: all of them belong into one folder */
  const unsigned char *bytes;
  size_t length;
} SinterRuntimeSource;

/* The file to compile; it includes the others. */
#define SINTER_RUNTIME_MAIN "sinter_runtime_all.c"

/* The same for decoders of image files, an object of its own. */
#define SINTER_RUNTIME_IMAGES "image_all.c"

/* The sources and headers, `*count` of them. */
const SinterRuntimeSource *sinter_runtime_sources(size_t *count);

/* The bits of a variant's number. */
#define SINTER_VARIANT_PROFILE 1
#define SINTER_VARIANT_STRUCTURES 2
#define SINTER_VARIANT_TEXT 4
#define SINTER_VARIANT_STATE 8
#define SINTER_VARIANT_COUNT 16

/* The runtime as an object file in one of its variants, where the command was built to carry them (packaging/static.sh); else NULL. */
const SinterRuntimeSource *sinter_runtime_prebuilt(int variant);

#endif
