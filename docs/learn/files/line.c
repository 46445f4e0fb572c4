#include <stdio.h>

#include "line.h"

int main(void) {
  const SinterLibrary *model = sinter_library();
  SinterSession *session;
  if (model->open(NULL, &session) != SINTER_OK) return puts(model->message(NULL)), 1;

  float x[4] = {-3, -0.5f, 0, 2}, y[4];
  if (line_run(model, session, 4, x, y) != SINTER_OK) return puts(model->message(session)), 1;
  printf("%g %g %g %g\n", y[0], y[1], y[2], y[3]);
  model->close(session);
}
