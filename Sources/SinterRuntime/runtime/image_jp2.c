/* image_jp2.c: JPEG 2000 files and codestreams by OpenJPEG: one to four components of the same size, gray or RGB. */
#include "image.h"

#include SINTER_OPENJPEG

typedef struct {
  ImageFile file;
  size_t at;
} Jp2Source;

static bool jp2_is_codestream(ImageFile file) { return image_begins(file, 0, "\xff\x4f\xff\x51", 4); }

static bool jp2_is(ImageFile file) {
  return jp2_is_codestream(file) || image_begins(file, 0, "\0\0\0\x0cjP  \r\n\x87\n", 12);
}

static OPJ_SIZE_T jp2_take(void *to, OPJ_SIZE_T count, void *user) {
  Jp2Source *source = user;
  size_t left = source->file.count - source->at;
  if (left == 0) return (OPJ_SIZE_T)-1;
  if (count > left) count = left;
  memcpy(to, source->file.bytes + source->at, count);
  source->at += count;
  return count;
}

static OPJ_OFF_T jp2_skip(OPJ_OFF_T count, void *user) {
  Jp2Source *source = user;
  size_t left = source->file.count - source->at;
  if (count < 0) return -1;
  if ((size_t)count > left) count = (OPJ_OFF_T)left;
  source->at += (size_t)count;
  return count;
}

static OPJ_BOOL jp2_seek(OPJ_OFF_T at, void *user) {
  Jp2Source *source = user;
  if (at < 0 || (size_t)at > source->file.count) return OPJ_FALSE;
  source->at = (size_t)at;
  return OPJ_TRUE;
}

static void jp2_silent(const char *text, void *user) { (void)text, (void)user; }

/* A sample of any number of bits as a byte. */
static uint8_t jp2_byte(const opj_image_comp_t *component, size_t at) {
  int64_t value = component->data[at];
  if (component->sgnd) value += (int64_t)1 << (component->prec - 1);
  int64_t most = ((int64_t)1 << component->prec) - 1;
  value = value < 0 ? 0 : value > most ? most : value;
  return (uint8_t)(component->prec > 8 ? value >> (component->prec - 8) : (value * 255 + most / 2) / most);
}

static ImageStatus jp2_copy(const opj_image_t *image, ImageSize size, uint8_t *rgb) {
  /* Gray, gray and alpha, RGB, RGB and alpha. */
  for (int64_t at = 0; at < size.height * size.width; at++)
    for (int i = 0; i < 3; i++) rgb[3 * at + i] = jp2_byte(&image->comps[image->numcomps >= 3 ? i : 0], (size_t)at);
  return IMAGE_OK;
}

/* Whether the components lie over one another, sample by sample, and hold gray or RGB. */
static bool jp2_is_plain(const opj_image_t *image, bool is_decoded) {
  if (image->numcomps < 1 || image->numcomps > 4) return false;
  if (image->color_space != OPJ_CLRSPC_UNSPECIFIED && image->color_space != OPJ_CLRSPC_UNKNOWN &&
      image->color_space != OPJ_CLRSPC_SRGB && image->color_space != OPJ_CLRSPC_GRAY)
    return false;
  for (OPJ_UINT32 i = 0; i < image->numcomps; i++) {
    const opj_image_comp_t *component = &image->comps[i];
    if (component->dx != 1 || component->dy != 1 || component->prec < 1 || component->prec > 31) return false;
    if (is_decoded && (!component->data || component->w != image->comps[0].w || component->h != image->comps[0].h))
      return false;
  }
  return true;
}

/* Only the size where `rgb` is NULL. */
static ImageStatus jp2_read_file(ImageFile file, ImageSize *size, uint8_t *rgb) {
  Jp2Source source = {.file = file};
  ImageStatus status = IMAGE_DAMAGED;
  opj_image_t *image = NULL;
  opj_codec_t *codec = opj_create_decompress(jp2_is_codestream(file) ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
  opj_stream_t *stream = opj_stream_create(file.count < 1 << 16 ? 1 << 16 : OPJ_J2K_STREAM_CHUNK_SIZE, OPJ_TRUE);
  if (!codec || !stream) {
    status = IMAGE_NO_MEMORY;
    goto done;
  }
  opj_set_error_handler(codec, jp2_silent, NULL);
  opj_set_warning_handler(codec, jp2_silent, NULL);
  opj_set_info_handler(codec, jp2_silent, NULL);
  opj_stream_set_user_data(stream, &source, NULL);
  opj_stream_set_user_data_length(stream, file.count);
  opj_stream_set_read_function(stream, jp2_take);
  opj_stream_set_skip_function(stream, jp2_skip);
  opj_stream_set_seek_function(stream, jp2_seek);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!opj_setup_decoder(codec, &parameters) || !opj_read_header(stream, codec, &image)) goto done;
  if (image->x1 <= image->x0 || image->y1 <= image->y0) goto done;
  ImageSize found = {(int64_t)image->y1 - image->y0, (int64_t)image->x1 - image->x0};
  if (!jp2_is_plain(image, false)) {
    status = IMAGE_UNSUPPORTED;
  } else if (!rgb) {
    *size = found;
    status = IMAGE_OK;
  } else if (found.height == size->height && found.width == size->width && opj_decode(codec, stream, image) &&
             opj_end_decompress(codec, stream)) {
    /* What the boxes around a codestream say of colors is known only now. */
    if (!jp2_is_plain(image, true)) status = IMAGE_UNSUPPORTED;
    else if (image->comps[0].w == found.width && image->comps[0].h == found.height) status = jp2_copy(image, found, rgb);
  }
done:
  if (image) opj_image_destroy(image);
  if (stream) opj_stream_destroy(stream);
  if (codec) opj_destroy_codec(codec);
  return status;
}

static ImageStatus jp2_size(ImageFile file, ImageSize *size) { return jp2_read_file(file, size, NULL); }

static ImageStatus jp2_pixels(ImageFile file, ImageSize size, uint8_t *rgb) { return jp2_read_file(file, &size, rgb); }

static const ImageFormat format_jp2 = {jp2_is, jp2_size, jp2_pixels};
