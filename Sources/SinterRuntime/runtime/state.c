/* state.c: what a session keeps between runs.
 *
 * A state that runs change in place has one block of memory: the compiler has seen to it that nothing reads the old value once the new one is
 * written, and that nothing can fail from then on. Any other has two. A run reads one and writes the other, as it would read an input and write an
 * output in the caller's memory; after a run that went well they change places. So a run that fails changes no state. */
#include "internal.h"

const SinterPort *state_port(const SinterProgram *program, size_t state) {
  return &program->inputs[program->states[state].input];
}

int64_t state_bytes(const SinterSession *session, size_t state) {
  const SinterPort *port = state_port(session->program, state);
  int64_t count, bytes;
  return element_count(port->shape, port->ndim, &count) && element_bytes(port->dtype, count, &bytes) ? bytes : -1;
}

/* Whether the next value has memory of its own. */
static bool has_next(const SinterStateInfo *info) { return info->output >= 0 && !info->in_place; }

int32_t states_open(SinterSession *session) {
  const SinterProgram *program = session->program;
  for (size_t i = 0; i < program->state_count; i++) {
    const SinterStateInfo *info = &program->states[i];
    State *state = &session->states[i];
    int64_t bytes = state_bytes(session, i);
    state->current = bytes < 0 ? NULL : memory_allocate(&session->memory, (size_t)bytes, ALIGNMENT);
    if (state->current && has_next(info)) state->next = memory_allocate(&session->memory, (size_t)bytes, ALIGNMENT);
    if (!state->current || (has_next(info) && !state->next))
      return fail_open(SINTER_OUT_OF_MEMORY, "no memory for state '%s': %lld bytes", state_port(program, i)->name,
                       (long long)bytes);
    if (info->initial >= 0) memcpy(state->current, session->weights + info->initial, (size_t)bytes);
    else memset(state->current, 0, (size_t)bytes);
  }
  return SINTER_OK;
}

void states_close(SinterSession *session) {
  for (size_t i = 0; i < session->program->state_count; i++) {
    memory_free(&session->memory, session->states[i].current);
    memory_free(&session->memory, session->states[i].next);
  }
}

/* ---- Runs ---- */

static SinterValue tensor_at(void *data, const SinterPort *port) {
  return (SinterValue){
    .kind = SINTER_TENSOR,
    .tensor = {.data = data, .device = {1, 0}, .ndim = port->ndim, .dtype = port->dtype, .shape = (int64_t *)(uintptr_t)port->shape},
  };
}

const SinterValue *states_inputs(SinterSession *session, const SinterValue *inputs) {
  const SinterProgram *program = session->program;
  size_t callers = program->input_count - program->state_count;
  if (callers > 0 && !inputs) return NULL;
  if (callers > 0) memcpy(session->all_inputs, inputs, callers * sizeof *inputs);
  for (size_t i = 0; i < program->state_count; i++)
    session->all_inputs[program->states[i].input] = tensor_at(session->states[i].current, state_port(program, i));
  return session->all_inputs;
}

SinterValue *states_outputs(SinterSession *session, SinterValue *outputs) {
  const SinterProgram *program = session->program;
  size_t callers = program->output_count - changed_states(program);
  if (callers > 0 && !outputs) return NULL;
  if (callers > 0) memcpy(session->all_outputs, outputs, callers * sizeof *outputs);
  for (size_t i = 0; i < program->state_count; i++) {
    const SinterStateInfo *info = &program->states[i];
    State *state = &session->states[i];
    if (info->output >= 0)
      session->all_outputs[info->output] = tensor_at(has_next(info) ? state->next : state->current, state_port(program, i));
  }
  return session->all_outputs;
}

void states_advance(SinterSession *session) {
  for (size_t i = 0; i < session->program->state_count; i++) {
    State *state = &session->states[i];
    if (!has_next(&session->program->states[i])) continue;
    void *used = state->current;
    state->current = state->next;
    state->next = used;
  }
}

/* ---- Reading and writing by the host ---- */

static int32_t check_state(SinterSession *session, size_t state, const SinterValue *value) {
  if (state >= session->program->state_count)
    return fail(session, SINTER_INVALID_ARGUMENT, "there is no state %zu: this library has %zu", state,
                session->program->state_count);
  if (!value)
    return fail(session, SINTER_INVALID_ARGUMENT, "no value for state '%s': the pointer is null",
                state_port(session->program, state)->name);
  return SINTER_OK;
}

static int32_t check_sizes(SinterSession *session, const SinterPort *port, const SinterTensor *tensor) {
  for (int32_t i = 0; i < port->ndim; i++)
    if (tensor->shape[i] != port->shape[i])
      return fail(session, SINTER_SHAPE_MISMATCH, "state '%s': dimension %d is %lld, expected %lld", port->name, i,
                  (long long)tensor->shape[i], (long long)port->shape[i]);
  return SINTER_OK;
}

static int32_t read_state(SinterSession *session, size_t state, SinterValue *value) {
  int32_t status = check_state(session, state, value);
  if (status) return status;
  const SinterPort *port = state_port(session->program, state);
  if (value->kind == SINTER_NONE) {
    status = allocate_tensor(session, "state", port, -1, port->shape, NULL, value);
  } else {
    status = check_tensor(session, "state", port, value);
    if (!status) status = check_sizes(session, port, &value->tensor);
  }
  if (status) return status;
  int64_t bytes = state_bytes(session, state);
  if (bytes > 0) memcpy(tensor_data(&value->tensor), session->states[state].current, (size_t)bytes);
  return SINTER_OK;
}

static int32_t write_state(SinterSession *session, size_t state, const SinterValue *value) {
  int32_t status = check_state(session, state, value);
  if (status) return status;
  const SinterPort *port = state_port(session->program, state);
  if (value->kind != SINTER_TENSOR)
    return fail(session, SINTER_INVALID_ARGUMENT, "state '%s' is given %s, expected a tensor", port->name, kind_name(value->kind));
  int64_t bytes = state_bytes(session, state), width = (int64_t)port->dtype.bits * port->dtype.lanes / 8;
  /* What strides and alignment are does not matter: the elements are copied. */
  SinterValue plain = *value;
  plain.tensor.strides = NULL;
  plain.tensor.byte_offset = 0;
  if (plain.tensor.data) plain.tensor.data = session->states[state].current;
  status = check_tensor(session, "state", port, &plain);
  if (!status) status = check_sizes(session, port, &value->tensor);
  if (status || bytes == 0) return status;
  const char *data = tensor_data(&value->tensor);
  if (is_dense(&value->tensor)) memcpy(session->states[state].current, data, (size_t)bytes);
  else if (width > 0 && port->dtype.bits % 8 == 0) copy_dense(session->states[state].current, &value->tensor, width);
  else
    return fail(session, SINTER_INVALID_ARGUMENT, "state '%s' is given with strides, but %s is packed and must be dense", port->name,
                type_name(port->dtype).text);
  return SINTER_OK;
}

int32_t session_read_state(SinterSession *session, size_t state, SinterValue *value) {
  int32_t status = session_enter(session);
  if (status) return status;
  status = read_state(session, state, value);
  session_leave(session);
  return status;
}

int32_t session_write_state(SinterSession *session, size_t state, const SinterValue *value) {
  int32_t status = session_enter(session);
  if (status) return status;
  status = write_state(session, state, value);
  session_leave(session);
  return status;
}
