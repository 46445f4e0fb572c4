/* image_webp.c: WebP files by libwebp. What is transparent keeps its color; of an animation nothing is decoded. */
#include "image.h"

#include <webp/decode.h>

static bool webp_is(ImageFile file) { return image_begins(file, 0, "RIFF", 4) && image_begins(file, 8, "WEBP", 4); }

static ImageStatus webp_size(ImageFile file, ImageSize *size) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(file.bytes, file.count, &features) != VP8_STATUS_OK) return IMAGE_DAMAGED;
  *size = (ImageSize){features.height, features.width};
  return features.has_animation ? IMAGE_UNSUPPORTED : IMAGE_OK;
}

static ImageStatus webp_pixels(ImageFile file, ImageSize size, uint8_t *rgb) {
  size_t bytes = (size_t)(size.height * size.width * 3);
  return WebPDecodeRGBInto(file.bytes, file.count, rgb, bytes, (int)size.width * 3) ? IMAGE_OK : IMAGE_DAMAGED;
}

static const ImageFormat format_webp = {webp_is, webp_size, webp_pixels};
