/* image_jpeg.c: JPEG files by libjpeg, with its accurate transform and smooth upsampling, as the specification of ImageDecoder wants it. */
#include "image.h"

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h relies on it */

#include <jpeglib.h>

#include <jerror.h>

typedef struct {
  struct jpeg_error_mgr base; /* first, so that libjpeg's pointer is one to this */
  jmp_buf failed;
} JpegErrors;

static bool jpeg_is(ImageFile file) { return image_begins(file, 0, "\xff\xd8\xff", 3); }

static void jpeg_failed(j_common_ptr info) { longjmp(((JpegErrors *)info->err)->failed, 1); }

static void jpeg_told(j_common_ptr info, int level) {
  if (level >= 0) return;
  /* libjpeg would go on with gray, or with what it guesses, where the file ends or its data are damaged. */
  switch (info->err->msg_code) {
  case JWRN_JPEG_EOF:
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_ARITH_BAD_CODE:
  case JWRN_MUST_RESYNC:
  case JWRN_BOGUS_PROGRESSION: jpeg_failed(info);
  }
}

static void jpeg_silent(j_common_ptr info) { (void)info; }

/* What is wrong, by libjpeg's message. */
static ImageStatus jpeg_status(const JpegErrors *errors) {
  switch (errors->base.msg_code) {
  case JERR_OUT_OF_MEMORY: return IMAGE_NO_MEMORY;
  case JERR_BAD_PRECISION:
  case JERR_SOF_UNSUPPORTED: return IMAGE_UNSUPPORTED;
  default: return IMAGE_DAMAGED;
  }
}

/* Only the size where `rgb` is NULL. */
static ImageStatus jpeg_read_file(ImageFile file, ImageSize *size, uint8_t *rgb) {
  struct jpeg_decompress_struct info = {0};
  JpegErrors errors;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = jpeg_failed;
  errors.base.emit_message = jpeg_told;
  errors.base.output_message = jpeg_silent;
  volatile ImageStatus status = IMAGE_DAMAGED;
  if (!setjmp(errors.failed)) {
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, (unsigned char *)file.bytes, (unsigned long)file.count);
    jpeg_read_header(&info, TRUE);
    ImageSize found = {info.image_height, info.image_width};
    bool is_known = info.jpeg_color_space == JCS_GRAYSCALE || info.jpeg_color_space == JCS_YCbCr ||
                    info.jpeg_color_space == JCS_RGB;
    if (!is_known || info.data_precision != 8) {
      status = IMAGE_UNSUPPORTED;
    } else if (!rgb) {
      *size = found;
      status = IMAGE_OK;
    } else if (found.height == size->height && found.width == size->width) {
      info.out_color_space = JCS_RGB;
      jpeg_start_decompress(&info);
      while (info.output_scanline < info.output_height) {
        JSAMPROW row = image_pixel(rgb, found, info.output_scanline, 0);
        jpeg_read_scanlines(&info, &row, 1);
      }
      jpeg_finish_decompress(&info);
      status = IMAGE_OK;
    }
  } else {
    status = jpeg_status(&errors);
  }
  jpeg_destroy_decompress(&info);
  return status;
}

static ImageStatus jpeg_size(ImageFile file, ImageSize *size) { return jpeg_read_file(file, size, NULL); }

static ImageStatus jpeg_pixels(ImageFile file, ImageSize size, uint8_t *rgb) { return jpeg_read_file(file, &size, rgb); }

static const ImageFormat format_jpeg = {jpeg_is, jpeg_size, jpeg_pixels};
