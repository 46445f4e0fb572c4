/* library.c: the entry points of sinter.h. */
#include "internal.h"

/* ---- A session's memory ---- */

/* One block holds the session and its arrays: called with NULL to learn how large it is, then to place the pointers. */
static size_t lay_out(SinterSession *session, const SinterProgram *program, char *base) {
  size_t used = round_up(sizeof *session, ALIGNMENT);
  size_t buffers = program->buffer_count, inputs = program->input_count, outputs = program->output_count;
#define PLACE(field, count)                                                     \
  do {                                                                          \
    if (base) session->field = (void *)(base + used);                           \
    used = round_up(used + (count) * sizeof *session->field, ALIGNMENT);        \
  } while (0)
  PLACE(frame.buffers, buffers);
  PLACE(symbols, program->symbol_count);
  PLACE(order, buffers);
  PLACE(placed, buffers);
  PLACE(padded, buffers);
  PLACE(input_head, inputs);
  PLACE(output_head, outputs);
  PLACE(next, buffers);
  PLACE(staging, inputs);
  PLACE(dynamic, buffers);
  PLACE(output_state, outputs);
  PLACE(output_spans, outputs);
#ifdef SINTER_STRUCTURES
  PLACE(given, inputs);
  PLACE(made, outputs);
  PLACE(packed, inputs);
  PLACE(packed_shape, inputs);
  PLACE(assemblies, outputs);
#endif
#ifdef SINTER_TEXT
  PLACE(output_text, 2 * outputs);
#endif
#ifdef SINTER_STATE
  PLACE(states, program->state_count);
  PLACE(all_inputs, inputs);
  PLACE(all_outputs, outputs);
#endif
  for (int i = 0; i < PLAN_COUNT; i++) {
    PLACE(plans[i].sizes, program->slot_count);
    PLACE(plans[i].offsets, buffers);
  }
#undef PLACE
  return used;
}

/* Constants get their address once; the buffers of each port are chained. */
static void link_buffers(SinterSession *session) {
  const SinterProgram *program = session->program;
  for (size_t i = 0; i < program->input_count; i++) session->input_head[i] = -1;
  for (size_t i = 0; i < program->output_count; i++) session->output_head[i] = -1;
  for (int32_t i = 0; i < (int32_t)program->buffer_count; i++) {
    const SinterBufferInfo *buffer = &program->buffers[i];
    int32_t *head = NULL;
    switch ((SinterBufferKind)buffer->kind) {
      case SINTER_BUFFER_INPUT: head = &session->input_head[buffer->port]; break;
      case SINTER_BUFFER_OUTPUT: head = &session->output_head[buffer->port]; break;
      case SINTER_BUFFER_CONSTANT: session->frame.buffers[i] = (void *)(uintptr_t)(session->weights + buffer->offset); break;
      case SINTER_BUFFER_ARENA:
      case SINTER_BUFFER_DYNAMIC: break;
    }
    if (!head) continue;
    session->next[i] = *head;
    *head = i;
  }
}

/* ---- open, close ---- */

static void session_close(SinterSession *session) {
  if (!session) return;
  const SinterProgram *program = session->program;
  Memory memory = session->memory;
  pool_close(session->pool, &memory);
  spares_leave(session->spares, &memory);
  weights_close(session);
#ifdef SINTER_PROFILE
  profile_close(session);
#endif
#ifdef SINTER_TEXT
  texts_close(session);
  for (size_t i = 0; i < 2 * program->output_count; i++) block_free(&session->output_text[i], &memory);
#endif
#ifdef SINTER_STATE
  states_close(session);
#endif
  block_free(&session->arena, &memory);
  for (size_t i = 0; i < program->input_count; i++) block_free(&session->staging[i], &memory);
#ifdef SINTER_STRUCTURES
  for (size_t i = 0; i < program->input_count; i++) block_free(&session->packed[i], &memory);
#endif
  for (size_t i = 0; i < program->buffer_count; i++) block_free(&session->dynamic[i], &memory);
  memory_free(&memory, session);
}

/* The host's options, with zero for what it does not know of. */
static int32_t read_options(const SinterOptions *given, SinterOptions *options) {
  memset(options, 0, sizeof *options);
  if (given) memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
  if (!options->allocate != !options->deallocate)
    return fail_open(SINTER_INVALID_ARGUMENT, "the options have only one of allocate and deallocate, expected both or neither");
  if (options->threads < 0)
    return fail_open(SINTER_INVALID_ARGUMENT, "the options ask for %d threads, expected at least 0", options->threads);
  return SINTER_OK;
}

