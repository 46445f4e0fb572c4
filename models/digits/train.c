/* Trains the classifier of digits in C: the library keeps the parameters and the optimizer's state.
 *
 *   cc train.c -I BUILD -L BUILD -ldigits_step -Wl,-rpath,BUILD -o train
 *   ./train DATA EPOCHS STATE.safetensors
 *
 * DATA holds train-images-idx3-ubyte and train-labels-idx1-ubyte. Where STATE is there, training goes on from it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "digits_step.h"

enum { BATCH = 64, PIXELS = 64, HEADER = 16 };

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "train: %s: %s\n", what, detail);
  exit(1);
}

/* The bytes of an IDX file behind its header. */
static uint8_t *read_file(const char *folder, const char *name, size_t header, size_t *count) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail(path, "cannot be opened");
  long size = ftell(file);
  if (size < (long)header || fseek(file, (long)header, SEEK_SET)) fail(path, "is too short");
  *count = (size_t)size - header;
  uint8_t *bytes = malloc(*count);
  if (!bytes || fread(bytes, 1, *count, file) != *count) fail(path, "cannot be read");
  fclose(file);
  return bytes;
}

/* Below `bound`, from a generator that is good enough to shuffle. */
static size_t random_below(size_t bound) {
  static uint64_t state = 123;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (size_t)(state >> 33) % bound;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s DATA-FOLDER EPOCHS STATE\n", argv[0]);
    return 2;
  }
  size_t pixels, count;
  uint8_t *images = read_file(argv[1], "train-images-idx3-ubyte", HEADER, &pixels);
  uint8_t *labels = read_file(argv[1], "train-labels-idx1-ubyte", HEADER / 2, &count);
  if (pixels != count * PIXELS) fail(argv[1], "has not one label for each image");
  size_t *order = malloc(count * sizeof *order);
  if (!order) fail("memory", "none left");
  for (size_t i = 0; i < count; i++) order[i] = i;

  const SinterLibrary *library = sinter_library();
  SinterSession *session;
  if (library->open(NULL, &session)) fail("open", library->message(NULL));
  FILE *known = fopen(argv[3], "rb");
  if (known) {
    fclose(known);
    if (library->restore_state(session, argv[3])) fail("restore", library->message(session));
  }
  int epochs = atoi(argv[2]);
  for (int epoch = 1; epoch <= epochs; epoch++) {
    for (size_t i = count; i > 1; i--) {
      size_t j = random_below(i), swapped = order[i - 1];
      order[i - 1] = order[j];
      order[j] = swapped;
    }
    float rate = epoch > epochs * 2 / 3 ? 3e-4f : 3e-3f, loss_sum = 0, right = 0;
    size_t steps = count / BATCH;
    for (size_t step = 0; step < steps; step++) {
      float batch[BATCH * PIXELS], loss, accuracy;
      int64_t answers[BATCH];
      for (size_t i = 0; i < BATCH; i++) {
        size_t sample = order[step * BATCH + i];
        answers[i] = labels[sample];
        for (size_t j = 0; j < PIXELS; j++) batch[i * PIXELS + j] = (float)images[sample * PIXELS + j] / 16;
      }
      if (digits_step_run(library, session, BATCH, batch, answers, &rate, &loss, &accuracy))
        fail("run", library->message(session));
      loss_sum += loss;
      right += accuracy;
    }
    if (epoch % 5 == 0 || epoch == epochs)
      printf("  epoch %2d: loss %.4f, %.2f %% right\n", epoch, (double)(loss_sum / (float)steps), (double)(100 * right / (float)steps));
  }
  if (library->save_state(session, argv[3])) fail("save", library->message(session));
  library->close(session);
  free(images);
  free(labels);
  free(order);
  return 0;
}
