/* image_pnm.c: portable bitmaps, graymaps and pixmaps, as digits (P1, P2, P3) and as bytes (P4, P5, P6). */
#include "image.h"

typedef struct {
  ImageFile file;
  size_t at;
  ImageSize size;
  int kind; /* 1 … 6 */
  uint32_t most;
} Portable;

static bool pnm_is_space(uint8_t byte) { return byte == ' ' || (byte >= 9 && byte <= 13); }

static bool pnm_is(ImageFile file) {
  return file.count > 2 && file.bytes[0] == 'P' && file.bytes[1] >= '1' && file.bytes[1] <= '6' &&
         (pnm_is_space(file.bytes[2]) || file.bytes[2] == '#');
}

/* Skips white space, and comments up to the end of their line. */
static void pnm_skip(Portable *image) {
  while (image->at < image->file.count) {
    uint8_t byte = image->file.bytes[image->at];
    if (byte == '#') {
      while (image->at < image->file.count && image->file.bytes[image->at] != '\n') image->at++;
    } else if (!pnm_is_space(byte)) {
      return;
    } else {
      image->at++;
    }
  }
}

static bool pnm_number(Portable *image, uint32_t *number) {
  pnm_skip(image);
  size_t begin = image->at;
  for (*number = 0; image->at < image->file.count; image->at++) {
    uint8_t byte = image->file.bytes[image->at];
    if (byte < '0' || byte > '9') break;
    if (*number > 99999999) return false;
    *number = *number * 10 + (byte - '0');
  }
  return image->at > begin;
}

/* Whether what is left of the file can hold all pixels, so that no memory is asked for an image that is not there. */
static bool pnm_is_whole(const Portable *image) {
  int64_t height = image->size.height, width = image->size.width, left = (int64_t)(image->file.count - image->at);
  /* Which is refused by its size; the products below do not overflow. */
  if (width > IMAGE_MOST_PIXELS / height) return true;
  int64_t samples = height * width * (image->kind == 3 || image->kind == 6 ? 3 : 1);
  switch (image->kind) {
  case 1: return left >= samples;
  case 2:
  case 3: return left >= 2 * samples - 1; /* a digit each, and something between them */
  case 4: return left >= height * ((width + 7) / 8);
  default: return left >= samples * (image->most > 255 ? 2 : 1);
  }
}

static ImageStatus pnm_header(ImageFile file, Portable *image) {
  *image = (Portable){.file = file, .at = 2, .kind = file.bytes[1] - '0', .most = 1};
  uint32_t width, height;
  if (!pnm_number(image, &width) || !pnm_number(image, &height) || !width || !height) return IMAGE_DAMAGED;
  image->size = (ImageSize){height, width};
  bool is_bitmap = image->kind == 1 || image->kind == 4;
  if (!is_bitmap && (!pnm_number(image, &image->most) || !image->most || image->most > 65535)) return IMAGE_DAMAGED;
  if (image->kind >= 4) {
    /* One byte of white space, then the pixels. */
    if (image->at >= file.count || !pnm_is_space(file.bytes[image->at])) return IMAGE_DAMAGED;
    image->at++;
  }
  return pnm_is_whole(image) ? IMAGE_OK : IMAGE_DAMAGED;
}

static ImageStatus pnm_size(ImageFile file, ImageSize *size) {
  Portable image;
  ImageStatus status = pnm_header(file, &image);
  *size = image.size;
  return status;
}

/* The next sample of a file of digits or of bytes, as it stands there. */
static bool pnm_sample(Portable *image, uint32_t *sample) {
  if (image->kind == 1) {
    /* Digits of bitmaps may touch one another. */
    pnm_skip(image);
    if (image->at >= image->file.count) return false;
    *sample = (uint32_t)(image->file.bytes[image->at++] - '0');
    return *sample <= 1;
  }
  if (image->kind < 4) return pnm_number(image, sample) && *sample <= image->most;
  size_t bytes = image->most > 255 ? 2 : 1;
  if (image->file.count - image->at < bytes) return false;
  const uint8_t *at = image->file.bytes + image->at;
  *sample = bytes == 2 ? (uint32_t)at[0] << 8 | at[1] : at[0];
  image->at += bytes;
  return *sample <= image->most;
}

static ImageStatus pnm_pixels(ImageFile file, ImageSize size, uint8_t *rgb) {
  Portable image;
  ImageStatus status = pnm_header(file, &image);
  if (status != IMAGE_OK) return status;
  bool is_bitmap = image.kind == 1 || image.kind == 4, is_color = image.kind == 3 || image.kind == 6;
  for (int64_t row = 0; row < size.height; row++) {
    for (int64_t column = 0; column < size.width; column++) {
      uint8_t *to = image_pixel(rgb, size, row, column);
      for (int i = 0; i < 3; i++) {
        uint32_t sample = 0;
        if (i > 0 && !is_color) {
          to[i] = to[0];
          continue;
        }
        if (image.kind == 4) {
          if (image.at >= file.count) return IMAGE_DAMAGED;
          sample = file.bytes[image.at] >> (7 - column % 8) & 1;
          if (column % 8 == 7 || column == size.width - 1) image.at++;
        } else if (!pnm_sample(&image, &sample)) {
          return IMAGE_DAMAGED;
        }
        /* A set bit is black. */
        to[i] = is_bitmap ? (sample ? 0 : 255) : (uint8_t)((sample * 255 + image.most / 2) / image.most);
      }
    }
  }
  return IMAGE_OK;
}

static const ImageFormat format_pnm = {pnm_is, pnm_size, pnm_pixels};