static int32_t session_open(const SinterOptions *given, SinterSession **result) {
  const SinterProgram *program = &sinter_program;
  forget_open_failure();
  if (!result) return fail_open(SINTER_INVALID_ARGUMENT, "no place for the session: the pointer is null");
  *result = NULL;
  SinterOptions options;
  int32_t status = read_options(given, &options);
  if (status) return status;
  char missing[256];
  while (program->fallback && !cpu_has(program->features, missing, sizeof missing)) program = program->fallback;
  if (!cpu_has(program->features, missing, sizeof missing))
    return fail_open(SINTER_UNSUPPORTED_CPU, "this library was built for %s; this processor lacks %s; compile the model with --cpu for it", program->target, missing);

  Memory memory = {options.allocate, options.deallocate, options.host};
  size_t bytes = lay_out(NULL, program, NULL);
  SinterSession *session = memory_allocate(&memory, bytes, ALIGNMENT);
  if (!session) return fail_open(SINTER_OUT_OF_MEMORY, "no memory for a session: %zu bytes", bytes);
  memset(session, 0, bytes);
  lay_out(session, program, (char *)session);
  session->program = program;
  session->memory = memory;
  session->parallel = options.parallel;
  session->host = options.host;
  session->threads = options.threads ? options.threads : processor_count();
  session->frame.session = session;
  session->plan = -1;
  session->spares = spares_open(&memory, program->output_count);

  status = weights_open(session, options.weights);
#ifdef SINTER_TEXT
  if (!status) status = texts_open(session);
#endif
#ifdef SINTER_STATE
  if (!status) status = states_open(session);
#endif
  if (!status && session->threads > 1 && !session->parallel) {
    session->pool = pool_open(&memory, session->threads, program->flushes_subnormals);
    if (!session->pool) status = fail_open(SINTER_OUT_OF_MEMORY, "no memory for %d threads", session->threads);
  }
  if (status) {
    session_close(session);
    return status;
  }
  link_buffers(session);
  *result = session;
  return SINTER_OK;
}

/* ---- run ---- */

static int32_t run_session(SinterSession *session, const SinterValue *inputs, SinterValue *outputs) {
#ifdef SINTER_TEXT
  texts_begin(session);
#endif
  int32_t status = inputs_bind(session, inputs);
  if (!status) status = plan_prepare(session);
  if (!status) status = inputs_check_derived(session, inputs);
  if (status) return status;
  status = outputs_bind(session, inputs, outputs);
  if (!status) status = session->program->run(&session->frame);
  if (!status) status = outputs_finish(session);
  if (status) outputs_undo(session);
  return status;
}

/* The same with the states, which callers do not pass. */
static int32_t run_tensors(SinterSession *session, const SinterValue *inputs, SinterValue *outputs) {
#ifdef SINTER_STATE
  int32_t status = run_session(session, states_inputs(session, inputs), states_outputs(session, outputs));
  size_t count = session->program->output_count - changed_states(session->program);
  if (!status && count > 0) memcpy(outputs, session->all_outputs, count * sizeof *outputs);
  return status;
#else
  return run_session(session, inputs, outputs);
#endif
}

/* The same for callers whose values are not all tensors. */
static int32_t run_values(SinterSession *session, const SinterValue *inputs, SinterValue *outputs) {
  int32_t status;
#ifdef SINTER_STRUCTURES
  if (session->program->interface) {
    status = values_pack(session, inputs);
    if (!status) status = values_prepare(session, outputs);
    if (!status) status = run_tensors(session, session->given, session->made);
    if (status) return status;
    status = values_unpack(session, outputs);
    if (status) outputs_undo(session);
  } else
#endif
  status = run_tensors(session, inputs, outputs);
#ifdef SINTER_STATE
  if (!status) states_advance(session);
#endif
  return status;
}

size_t changed_states(const SinterProgram *program) {
  size_t count = 0;
  for (size_t i = 0; i < program->state_count; i++) count += program->states[i].output >= 0;
  return count;
}

int32_t session_enter(SinterSession *session) {
  if (!session) return fail_open(SINTER_INVALID_ARGUMENT, "no session: the pointer is null");
  int idle = RUN_NONE;
  if (!atomic_compare_exchange_strong_explicit(&session->running, &idle, RUN_BEGINS, memory_order_acquire,
                                               memory_order_relaxed))
    return fail_busy(session);
  atomic_store_explicit(&session->was_busy, false, memory_order_relaxed);
  atomic_store_explicit(&session->runner, pthread_self(), memory_order_relaxed);
  atomic_store_explicit(&session->running, RUN_INSIDE, memory_order_release);
  session->message[0] = 0;
  return SINTER_OK;
}

void session_leave(SinterSession *session) { atomic_store_explicit(&session->running, RUN_NONE, memory_order_release); }

static int32_t session_run(SinterSession *session, const SinterValue *inputs, SinterValue *outputs) {
  int32_t status = session_enter(session);
  if (status) return status;
  FloatMode mode = float_mode_enter(session->program->flushes_subnormals);
  status = run_values(session, inputs, outputs);
  float_mode_leave(mode);
  session_leave(session);
  return status;
}

/* ---- The table ---- */

static SinterLibrary library;
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void fill_library(void) {
  const SinterProgram *program = &sinter_program;
  library = (SinterLibrary){
    .abi_version = program->state_count > 0 ? 2 : 1,
    .name = program->name,
    .producer = program->producer,
    .target = program->target,
    .input_count = program->input_count - program->state_count,
    .inputs = program->inputs,
    .output_count = program->output_count - changed_states(program),
    .outputs = program->outputs,
    .open = session_open,
    .run = session_run,
    .message = error_message,
    .close = session_close,
#ifdef SINTER_STATE
    .state_count = program->state_count,
    .states = program->inputs + (program->input_count - program->state_count),
    .read_state = session_read_state,
    .write_state = session_write_state,
    .save_state = session_save_state,
    .restore_state = session_restore_state,
#endif
  };
  const SinterInterface *interface = program->interface;
  if (!interface) return;
  library.input_count = interface->input_count;
  library.inputs = interface->inputs;
  library.output_count = interface->output_count;
  library.outputs = interface->outputs;
}

__attribute__((visibility("default"))) const SinterLibrary *sinter_library(void) {
  pthread_once(&library_once, fill_library);
  return &library;
}
