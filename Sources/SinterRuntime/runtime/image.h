/* image.h: what decoders of image files agree on. They are an object of their own, which only libraries of models with such nodes link,
 * together with the decoders' libraries. */
#ifndef SINTER_IMAGE_H
#define SINTER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(hidden)

/* A file as it lies in memory. */
typedef struct {
  const uint8_t *bytes;
  size_t count;
} ImageFile;

typedef struct {
  int64_t height, width;
} ImageSize;

/* What can be wrong: the number of an error of the program, counted from the first of those for images. The order is that of
 * ImageDecoder.swift. */
typedef enum {
  IMAGE_UNKNOWN = 0,     /* none of the formats */
  IMAGE_DAMAGED = 1,     /* cut short, or its bytes are no image */
  IMAGE_UNSUPPORTED = 2, /* of a kind that is not decoded, such as CMYK */
  IMAGE_TOO_LARGE = 3,   /* more than IMAGE_MOST_PIXELS */
  IMAGE_NO_MEMORY = 4,
  IMAGE_OK = 100
} ImageStatus;

/* An image beyond it is taken for a hostile file. */
#define IMAGE_MOST_PIXELS ((int64_t)1 << 28)

/* A format. `size` reads the header. `pixels` writes height · width · 3 bytes, red, green, blue, rows from the top, where `size` is what the
 * header says. Neither trusts anything in the file. */
typedef struct {
  bool (*is)(ImageFile file);
  ImageStatus (*size)(ImageFile file, ImageSize *size);
  ImageStatus (*pixels)(ImageFile file, ImageSize size, uint8_t *rgb);
} ImageFormat;

/* ---- Numbers in headers; the caller has seen to it that they are there. ---- */

static inline uint32_t image_u16(const uint8_t *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }
static inline uint32_t image_u32(const uint8_t *at) { return image_u16(at) | image_u16(at + 2) << 16; }

static inline bool image_begins(ImageFile file, size_t at, const char *with, size_t length) {
  return file.count >= at + length && memcmp(file.bytes + at, with, length) == 0;
}

static inline uint8_t *image_pixel(uint8_t *rgb, ImageSize size, int64_t row, int64_t column) {
  return rgb + 3 * (row * size.width + column);
}

#pragma GCC visibility pop
#endif
