/* image_all.c: decoders of image files as one translation unit, and the functions of them that programs call. */
#include "image.h"
#include "sinter_runtime.h"

/* RuntimeObject.swift reads these lines out of the compiler's errors. */
#if !__has_include(<jpeglib.h>)
#error "missing package: libjpeg-dev"
#define SINTER_IMAGE_MISSING
#endif
#if __has_include(<openjpeg-2.5/openjpeg.h>)
#define SINTER_OPENJPEG <openjpeg-2.5/openjpeg.h>
#elif __has_include(<openjpeg.h>)
#define SINTER_OPENJPEG <openjpeg.h>
#else
#error "missing package: libopenjp2-7-dev"
#define SINTER_IMAGE_MISSING
#endif
#if !__has_include(<png.h>)
#error "missing package: libpng-dev"
#define SINTER_IMAGE_MISSING
#endif
#if !__has_include(<tiffio.h>)
#error "missing package: libtiff-dev"
#define SINTER_IMAGE_MISSING
#endif
#if !__has_include(<webp/decode.h>)
#error "missing package: libwebp-dev"
#define SINTER_IMAGE_MISSING
#endif

#ifndef SINTER_IMAGE_MISSING
#include "image_bmp.c"
#include "image_jp2.c"
#include "image_jpeg.c"
#include "image_png.c"
#include "image_pnm.c"
#include "image_tiff.c"
#include "image_webp.c"

static const ImageFormat *const image_formats[] = {
  &format_bmp, &format_jp2, &format_jpeg, &format_png, &format_pnm, &format_tiff, &format_webp,
};

static ImageStatus image_read_size(ImageFile file, const ImageFormat **format, ImageSize *size) {
  *format = NULL;
  for (size_t i = 0; i < sizeof image_formats / sizeof *image_formats && !*format; i++)
    if (image_formats[i]->is(file)) *format = image_formats[i];
  if (!*format) return IMAGE_UNKNOWN;
  ImageStatus status = (*format)->size(file, size);
  if (status != IMAGE_OK) return status;
  if (size->height < 1 || size->width < 1) return IMAGE_DAMAGED;
  return size->width > IMAGE_MOST_PIXELS / size->height ? IMAGE_TOO_LARGE : IMAGE_OK;
}

/* The three bytes of each pixel as its brightness, by the weights of ITU-R 601. */
static void image_to_gray(const uint8_t *rgb, uint8_t *gray, size_t count) {
  for (size_t i = 0; i < count; i++)
    gray[i] = (uint8_t)((19595u * rgb[3 * i] + 38470u * rgb[3 * i + 1] + 7471u * rgb[3 * i + 2] + 0x8000u) >> 16);
}

static void image_to_bgr(uint8_t *rgb, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint8_t red = rgb[3 * i];
    rgb[3 * i] = rgb[3 * i + 2];
    rgb[3 * i + 2] = red;
  }
}

enum { PIXELS_RGB = 0, PIXELS_BGR = 1, PIXELS_GRAY = 2 };

static int32_t image_failed(SinterFrame *frame, ImageStatus status, int64_t first_error) {
  return sinter_fail(frame, SINTER_RUNTIME_ERROR, (int32_t)(first_error + status), NULL, 0);
}

int32_t sinter_image_size(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  const ImageFormat *format;
  ImageSize size = {0};
  ImageStatus status = image_read_size((ImageFile){places[1], (size_t)numbers[1]}, &format, &size);
  if (status != IMAGE_OK) return image_failed(frame, status, numbers[2]);
  ((int64_t *)places[0])[0] = size.height;
  ((int64_t *)places[0])[1] = size.width;
  return SINTER_OK;
}

int32_t sinter_image_pixels(SinterFrame *frame, void *const *places, const int64_t *numbers) {
  ImageFile file = {places[1], (size_t)numbers[1]};
  uint8_t *result = places[0];
  const ImageFormat *format;
  ImageSize size = {0};
  ImageStatus status = image_read_size(file, &format, &size);
  if (status != IMAGE_OK) return image_failed(frame, status, numbers[2]);
  int64_t pixels = size.height * size.width, layout = numbers[3];
  if (pixels * (layout == PIXELS_GRAY ? 1 : 3) != numbers[0]) return image_failed(frame, IMAGE_DAMAGED, numbers[2]);
  uint8_t *rgb = layout == PIXELS_GRAY ? malloc((size_t)pixels * 3) : result;
  status = rgb ? format->pixels(file, size, rgb) : IMAGE_NO_MEMORY;
  if (status == IMAGE_OK) {
    if (layout == PIXELS_GRAY) image_to_gray(rgb, result, (size_t)pixels);
    if (layout == PIXELS_BGR) image_to_bgr(rgb, (size_t)pixels);
  }
  if (rgb != result) free(rgb);
  return status == IMAGE_OK ? SINTER_OK : image_failed(frame, status, numbers[2]);
}
#endif
