/* sinter_profile.h: what a library that was compiled with --profile tells of its last run.
 *
 * Such a library exports, beside the entry point of sinter.h, sinter_profile(); a static archive or an object file exports
 * <name>_profile() instead. Other libraries hold neither the function nor any code for it.
 *
 *   const SinterProfile *(*entry)(void) = dlsym(handle, "sinter_profile");
 *   const SinterProfile *profile = entry();
 *   model->run(session, inputs, outputs);
 *   size_t count;
 *   const SinterLaunch *launches = profile->launches(session, &count);
 *   for (size_t i = 0; i < count; i++) puts(launches[i].call->kernel);
 *
 * Both functions may be called between runs of that session, not during one. What they give is valid until the next run().
 */
#ifndef SINTER_PROFILE_H
#define SINTER_PROFILE_H

#include "sinter.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SINTER_PROFILE_VERSION 1

/* One place of the program from which a kernel is launched. */
typedef struct {
  const char *kernel; /* equal kernels have one name */
  size_t origin_count;
  const char *const *origins; /* what it computes: "layer encoder.0, node /encoder/0/MatMul" */
} SinterCall;

/* One launch of a kernel, with all its tasks on all threads. */
typedef struct {
  const SinterCall *call;
  int64_t begin_ns, end_ns; /* since the run's first launch */
  int64_t flops, bytes;     /* floating-point operations, and bytes that have to be moved; -1 where that is not known */
} SinterLaunch;

typedef struct {
  uint32_t version; /* SINTER_PROFILE_VERSION */
  /* The launches of the session's last run that got as far as its kernels, in order; none before the first. */
  const SinterLaunch *(*launches)(const SinterSession *session, size_t *count);
} SinterProfile;

const SinterProfile *sinter_profile(void);

#ifdef __cplusplus
}
#endif
#endif
