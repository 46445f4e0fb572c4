/* sources.c: the files of the runtime, as bytes. What they say is compiled only into libraries, by RuntimeObject. */
#include "sinter_runtime_sources.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char sinter_h[] = {
#embed "../SinterABI/include/sinter.h"
};
static const unsigned char sinter_profile_h[] = {
#embed "../SinterABI/include/sinter_profile.h"
};
static const unsigned char sinter_runtime_h[] = {
#embed "include/sinter_runtime.h"
};
static const unsigned char sinter_weight_hash_h[] = {
#embed "include/sinter_weight_hash.h"
};
static const unsigned char internal_h[] = {
#embed "runtime/internal.h"
};
static const unsigned char all_c[] = {
#embed "runtime/sinter_runtime_all.c"
};
static const unsigned char cpu_c[] = {
#embed "runtime/cpu.c"
};
static const unsigned char errors_c[] = {
#embed "runtime/errors.c"
};
static const unsigned char image_h[] = {
#embed "runtime/image.h"
};
static const unsigned char image_all_c[] = {
#embed "runtime/image_all.c"
};
static const unsigned char image_bmp_c[] = {
#embed "runtime/image_bmp.c"
};
static const unsigned char image_jp2_c[] = {
#embed "runtime/image_jp2.c"
};
static const unsigned char image_jpeg_c[] = {
#embed "runtime/image_jpeg.c"
};
static const unsigned char image_png_c[] = {
#embed "runtime/image_png.c"
};
static const unsigned char image_pnm_c[] = {
#embed "runtime/image_pnm.c"
};
static const unsigned char image_tiff_c[] = {
#embed "runtime/image_tiff.c"
};
static const unsigned char image_webp_c[] = {
#embed "runtime/image_webp.c"
};
static const unsigned char inputs_c[] = {
#embed "runtime/inputs.c"
};
static const unsigned char library_c[] = {
#embed "runtime/library.c"
};
static const unsigned char memory_c[] = {
#embed "runtime/memory.c"
};
static const unsigned char outputs_c[] = {
#embed "runtime/outputs.c"
};
static const unsigned char pack_c[] = {
#embed "runtime/pack.c"
};
static const unsigned char plan_c[] = {
#embed "runtime/plan.c"
};
static const unsigned char pool_c[] = {
#embed "runtime/pool.c"
};
static const unsigned char profile_c[] = {
#embed "runtime/profile.c"
};
static const unsigned char spares_c[] = {
#embed "runtime/spares.c"
};
static const unsigned char state_c[] = {
#embed "runtime/state.c"
};
static const unsigned char state_file_c[] = {
#embed "runtime/state_file.c"
};
static const unsigned char tensors_c[] = {
#embed "runtime/tensors.c"
};
static const unsigned char unpack_c[] = {
#embed "runtime/unpack.c"
};
static const unsigned char text_case_c[] = {
#embed "runtime/text_case.c"
};
static const unsigned char text_case_table_h[] = {
#embed "runtime/text_case_table.h"
};
static const unsigned char text_match_c[] = {
#embed "runtime/text_match.c"
};
static const unsigned char text_numbers_c[] = {
#embed "runtime/text_numbers.c"
};
static const unsigned char text_pieces_c[] = {
#embed "runtime/text_pieces.c"
};
static const unsigned char text_ranks_c[] = {
#embed "runtime/text_ranks.c"
};
static const unsigned char texts_c[] = {
#embed "runtime/texts.c"
};
static const unsigned char weights_c[] = {
#embed "runtime/weights.c"
};

static const SinterRuntimeSource sources[] = {
  {"sinter.h", sinter_h, sizeof sinter_h},
  {"sinter_profile.h", sinter_profile_h, sizeof sinter_profile_h},
  {"sinter_runtime.h", sinter_runtime_h, sizeof sinter_runtime_h},
  {"sinter_weight_hash.h", sinter_weight_hash_h, sizeof sinter_weight_hash_h},
  {"internal.h", internal_h, sizeof internal_h},
  {SINTER_RUNTIME_MAIN, all_c, sizeof all_c},
  {"cpu.c", cpu_c, sizeof cpu_c},
  {"errors.c", errors_c, sizeof errors_c},
  {"image.h", image_h, sizeof image_h},
  {SINTER_RUNTIME_IMAGES, image_all_c, sizeof image_all_c},
  {"image_bmp.c", image_bmp_c, sizeof image_bmp_c},
  {"image_jp2.c", image_jp2_c, sizeof image_jp2_c},
  {"image_jpeg.c", image_jpeg_c, sizeof image_jpeg_c},
  {"image_png.c", image_png_c, sizeof image_png_c},
  {"image_pnm.c", image_pnm_c, sizeof image_pnm_c},
  {"image_tiff.c", image_tiff_c, sizeof image_tiff_c},
  {"image_webp.c", image_webp_c, sizeof image_webp_c},
  {"inputs.c", inputs_c, sizeof inputs_c},
  {"library.c", library_c, sizeof library_c},
  {"memory.c", memory_c, sizeof memory_c},
  {"outputs.c", outputs_c, sizeof outputs_c},
  {"pack.c", pack_c, sizeof pack_c},
  {"plan.c", plan_c, sizeof plan_c},
  {"pool.c", pool_c, sizeof pool_c},
  {"profile.c", profile_c, sizeof profile_c},
  {"spares.c", spares_c, sizeof spares_c},
  {"state.c", state_c, sizeof state_c},
  {"state_file.c", state_file_c, sizeof state_file_c},
  {"tensors.c", tensors_c, sizeof tensors_c},
  {"unpack.c", unpack_c, sizeof unpack_c},
  {"text_case.c", text_case_c, sizeof text_case_c},
  {"text_case_table.h", text_case_table_h, sizeof text_case_table_h},
  {"text_match.c", text_match_c, sizeof text_match_c},
  {"text_numbers.c", text_numbers_c, sizeof text_numbers_c},
  {"text_pieces.c", text_pieces_c, sizeof text_pieces_c},
  {"text_ranks.c", text_ranks_c, sizeof text_ranks_c},
  {"texts.c", texts_c, sizeof texts_c},
  {"weights.c", weights_c, sizeof weights_c},
};

const SinterRuntimeSource *sinter_runtime_sources(size_t *count) {
  *count = sizeof sources / sizeof *sources;
  return sources;
}

#ifdef SINTER_STATIC
extern const SinterRuntimeSource sinter_prebuilt_runtime[SINTER_VARIANT_COUNT];
#endif

const SinterRuntimeSource *sinter_runtime_prebuilt(int variant) {
#ifdef SINTER_STATIC
  return &sinter_prebuilt_runtime[variant];
#else
  (void)variant;
  return NULL;
#endif
}
