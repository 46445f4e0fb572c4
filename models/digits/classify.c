/* Classifies the held-out digits with a library that Sinter compiled.
 *
 *   cc -D_POSIX_C_SOURCE=200809L classify.c -I BUILD -L BUILD -ldigits -Wl,-rpath,BUILD -o classify
 *   ./classify DATA BUILD/libdigits.so digits.safetensors
 *
 * DATA holds heldout-images-idx3-ubyte and heldout-labels-idx1-ubyte. The two files after it are only measured.
 * Exit status 1 where fewer than 97 % are right. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "digits.h"

enum { CLASSES = 10, TIMED_CALLS = 2000, TIMED_BATCHES = 100 };

typedef struct {
  uint32_t shape[3];
  size_t count; /* of bytes, the product of the shape */
  uint8_t *bytes;
} Idx;

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "classify: %s: %s\n", what, detail);
  exit(1);
}

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Reads an IDX file of unsigned bytes with the given rank, of 1 to 3. */
static Idx read_idx(const char *folder, const char *name, int rank) {
  char path[4096];
  uint8_t header[16];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file) fail(path, "cannot be opened");
  size_t header_size = 4 + 4 * (size_t)rank;
  if (fread(header, 1, header_size, file) != header_size || header[2] != 8 || header[3] != rank)
    fail(path, "is no IDX file of bytes of the expected rank");
  Idx idx = {.shape = {1, 1, 1}, .count = 1};
  for (int axis = 0; axis < rank; axis++) {
    idx.shape[axis] = big_endian(header + 4 + 4 * axis);
    if (idx.shape[axis] == 0 || idx.shape[axis] > 1 << 20) fail(path, "has a size out of range");
    idx.count *= idx.shape[axis];
  }
  idx.bytes = malloc(idx.count);
  if (!idx.bytes || fread(idx.bytes, 1, idx.count, file) != idx.count) fail(path, "is shorter than its header says");
  fclose(file);
  return idx;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Scores of `count` images, which lie one after the other, into `scores`. */
static void classify(const SinterLibrary *model, SinterSession *session, const float *images, size_t count,
                     float *scores) {
  if (digits_run(model, session, (int64_t)count, images, scores) != SINTER_OK) fail("run", model->message(session));
}

static int best(const float *scores) {
  int winner = 0;
  for (int digit = 1; digit < CLASSES; digit++)
    if (scores[digit] > scores[winner]) winner = digit;
  return winner;
}

static void draw(const uint8_t *pixels, const Idx *idx, int label, int answer) {
  static const char shades[] = " .:-=+*#%@";
  printf("\n  a %d, classified as %d\n", label, answer);
  for (uint32_t row = 0; row < idx->shape[1]; row++) {
    printf("    ");
    for (uint32_t column = 0; column < idx->shape[2]; column++) {
      int pixel = pixels[row * idx->shape[2] + column];
      char shade = shades[pixel >= 16 ? 9 : pixel * 9 / 16];
      printf("%c%c", shade, shade);
    }
    printf("\n");
  }
}

static double kilobytes(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) fail(path, "cannot be measured");
  return (double)status.st_size / 1000;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s DATA-FOLDER LIBRARY WEIGHTS\n", argv[0]);
    return 2;
  }
  Idx idx = read_idx(argv[1], "heldout-images-idx3-ubyte", 3);
  Idx labels = read_idx(argv[1], "heldout-labels-idx1-ubyte", 1);
  size_t count = idx.shape[0], pixels = (size_t)idx.shape[1] * idx.shape[2];
  if (labels.shape[0] != count) fail(argv[1], "has not one label for each image");

  const SinterLibrary *model = sinter_library();
  SinterSession *session = NULL;
  SinterOptions options = {.size = sizeof options, .threads = 1};
  if (model->open(&options, &session) != SINTER_OK) fail("open", model->message(NULL));

  float *images = malloc(idx.count * sizeof *images), *scores = malloc(count * CLASSES * sizeof *scores);
  double *times = malloc(TIMED_CALLS * sizeof *times);
  if (!images || !scores || !times) fail("memory", "none left");
  for (size_t i = 0; i < idx.count; i++) images[i] = (float)idx.bytes[i] / 16;

  /* One call with all images: the batch size is a symbol of the model. */
  classify(model, session, images, count, scores);
  size_t right = 0, wrong_image = count;
  for (size_t i = 0; i < count; i++) {
    if (best(scores + i * CLASSES) == labels.bytes[i]) right++;
    else if (wrong_image == count) wrong_image = i;
  }

  /* Single images, with the answers held against those of the batch. */
  size_t differing = 0;
  for (size_t call = 0; call < TIMED_CALLS; call++) {
    float single[CLASSES];
    size_t i = call % count;
    double start = now();
    classify(model, session, images + i * pixels, 1, single);
    times[call] = now() - start;
    differing += best(single) != best(scores + i * CLASSES);
  }
  qsort(times, TIMED_CALLS, sizeof *times, ascending);
  double median = times[TIMED_CALLS / 2];
  for (size_t call = 0; call < TIMED_BATCHES; call++) {
    double start = now();
    classify(model, session, images, count, scores);
    times[call] = now() - start;
  }
  qsort(times, TIMED_BATCHES, sizeof *times, ascending);
  double batch = times[TIMED_BATCHES / 2];

  draw(idx.bytes, &idx, labels.bytes[0], best(scores));
  if (wrong_image < count)
    draw(idx.bytes + wrong_image * pixels, &idx, labels.bytes[wrong_image], best(scores + wrong_image * CLASSES));
  double accuracy = 100 * (double)right / (double)count;
  printf("\n  %s by %s for %s\n", model->name, model->producer, model->target);
  printf("  accuracy   %.2f %%: %zu of %zu held-out digits\n", accuracy, right, count);
  printf("  time       %.1f us a call with one digit, %.2f us a digit with all %zu in one call (one thread)\n",
         median * 1e6, batch * 1e6 / (double)count, count);
  printf("  size       library %.0f kB, of which weights about %.0f kB\n", kilobytes(argv[2]), kilobytes(argv[3]));
  if (differing) printf("  %zu digits were classified differently alone and in the batch\n", differing);

  model->close(session);
  free(images);
  free(scores);
  free(times);
  free(idx.bytes);
  free(labels.bytes);
  return accuracy < 97 || differing ? 1 : 0;
}
