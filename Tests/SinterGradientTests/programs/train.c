/* Trains a classifier of 8 x 8 images of one bright corner in the library that keeps its state: `train FOLDER`. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train.h"

enum { BATCH = 30, PIXELS = 64 };

static float images[BATCH * PIXELS];
static int64_t labels[BATCH];

static void draw(uint32_t seed) {
  for (int i = 0; i < BATCH; i++) {
    labels[i] = i % 3;
    for (int j = 0; j < PIXELS; j++) {
      seed = seed * 1664525u + 1013904223u;
      int row = j / 8, column = j % 8;
      int bright = labels[i] == 0 ? row < 4 && column < 4 : labels[i] == 1 ? row >= 4 && column < 4 : column >= 4 && row < 4;
      images[i * PIXELS + j] = (float)(seed >> 8) / (1 << 24) + (bright ? 1.0f : 0.0f);
    }
  }
}

static const SinterLibrary *load(const char *folder, const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) return NULL;
  const SinterLibrary *(*entry)(void) = (const SinterLibrary *(*)(void))dlsym(handle, "sinter_library");
  return entry ? entry() : NULL;
}

static float train(const SinterLibrary *library, SinterSession *session, uint32_t seed) {
  float rate = 0.01f, loss = NAN, accuracy = NAN;
  draw(seed);
  if (train_run(library, session, BATCH, images, labels, &rate, &loss, &accuracy)) puts(library->message(session));
  return loss;
}

int main(int count, char **arguments) {
  if (count != 2) return 1;
  const SinterLibrary *use = load(arguments[1], "libuse.so");
  if (!use || use->abi_version != 1) return 2; /* what has no state is as it was in version 1 */
  const SinterLibrary *library = load(arguments[1], "libtrain.so");
  if (!library || library->abi_version != 2 || library->input_count != TRAIN_INPUT_COUNT ||
      library->state_count != TRAIN_STATE_COUNT)
    return 3;
  if (strcmp(library->states[TRAIN_STATE_FC_WEIGHT].name, "fc.weight")) return 4;

  SinterSession *session, *second;
  if (library->open(NULL, &session) || library->open(NULL, &second)) return 5;
  float first = train(library, session, 1), last = first;
  for (uint32_t i = 2; i <= 40; i++) last = train(library, session, i);
  printf("loss %g, then %g\n", first, last);
  if (!(last < 0.3f * first)) return 6;

  char path[1024];
  snprintf(path, sizeof path, "%s/c.safetensors", arguments[1]);
  if (library->save_state(session, path) || library->restore_state(second, path)) return 7;
  if (train(library, session, 50) != train(library, second, 50)) return 8;

  /* Two sessions have nothing in common: what one is told the other does not know. */
  float bias[3] = {1, 2, 3}, read[3] = {0};
  int64_t shape[1] = {3}, back[1] = {-1};
  SinterValue value = {.kind = SINTER_TENSOR, .tensor = {.data = bias + 2, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = shape, .strides = back}};
  if (library->write_state(second, TRAIN_STATE_FC_BIAS, &value)) return 9;
  value.tensor.data = read;
  value.tensor.strides = NULL;
  if (library->read_state(second, TRAIN_STATE_FC_BIAS, &value) || read[0] != 3 || read[2] != 1) return 10;
  if (library->read_state(session, TRAIN_STATE_FC_BIAS, &value) || read[0] == 3) return 11;
  SinterValue made = {0};
  if (library->read_state(second, TRAIN_STATE_STEP, &made) || *(int64_t *)made.tensor.data != 41) return 12;
  made.release(&made);
  if (library->read_state(second, library->state_count, &made) != SINTER_INVALID_ARGUMENT) return 13;
  if (library->write_state(second, 0, NULL) != SINTER_INVALID_ARGUMENT) return 14;
  library->close(session);
  library->close(second);
  return 0;
}
