/* sinter_viewer.h: the page of sinter view, as bytes: its frame, its style, and its program in several parts. */
#ifndef SINTER_VIEWER_H
#define SINTER_VIEWER_H

#include <stddef.h>

typedef struct {
  const char *name;
  const unsigned char *bytes;
  size_t length;
} SinterViewerPart;

/* The parts, `*count` of them; those of the program in the order in which they stand in the page. */
const SinterViewerPart *sinter_viewer_parts(size_t *count);

#endif
