/* image_tiff.c: TIFF files by libtiff, the first image of each. What is transparent keeps its color. */
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

static ImageStatus tiff_size_of(TIFF *tiff, ImageSize *size) {
  uint32_t width = 0, height = 0;
  if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height))
    return IMAGE_DAMAGED;
  *size = (ImageSize){height, width};
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
    if (TIFFReadRGBAImageOriented(tiff, (uint32_t)size.width, (uint32_t)size.height, pixels, ORIENTATION_TOPLEFT, 1)) {
      for (size_t at = 0; at < count; at++) {
        rgb[3 * at] = (uint8_t)TIFFGetR(pixels[at]);
        rgb[3 * at + 1] = (uint8_t)TIFFGetG(pixels[at]);
        rgb[3 * at + 2] = (uint8_t)TIFFGetB(pixels[at]);
      }
    } else {
      status = IMAGE_DAMAGED;
    }
    free(pixels);
  }
  TIFFClose(tiff);
  return status;
}

static const ImageFormat format_tiff = {tiff_is, tiff_size, tiff_pixels};
