#include <stdio.h>

#include "lenet.h"

int main(void) {
  static float image[28 * 28], scores[10];
  for (int i = 0; i < 28 * 28; i++) image[i] = (float)(i % 28) / 28;

  const SinterLibrary *model = lenet_library();
  SinterSession *session;
  if (model->open(NULL, &session) != SINTER_OK) return puts(model->message(NULL)), 1;
  if (lenet_run(model, session, 1, image, scores) != SINTER_OK) return puts(model->message(session)), 1;
  model->close(session);

  int best = 0;
  for (int i = 1; i < 10; i++) if (scores[i] > scores[best]) best = i;
  printf("class %d\n", best);
}
