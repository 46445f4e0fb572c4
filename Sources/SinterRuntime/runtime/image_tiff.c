/* image_tiff.c: TIFF files by libtiff, the first image of each, turned the way that its tag of orientation says, as Pillow does. What is
 * transparent keeps its color. */
#include "image.h"

#include <tiffio.h>

typedef struct {
  ImageFile file;
  uint64_t at;
} TiffSource;

static bool tiff_is(ImageFile file) {
  return image_begins(file, 0, "II*\0", 4) || image_begins(file, 0, "MM\0*", 4) || image_begins(file, 0, "II+\0", 4) ||
         image_begins(file, 0, "MM\0+", 4);
}

static tmsize_t tiff_take(thandle_t user, void *to, tmsize_t count) {
  TiffSource *source = user;
  uint64_t left = source->at < source->file.count ? source->file.count - source->at : 0;
  if (count < 0) return -1;
  if ((uint64_t)count > left) count = (tmsize_t)left;
  memcpy(to, source->file.bytes + (left ? source->at : 0), (size_t)count);
  source->at += (uint64_t)count;
  return count;
}

static tmsize_t tiff_put(thandle_t user, void *from, tmsize_t count) {
  (void)user, (void)from, (void)count;
  return -1;
}

static toff_t tiff_seek(thandle_t user, toff_t offset, int from) {
  TiffSource *source = user;
  source->at = offset + (from == SEEK_CUR ? source->at : from == SEEK_END ? source->file.count : 0);
  return source->at;
}

static int tiff_close(thandle_t user) {
  (void)user;
  return 0;
}

static toff_t tiff_length(thandle_t user) { return ((TiffSource *)user)->file.count; }

static int tiff_silent(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments) {
  (void)tiff, (void)user, (void)module, (void)format, (void)arguments;
  return 1;
}

static TIFF *tiff_open(TiffSource *source) {
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) return NULL;
  TIFFOpenOptionsSetErrorHandlerExtR(options, tiff_silent, NULL);
  TIFFOpenOptionsSetWarningHandlerExtR(options, tiff_silent, NULL);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)IMAGE_MOST_PIXELS * 8);
  TIFF *tiff = TIFFClientOpenExt("image", "rm", source, tiff_take, tiff_put, tiff_seek, tiff_close, tiff_length, NULL,
                                 NULL, options);
  TIFFOpenOptionsFree(options);
  return tiff;
}

/* Where the first row and column of the file lie in the image: ORIENTATION_TOPLEFT … ORIENTATION_LEFTBOT. */
static uint16_t tiff_orientation(TIFF *tiff) {
  uint16_t orientation = ORIENTATION_TOPLEFT;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
  return orientation >= ORIENTATION_TOPLEFT && orientation <= ORIENTATION_LEFTBOT ? orientation : ORIENTATION_TOPLEFT;
}

/* Whether rows of the file are columns of the image. */
static bool tiff_is_turned(uint16_t orientation) { return orientation >= ORIENTATION_LEFTTOP; }

static ImageStatus tiff_size_of(TIFF *tiff, ImageSize *size) {
  uint32_t width = 0, height = 0;
  if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height))
    return IMAGE_DAMAGED;
  *size = tiff_is_turned(tiff_orientation(tiff)) ? (ImageSize){width, height} : (ImageSize){height, width};
  /* libtiff multiplies colors by what it knows as alpha, unless that was done already. */
  uint16_t extra_count = 0, *extra = NULL;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extra) && extra_count == 1 && extra)
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, (uint16_t[]){EXTRASAMPLE_ASSOCALPHA});
  char reason[1024];
  return TIFFRGBAImageOK(tiff, reason) ? IMAGE_OK : IMAGE_UNSUPPORTED;
}

static ImageStatus tiff_size(ImageFile file, ImageSize *size) {
  TiffSource source = {.file = file};
  TIFF *tiff = tiff_open(&source);
  if (!tiff) return IMAGE_DAMAGED;
  ImageStatus status = tiff_size_of(tiff, size);
  TIFFClose(tiff);
  return status;
}

/* Writes pixels that stand as in the file, of `size` there, as the image has them. */
static void tiff_place(const uint32_t *pixels, ImageSize size, uint16_t orientation, uint8_t *rgb) {
  bool is_turned = tiff_is_turned(orientation);
  ImageSize image = is_turned ? (ImageSize){size.width, size.height} : size;
  bool from_right = orientation == ORIENTATION_TOPRIGHT || orientation == ORIENTATION_BOTRIGHT ||
                    orientation == ORIENTATION_RIGHTTOP || orientation == ORIENTATION_RIGHTBOT;
  bool from_bottom = orientation == ORIENTATION_BOTRIGHT || orientation == ORIENTATION_BOTLEFT ||
                     orientation == ORIENTATION_RIGHTBOT || orientation == ORIENTATION_LEFTBOT;
  for (int64_t row = 0; row < size.height; row++) {
    for (int64_t column = 0; column < size.width; column++) {
      int64_t y = is_turned ? column : row, x = is_turned ? row : column;
      if (from_bottom) y = image.height - 1 - y;
      if (from_right) x = image.width - 1 - x;
      uint8_t *to = image_pixel(rgb, image, y, x);
      uint32_t pixel = pixels[row * size.width + column];
      to[0] = (uint8_t)TIFFGetR(pixel);
      to[1] = (uint8_t)TIFFGetG(pixel);
      to[2] = (uint8_t)TIFFGetB(pixel);
    }
  }
}

static ImageStatus tiff_pixels(ImageFile file, ImageSize size, uint8_t *rgb) {
  TiffSource source = {.file = file};
  TIFF *tiff = tiff_open(&source);
  if (!tiff) return IMAGE_DAMAGED;
  ImageSize found;
  ImageStatus status = tiff_size_of(tiff, &found);
  if (status == IMAGE_OK && (found.height != size.height || found.width != size.width)) status = IMAGE_DAMAGED;
  size_t count = (size_t)(size.height * size.width);
  uint32_t *pixels = status == IMAGE_OK ? calloc(count, sizeof *pixels) : NULL;
  if (status == IMAGE_OK && !pixels) status = IMAGE_NO_MEMORY;
  if (pixels) {
    uint16_t orientation = tiff_orientation(tiff);
    ImageSize stored = tiff_is_turned(orientation) ? (ImageSize){size.width, size.height} : size;
    /* libtiff would only mirror, and not turn: it is told that there is nothing to do. */
    TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    if (TIFFReadRGBAImageOriented(tiff, (uint32_t)stored.width, (uint32_t)stored.height, pixels, ORIENTATION_TOPLEFT,
                                  1)) {
      tiff_place(pixels, stored, orientation, rgb);
    } else {
      status = IMAGE_DAMAGED;
    }
    free(pixels);
  }
  TIFFClose(tiff);
  return status;
}

static const ImageFormat format_tiff = {tiff_is, tiff_size, tiff_pixels};
