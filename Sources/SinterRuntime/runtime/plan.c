/* plan.c: all sizes, and where each buffer lies in the arena, once for each set of symbols. */
#include "internal.h"

/* ---- Offsets ---- */

static bool is_planned(const SinterBufferInfo *buffer) {
  return buffer->kind == SINTER_BUFFER_ARENA && buffer->offset < 0;
}

static int64_t padded_bytes(const SinterSession *session, const Plan *plan, int32_t buffer) {
  int64_t bytes = plan->sizes[session->program->buffers[buffer].bytes];
  return bytes <= 0 ? 0 : (int64_t)round_up((size_t)bytes, ALIGNMENT);
}

/* Larger buffers first; of equal ones the earlier, so that the order depends on nothing else. */
static bool comes_before(const int64_t *bytes, int32_t a, int32_t b) {
  return bytes[a] != bytes[b] ? bytes[a] > bytes[b] : a < b;
}

/* A heap sort, since qsort may allocate and takes no context. `bytes` is indexed by buffer. */
static void sort_buffers(int32_t *order, int32_t count, const int64_t *bytes) {
  for (int32_t heap = count / 2, end = count; end > 1;) {
    int32_t moved;
    if (heap > 0) {
      moved = order[--heap];
    } else {
      moved = order[--end];
      order[end] = order[0];
    }
    int32_t hole = heap;
    for (int32_t child; (child = 2 * hole + 1) < end; hole = child) {
      if (child + 1 < end && comes_before(bytes, order[child], order[child + 1])) child++;
      if (!comes_before(bytes, moved, order[child])) break;
      order[hole] = order[child];
    }
    order[hole] = moved;
  }
}

/* Puts a buffer among those placed, which are sorted by offset. */
static void insert_placed(int32_t *placed, int32_t count, const int64_t *offsets, int32_t buffer) {
  int32_t at = count;
  for (; at > 0 && offsets[placed[at - 1]] > offsets[buffer]; at--) placed[at] = placed[at - 1];
  placed[at] = buffer;
}

/* The smallest gap that holds `bytes`, among the buffers that live at the same time; else the end of them. */
static int64_t find_gap(const SinterProgram *program, const Plan *plan, const int32_t *placed, int32_t count,
                        const int64_t *padded, int32_t buffer) {
  const SinterBufferInfo *mine = &program->buffers[buffer];
  int64_t bytes = padded[buffer], end = 0, best = -1, best_gap = INT64_MAX;
  for (int32_t i = 0; i < count; i++) {
    const SinterBufferInfo *other = &program->buffers[placed[i]];
    if (other->last < mine->first || mine->last < other->first) continue;
    int64_t gap = plan->offsets[placed[i]] - end;
    if (gap >= bytes && gap < best_gap) best = end, best_gap = gap;
    int64_t other_end = plan->offsets[placed[i]] + padded[placed[i]];
    if (other_end > end) end = other_end;
  }
  return best >= 0 ? best : end;
}

/* Greedy by size: each buffer, the largest first, goes into the tightest gap that its lifetime leaves. Offsets that were
 * fixed ahead of time stay. */
static bool place_buffers(SinterSession *session, Plan *plan) {
  const SinterProgram *program = session->program;
  int64_t *padded = session->padded;
  int32_t planned = 0, placed = 0;
  uint64_t total = 0;
  plan->bytes = program->arena_bytes > 0 ? program->arena_bytes : 0;
  for (int32_t i = 0; i < (int32_t)program->buffer_count; i++) {
    const SinterBufferInfo *buffer = &program->buffers[i];
    if (buffer->kind != SINTER_BUFFER_ARENA) continue;
    if (!is_planned(buffer)) plan->offsets[i] = buffer->offset;
    if (program->arena_bytes >= 0) continue;
    if (plan->sizes[buffer->bytes] > INT64_MAX / 4) return false;
    padded[i] = padded_bytes(session, plan, i);
    total += (uint64_t)padded[i];
    if (total > INT64_MAX / 4) return false;
    if (padded[i] == 0) plan->offsets[i] = 0;
    else if (is_planned(buffer)) session->order[planned++] = i;
    else insert_placed(session->placed, placed++, plan->offsets, i);
  }
  sort_buffers(session->order, planned, padded);
  for (int32_t i = 0; i < planned; i++) {
    int32_t buffer = session->order[i];
    plan->offsets[buffer] = find_gap(program, plan, session->placed, placed, padded, buffer);
    insert_placed(session->placed, placed++, plan->offsets, buffer);
  }
  for (int32_t i = 0; i < placed; i++) {
    int64_t end = plan->offsets[session->placed[i]] + padded[session->placed[i]];
    if (end > plan->bytes) plan->bytes = end;
  }
  return true;
}

