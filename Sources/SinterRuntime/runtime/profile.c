/* profile.c: when each launch of a run began and ended. Only libraries that are compiled with --profile hold this file. */
#include "internal.h"

/* Makes room for one more launch. The old ones are kept, unlike what a Block does. */
static bool reserve_launch(SinterSession *session) {
  Profile *profile = &session->profile;
  if (profile->count < profile->capacity) return true;
  size_t capacity = profile->capacity ? 2 * profile->capacity : 256;
  SinterLaunch *launches = memory_allocate(&session->memory, capacity * sizeof *launches, ALIGNMENT);
  if (!launches) return false;
  if (profile->count) memcpy(launches, profile->launches, profile->count * sizeof *launches);
  memory_free(&session->memory, profile->launches);
  profile->launches = launches;
  profile->capacity = capacity;
  return true;
}

void sinter_profile_run(SinterFrame *frame) { frame->session->profile.count = 0; }

int32_t sinter_profile_launch(SinterFrame *frame, const SinterCall *call, int64_t flops, int64_t bytes) {
  SinterSession *session = frame->session;
  Profile *profile = &session->profile;
  if (!reserve_launch(session))
    return fail(session, SINTER_OUT_OF_MEMORY, "no memory for the profile of %zu launches", profile->count + 1);
  int64_t now = clock_now();
  if (profile->count == 0) profile->start = now;
  profile->launches[profile->count++] =
    (SinterLaunch){.call = call, .begin_ns = now - profile->start, .flops = flops, .bytes = bytes};
  return SINTER_OK;
}

void sinter_profile_launched(SinterFrame *frame) {
  Profile *profile = &frame->session->profile;
  profile->launches[profile->count - 1].end_ns = clock_now() - profile->start;
}

void profile_close(SinterSession *session) { memory_free(&session->memory, session->profile.launches); }

static const SinterLaunch *profile_launches(const SinterSession *session, size_t *count) {
  *count = session->profile.count;
  return session->profile.launches;
}

__attribute__((visibility("default"))) const SinterProfile *sinter_profile(void) {
  static const SinterProfile profile = {.version = SINTER_PROFILE_VERSION, .launches = profile_launches};
  return &profile;
}
