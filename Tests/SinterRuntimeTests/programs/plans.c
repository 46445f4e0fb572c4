/* plans.c: where the runtime puts intermediate values, for thousands of programs drawn at random. */
#include "sinter_runtime_all.c"

#include "check.h"

enum { MAX_BUFFERS = 60, STEPS = 40, PROGRAMS = 3000 };

/* Running out of memory is one of the tests. */
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

static SinterBufferInfo buffers[MAX_BUFFERS];
static int64_t buffer_bytes[MAX_BUFFERS];

static int32_t plan_sizes(int64_t *sizes) {
  memcpy(sizes, buffer_bytes, sizeof buffer_bytes);
  return 0;
}

static SinterProgram program = {.slot_count = MAX_BUFFERS, .buffers = buffers, .arena_bytes = -1, .plan = plan_sizes};
const SinterProgram sinter_program = {.name = "plans", .target = "any processor"};

static SinterSession *new_session(void) {
  size_t bytes = lay_out(NULL, &program, NULL);
  SinterSession *session = calloc(1, bytes);
  lay_out(session, &program, (char *)session);
  session->program = &program;
  session->frame.session = session;
  session->plan = -1;
  return session;
}

static void close_session(SinterSession *session) {
  block_free(&session->arena, &session->memory);
  free(session);
}

static uint64_t state = 42;

static int64_t draw(int64_t below) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)((state >> 33) % (uint64_t)below);
}

static bool live_together(const SinterBufferInfo *a, const SinterBufferInfo *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* No buffer may touch another of its time, or leave the arena. */
static void check_plan(const SinterSession *session) {
  const Plan *plan = &session->plans[session->plan];
  for (size_t i = 0; i < program.buffer_count; i++) {
    int64_t begin = plan->offsets[i], end = begin + buffer_bytes[i];
    CHECK(begin >= 0 && begin % ALIGNMENT == 0 && (end <= plan->bytes || buffer_bytes[i] == 0));
    CHECK(session->frame.buffers[i] == (char *)session->arena.data + begin);
    if (buffers[i].offset >= 0) CHECK(begin == buffers[i].offset || buffer_bytes[i] == 0);
    for (size_t j = 0; j < i; j++) {
      if (!live_together(&buffers[i], &buffers[j])) continue;
      CHECK(end <= plan->offsets[j] || plan->offsets[j] + buffer_bytes[j] <= begin);
    }
  }
}

/* The most bytes that are alive at one step: no plan can do with less. */
static int64_t lower_bound(void) {
  int64_t most = 0;
  for (int32_t step = 0; step < STEPS; step++) {
    int64_t live = 0;
    for (size_t i = 0; i < program.buffer_count; i++)
      if (buffers[i].first <= step && step <= buffers[i].last) live += (int64_t)round_up((size_t)buffer_bytes[i], ALIGNMENT);
    if (live > most) most = live;
  }
  return most;
}

static void draw_program(bool with_fixed) {
  int64_t fixed_end = 0;
  program.buffer_count = (size_t)(1 + draw(MAX_BUFFERS));
  memset(buffer_bytes, 0, sizeof buffer_bytes);
  for (int32_t i = 0; i < (int32_t)program.buffer_count; i++) {
    int32_t first = (int32_t)draw(STEPS), last = first + (int32_t)draw(draw(4) ? 4 : STEPS);
    buffers[i] = (SinterBufferInfo){SINTER_BUFFER_ARENA, -1, first, last < STEPS ? last : STEPS - 1, -1, i};
    buffer_bytes[i] = draw(8) ? draw(1 << draw(16)) : 0;
    if (!with_fixed || draw(4)) continue;
    buffers[i].offset = fixed_end;
    fixed_end += (int64_t)round_up((size_t)buffer_bytes[i], ALIGNMENT);
  }
}

int main(void) {
  double total = 0, least = 0;
  for (int i = 0; i < PROGRAMS; i++) {
    bool with_fixed = i % 4 == 0;
    draw_program(with_fixed);
    SinterSession *session = new_session();
    CHECK_STATUS(plan_prepare(session), SINTER_OK, session->message);
    check_plan(session);
    if (!with_fixed) total += (double)session->plans[session->plan].bytes, least += (double)lower_bound();
    close_session(session);
  }
  fprintf(stderr, "arenas are %.2f %% larger than the most that is alive\n", 100 * (total / least - 1));
  CHECK(total / least < 1.05);

  draw_program(false);
  const struct { int64_t bytes; int32_t status; } sizes[] = {
    {INT64_MAX / 2, SINTER_OUT_OF_MEMORY}, {(int64_t)1 << 60, SINTER_OUT_OF_MEMORY}, {1, SINTER_OK},
  };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    SinterSession *session = new_session();
    buffer_bytes[0] = sizes[i].bytes;
    CHECK_STATUS(plan_prepare(session), sizes[i].status, session->message);
    close_session(session);
  }
  return 0;
}