/* ---- Plans ---- */

static bool is_for_symbols(const SinterSession *session, const Plan *plan) {
  return plan->valid
    && !memcmp(plan->sizes, session->symbols, session->program->symbol_count * sizeof *plan->sizes);
}

/* Makes frame and buffers those of a plan. */
static int32_t use_plan(SinterSession *session, int32_t index) {
  const SinterProgram *program = session->program;
  const Plan *plan = &session->plans[index];
  size_t alignment = plan->bytes >= (int64_t)PAGE ? PAGE : ALIGNMENT;
  session->plan = -1;
  if (plan->bytes > (int64_t)session->arena.capacity) {
    if (!block_reserve(&session->arena, &session->memory, (size_t)plan->bytes, alignment))
      return fail(session, SINTER_OUT_OF_MEMORY, "no memory for intermediate values: %lld bytes", (long long)plan->bytes);
    memory_populate(&session->memory, session->arena.data, (size_t)plan->bytes);
  }
  for (size_t i = 0; i < program->buffer_count; i++)
    if (program->buffers[i].kind == SINTER_BUFFER_ARENA)
      session->frame.buffers[i] = (char *)session->arena.data + plan->offsets[i];
  session->frame.sizes = plan->sizes;
  session->plan = index;
  return SINTER_OK;
}

/* Says what does not hold, and for which sizes. */
static int32_t fail_plan(SinterSession *session, int32_t error) {
  const SinterProgram *program = session->program;
  int32_t status = sinter_fail(&session->frame, SINTER_SHAPE_MISMATCH, error - 1, NULL, 0);
  size_t used = strlen(session->message);
  for (size_t i = 0; i < program->symbol_count && used < sizeof session->message; i++)
    used += (size_t)snprintf(session->message + used, sizeof session->message - used, "%s%s = %lld", i ? ", " : "; ",
                             program->symbols[i].name, (long long)session->symbols[i]);
  return status;
}

static bool holds(int32_t relation, int64_t left, int64_t right) {
  switch (relation) {
    case SINTER_EQUAL: return left == right;
    case SINTER_EQUAL_OR_ONE: return left == right || left == 1;
    case SINTER_BROADCASTABLE: return left == right || left == 1 || right == 1;
    case SINTER_DIVISIBLE: return right > 0 && left % right == 0;
    case SINTER_AT_LEAST: return left >= right;
  }
  return false;
}

/* Holds the sizes of a plan against what the program's nodes rely on. */
static int32_t check_obligations(SinterSession *session, const int64_t *sizes) {
  const SinterProgram *program = session->program;
  for (size_t i = 0; i < program->obligation_count; i++) {
    const SinterObligation *obligation = &program->obligations[i];
    int64_t sides[2] = {sizes[obligation->left], sizes[obligation->right]};
    if (!holds(obligation->relation, sides[0], sides[1]))
      return sinter_fail(&session->frame, SINTER_SHAPE_MISMATCH, obligation->error, sides, 2);
  }
  return SINTER_OK;
}

int32_t plan_prepare(SinterSession *session) {
  const SinterProgram *program = session->program;
  if (session->plan >= 0 && is_for_symbols(session, &session->plans[session->plan])) return SINTER_OK;
  for (int32_t i = 0; i < PLAN_COUNT; i++)
    if (is_for_symbols(session, &session->plans[i])) return use_plan(session, i);

  int32_t index = session->oldest_plan;
  Plan *plan = &session->plans[index];
  plan->valid = false;
  if (session->plan == index) session->plan = -1;
  memset(plan->sizes, 0, program->slot_count * sizeof *plan->sizes);
  memcpy(plan->sizes, session->symbols, program->symbol_count * sizeof *plan->sizes);
  int32_t error = program->plan ? program->plan(plan->sizes) : 0;
  /* First of all: where these do not hold, other sizes mean nothing. */
  int32_t status = check_obligations(session, plan->sizes);
  if (status) return status;
  if (error) return fail_plan(session, error);
  if (!place_buffers(session, plan))
    return fail(session, SINTER_OUT_OF_MEMORY, "the intermediate values are larger than any memory");
  plan->valid = true;
  session->oldest_plan = (index + 1) % PLAN_COUNT;
  return use_plan(session, index);
}
