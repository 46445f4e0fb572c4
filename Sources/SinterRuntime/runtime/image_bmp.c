/* image_bmp.c: Windows bitmaps: 1, 4, 8, 16, 24 and 32 bits a pixel, without compression. */
#include "image.h"

typedef struct {
  ImageSize size;
  bool is_top_down;
  int bits;
  uint64_t stride;           /* bytes from row to row */
  const uint8_t *rows;       /* all within the file */
  const uint8_t *palette;    /* blue, green, red and, but for the oldest headers, a byte that says nothing */
  size_t palette_count, palette_step;
  uint32_t masks[3];         /* red, green, blue, of 16 and 32 bits */
} Bitmap;

enum { BMP_PLAIN = 0, BMP_MASKS = 3 };

static bool bmp_is(ImageFile file) { return image_begins(file, 0, "BM", 2); }

static ImageStatus bmp_header(ImageFile file, Bitmap *bitmap) {
  const uint8_t *header = file.bytes + 14;
  if (file.count < 14 + 12) return IMAGE_DAMAGED;
  uint32_t data = image_u32(file.bytes + 10), length = image_u32(header), compression = BMP_PLAIN, colors = 0;
  bool is_oldest = length == 12;
  if (!is_oldest && (length < 40 || length > file.count - 14)) return IMAGE_DAMAGED;
  if (is_oldest) {
    bitmap->size = (ImageSize){image_u16(header + 6), image_u16(header + 4)};
    bitmap->bits = (int)image_u16(header + 10);
  } else {
    int32_t width = (int32_t)image_u32(header + 4), height = (int32_t)image_u32(header + 8);
    bitmap->is_top_down = height < 0;
    bitmap->size = (ImageSize){height < 0 ? -(int64_t)height : height, width};
    bitmap->bits = (int)image_u16(header + 14);
    compression = image_u32(header + 16);
    colors = image_u32(header + 32);
  }
  if (bitmap->size.width <= 0 || bitmap->size.height <= 0) return IMAGE_DAMAGED;
  const int bits = bitmap->bits;
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32) return IMAGE_UNSUPPORTED;
  if (compression != BMP_PLAIN && !(compression == BMP_MASKS && bits >= 16 && bits != 24)) return IMAGE_UNSUPPORTED;

  size_t behind = 14 + (size_t)length;
  memcpy(bitmap->masks, bits == 16 ? (uint32_t[]){0x7c00, 0x3e0, 0x1f} : (uint32_t[]){0xff0000, 0xff00, 0xff},
         sizeof bitmap->masks);
  if (compression == BMP_MASKS) {
    if (file.count < 14 + 40 + 12) return IMAGE_DAMAGED;
    for (int i = 0; i < 3; i++) bitmap->masks[i] = image_u32(header + 40 + 4 * i);
    if (length == 40) behind += 12;
  }
  if (bits <= 8) {
    bitmap->palette_step = is_oldest ? 3 : 4;
    bitmap->palette_count = colors && colors < (1u << bits) ? colors : 1u << bits;
    if (behind > file.count || (file.count - behind) / bitmap->palette_step < bitmap->palette_count) return IMAGE_DAMAGED;
    bitmap->palette = file.bytes + behind;
  }
  bitmap->stride = ((uint64_t)bitmap->size.width * (unsigned)bits + 31) / 32 * 4;
  if (data > file.count || (uint64_t)bitmap->size.height > (file.count - data) / bitmap->stride) return IMAGE_DAMAGED;
  bitmap->rows = file.bytes + data;
  return IMAGE_OK;
}

static ImageStatus bmp_size(ImageFile file, ImageSize *size) {
  Bitmap bitmap = {0};
  ImageStatus status = bmp_header(file, &bitmap);
  *size = bitmap.size;
  return status;
}

/* The bits of a mask, stretched to a byte. */
static uint8_t bmp_part(uint32_t pixel, uint32_t mask) {
  if (!mask) return 0;
  int shift = __builtin_ctz(mask);
  uint64_t most = mask >> shift;
  return (uint8_t)((((uint64_t)((pixel & mask) >> shift)) * 255 + most / 2) / most);
}

static ImageStatus bmp_pixels(ImageFile file, ImageSize size, uint8_t *rgb) {
  Bitmap bitmap = {0};
  ImageStatus status = bmp_header(file, &bitmap);
  if (status != IMAGE_OK) return status;
  for (int64_t row = 0; row < size.height; row++) {
    const uint8_t *from = bitmap.rows + bitmap.stride * (uint64_t)(bitmap.is_top_down ? row : size.height - 1 - row);
    for (int64_t column = 0; column < size.width; column++) {
      uint8_t *to = image_pixel(rgb, size, row, column);
      if (bitmap.bits <= 8) {
        int each = 8 / bitmap.bits, shift = (each - 1 - (int)(column % each)) * bitmap.bits;
        size_t color = (size_t)(from[column / each] >> shift) & ((1u << bitmap.bits) - 1);
        if (color >= bitmap.palette_count) return IMAGE_DAMAGED;
        const uint8_t *entry = bitmap.palette + color * bitmap.palette_step;
        to[0] = entry[2], to[1] = entry[1], to[2] = entry[0];
      } else if (bitmap.bits == 24) {
        to[0] = from[3 * column + 2], to[1] = from[3 * column + 1], to[2] = from[3 * column];
      } else {
        uint32_t pixel = bitmap.bits == 16 ? image_u16(from + 2 * column) : image_u32(from + 4 * column);
        for (int i = 0; i < 3; i++) to[i] = bmp_part(pixel, bitmap.masks[i]);
      }
    }
  }
  return IMAGE_OK;
}

static const ImageFormat format_bmp = {bmp_is, bmp_size, bmp_pixels};
