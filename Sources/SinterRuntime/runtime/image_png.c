/* image_png.c: PNG files by libpng. Colors come as they are stored, without regard to gamma; 16 bits become the upper 8; what is transparent
 * keeps its color. */
#include "image.h"

#include <png.h>
#include <setjmp.h>

typedef struct {
  ImageFile file;
  size_t at;
  jmp_buf failed;
} PngSource;

static bool png_is(ImageFile file) { return image_begins(file, 0, "\x89PNG\r\n\x1a\n", 8); }

static void png_failed(png_structp png, png_const_charp text) {
  (void)text;
  PngSource *source = png_get_error_ptr(png);
  longjmp(source->failed, 1);
}

static void png_warned(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void png_take(png_structp png, png_bytep to, size_t count) {
  PngSource *source = png_get_io_ptr(png);
  if (count > source->file.count - source->at) png_error(png, "cut short");
  memcpy(to, source->file.bytes + source->at, count);
  source->at += count;
}

/* Only the size where `rgb` is NULL. */
static ImageStatus png_read_file(ImageFile file, ImageSize *size, uint8_t *rgb) {
  PngSource source = {.file = file};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, png_failed, png_warned);
  if (!png) return IMAGE_NO_MEMORY;
  png_infop info = png_create_info_struct(png);
  png_bytep *volatile rows = NULL;
  volatile ImageStatus status = IMAGE_DAMAGED;
  if (info && !setjmp(source.failed)) {
    png_set_read_fn(png, &source, png_take);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_read_info(png, info);
    ImageSize found = {png_get_image_height(png, info), png_get_image_width(png, info)};
    if (!rgb) {
      *size = found;
      status = IMAGE_OK;
    } else if (found.height == size->height && found.width == size->width) {
      rows = malloc((size_t)found.height * sizeof *rows);
      if (!rows) {
        png_destroy_read_struct(&png, &info, NULL);
        return IMAGE_NO_MEMORY;
      }
      png_set_palette_to_rgb(png);
      png_set_expand_gray_1_2_4_to_8(png);
      png_set_strip_16(png);
      png_set_strip_alpha(png);
      png_set_gray_to_rgb(png);
      png_set_interlace_handling(png);
      png_read_update_info(png, info);
      for (int64_t row = 0; row < found.height; row++) rows[row] = image_pixel(rgb, found, row, 0);
      if (png_get_rowbytes(png, info) == (size_t)found.width * 3) {
        png_read_image(png, rows);
        png_read_end(png, NULL);
        status = IMAGE_OK;
      }
    }
  }
  free(rows);
  png_destroy_read_struct(&png, info ? &info : NULL, NULL);
  return status;
}

static ImageStatus png_size(ImageFile file, ImageSize *size) { return png_read_file(file, size, NULL); }

static ImageStatus png_pixels(ImageFile file, ImageSize size, uint8_t *rgb) { return png_read_file(file, &size, rgb); }

static const ImageFormat format_png = {png_is, png_size, png_pixels};
