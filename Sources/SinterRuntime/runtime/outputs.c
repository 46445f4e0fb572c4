/* outputs.c: checks the outputs that the caller brought, allocates the others, and releases those. */
#include "internal.h"

static void release_output(SinterValue *value) {
  Output *owner = value->owner;
  memset(value, 0, sizeof *value);
  if (!owner) return;
  memory_free(&owner->memory, owner->text);
  owner->text = NULL;
  spares_put(owner);
}

/* ---- Before the run ---- */

int32_t check_tensor(SinterSession *session, const char *role, const SinterPort *port, const SinterValue *value) {
  const SinterTensor *tensor = &value->tensor;
  const char *name = port->name;
  if (value->kind != SINTER_TENSOR)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' is %s, expected a tensor or a zeroed value", role, name,
                kind_name(value->kind));
  if (memcmp(&tensor->dtype, &port->dtype, sizeof port->dtype))
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' holds %s, expected %s", role, name, type_name(tensor->dtype).text,
                type_name(port->dtype).text);
  if (tensor->device.device_type != 1)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' is on device type %d, expected 1, the CPU", role, name,
                tensor->device.device_type);
  if (tensor->ndim != port->ndim)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' has %d dimensions, expected %d", role, name, tensor->ndim,
                port->ndim);
  if (tensor->ndim > 0 && !tensor->shape)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' has no shape: the pointer is null", role, name);
  int64_t count, bytes;
  if (!element_count(tensor->shape, tensor->ndim, &count) || !element_bytes(tensor->dtype, count, &bytes))
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' has a negative or too large dimension", role, name);
  if (count > 0 && !tensor->data)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' has no data: the pointer is null", role, name);
  if (!is_dense(tensor))
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' has strides that are not dense", role, name);
  uintptr_t width = (uintptr_t)tensor->dtype.bits / 8;
  if (width > 1 && ((uintptr_t)tensor->data + tensor->byte_offset) % (width > 8 ? 8 : width))
    return fail(session, SINTER_INVALID_ARGUMENT, "%s '%s' is not aligned for %s", role, name, type_name(tensor->dtype).text);
  return SINTER_OK;
}

static bool overlaps(Span a, Span b) { return a.begin < b.end && b.begin < a.end; }

static int32_t check_overlap(SinterSession *session, const SinterValue *inputs, int32_t index) {
  const SinterProgram *program = session->program;
  Span span = session->output_spans[index];
  for (size_t i = 0; i < program->input_count; i++)
    if (inputs[i].kind == SINTER_TENSOR && overlaps(span, tensor_span(&inputs[i].tensor)))
      return fail(session, SINTER_INVALID_ARGUMENT, "output '%s' overlaps input '%s' in memory",
                  program->outputs[index].name, program->inputs[i].name);
  for (int32_t i = 0; i < index; i++)
    if (session->output_state[i] == OUTPUT_BOUND && overlaps(span, session->output_spans[i]))
      return fail(session, SINTER_INVALID_ARGUMENT, "output '%s' overlaps output '%s' in memory",
                  program->outputs[index].name, program->outputs[i].name);
  return SINTER_OK;
}

int32_t outputs_bind(SinterSession *session, const SinterValue *inputs, SinterValue *outputs) {
  const SinterProgram *program = session->program;
  int32_t count = (int32_t)program->output_count, callers = count - (int32_t)changed_states(program);
  session->outputs = outputs;
  memset(session->output_state, OUTPUT_PENDING, (size_t)count);
  if (count > 0 && !outputs)
    return fail(session, SINTER_INVALID_ARGUMENT, "no outputs: the pointer is null, expected %d values", callers);
  for (int32_t i = 0; i < count; i++) {
    const SinterPort *port = &program->outputs[i];
    if (port->kind != SINTER_TENSOR || port->ndim < 0)
      return fail(session, SINTER_INVALID_ARGUMENT, "output '%s' is %s, which this library cannot make; only tensors are supported",
                  port->name, port->ndim < 0 ? "of no fixed rank" : kind_name(port->kind));
    if (i >= callers) {
      session->output_state[i] = OUTPUT_BOUND; /* a state's memory, which the runtime knows to be right */
      continue;
    }
    if (outputs[i].kind == SINTER_NONE) continue;
    int32_t status = check_tensor(session, "output", port, &outputs[i]);
    if (status) return status;
    session->output_spans[i] = tensor_span(&outputs[i].tensor);
    status = check_overlap(session, inputs, i);
    if (status) return status;
    session->output_state[i] = OUTPUT_BOUND;
  }
  return SINTER_OK;
}

/* ---- During the run ---- */

/* Owner, shape, strides and elements are one block. */
int32_t allocate_tensor(SinterSession *session, const char *role, const SinterPort *port, int32_t index, const int64_t *sizes,
                        const int32_t *slots, SinterValue *value) {
  size_t header = round_up(sizeof(Output) + 2 * (size_t)port->ndim * sizeof(int64_t), ALIGNMENT);
  int64_t count = 1, bytes = 0;
  bool fits = true, empty = false;
  for (int32_t i = 0; i < port->ndim; i++) {
    int64_t size = sizes[slots ? slots[i] : i];
    empty |= size == 0;
    fits &= !__builtin_mul_overflow(count, size, &count);
  }
  if (empty) fits = true, count = 0;
  fits = fits && element_bytes(port->dtype, count, &bytes);
  Spares *spares = index >= 0 ? session->spares : NULL;
  Output *owner = fits && bytes >= 0 ? spares_take(spares, &session->memory, index, header + (size_t)bytes) : NULL;
  if (!owner)
    return fail(session, SINTER_OUT_OF_MEMORY, "no memory for %s '%s': %lld elements of %s", role, port->name,
                (long long)count, type_name(port->dtype).text);
  int64_t *shape = (int64_t *)(owner + 1), *strides = shape + port->ndim, stride = 1;
  for (int32_t i = port->ndim - 1; i >= 0; i--) {
    shape[i] = sizes[slots ? slots[i] : i];
    strides[i] = stride;
    /* Only of a tensor without elements may it be beyond all numbers, and there nobody asks for it. */
    if (shape[i] > 0 && __builtin_mul_overflow(stride, shape[i], &stride)) stride = 1;
  }
  value->kind = SINTER_TENSOR;
  value->tensor = (SinterTensor){
    .data = (char *)owner + header, .device = {1, 0}, .ndim = port->ndim, .dtype = port->dtype, .shape = shape,
    .strides = strides,
  };
  value->release = release_output;
  value->owner = owner;
  if (port->dtype.code == SINTER_STRING) memset(value->tensor.data, 0, (size_t)bytes);
  return SINTER_OK;
}

static int32_t allocate_output(SinterSession *session, int32_t index, const int32_t *slots) {
  const SinterPort *port = &session->program->outputs[index];
  int32_t status = allocate_tensor(session, "output", port, index, session->frame.sizes, slots, &session->outputs[index]);
  if (!status) session->output_state[index] = OUTPUT_ALLOCATED;
  return status;
}

static int32_t check_shape(SinterSession *session, int32_t index, const int32_t *slots) {
  const SinterPort *port = &session->program->outputs[index];
  const SinterTensor *tensor = &session->outputs[index].tensor;
  for (int32_t i = 0; i < port->ndim; i++) {
    int64_t expected = session->frame.sizes[slots[i]];
    if (tensor->shape[i] == expected) continue;
    const char *symbol = port->dimension ? port->dimension[i] : NULL;
    return fail(session, SINTER_SHAPE_MISMATCH, "output '%s': dimension %d%s%s%s is %lld, expected %lld", port->name, i,
                symbol ? " ('" : "", symbol ? symbol : "", symbol ? "')" : "", (long long)tensor->shape[i],
                (long long)expected);
  }
  return SINTER_OK;
}

int32_t sinter_output(SinterFrame *frame, int32_t port) {
  SinterSession *session = frame->session;
  const int32_t *slots = session->program->output_dims[port];
  SinterValue *value = &session->outputs[port];
  int32_t status = value->kind == SINTER_TENSOR ? check_shape(session, port, slots) : allocate_output(session, port, slots);
  if (status) return status;
  if (session->output_state[port] == OUTPUT_BOUND) session->output_state[port] = OUTPUT_READY;
  void *data = tensor_data(&value->tensor);
  for (int32_t i = session->output_head[port]; i >= 0; i = session->next[i]) frame->buffers[i] = data;
  return SINTER_OK;
}

int32_t sinter_reserve(SinterFrame *frame, int32_t buffer, int64_t bytes) {
  SinterSession *session = frame->session;
  Block *block = &session->dynamic[buffer];
  if (bytes < 0 || !block_reserve(block, &session->memory, (size_t)bytes, ALIGNMENT)) {
    frame->buffers[buffer] = NULL;
    return fail(session, SINTER_OUT_OF_MEMORY, "no memory for an intermediate value: %lld bytes", (long long)bytes);
  }
  frame->buffers[buffer] = block->data;
  return SINTER_OK;
}

int32_t sinter_grow(SinterFrame *frame, int32_t buffer, int64_t bytes) {
  SinterSession *session = frame->session;
  Block *block = &session->dynamic[buffer];
  if (bytes < 0 || !block_grow(block, &session->memory, (size_t)bytes, ALIGNMENT))
    return fail(session, SINTER_OUT_OF_MEMORY, "no memory for an intermediate value: %lld bytes", (long long)bytes);
  frame->buffers[buffer] = block->data;
  return SINTER_OK;
}

/* ---- After the run ---- */

#ifdef SINTER_TEXT
/* Makes the numbers that the program left in a text output its texts. Their bytes are the output's own where run() allocated it; where the caller
 * brought its memory, they are the session's, until its next run or its end. */
static int32_t own_text(SinterSession *session, int32_t index) {
  SinterValue *value = &session->outputs[index];
  void *data = tensor_data(&value->tensor);
  int64_t count;
  element_count(value->tensor.shape, value->tensor.ndim, &count);
  size_t bytes;
  char *to = NULL;
  if (texts_bytes(session, data, count, &bytes)) {
    if (session->output_state[index] == OUTPUT_ALLOCATED)
      to = ((Output *)value->owner)->text = memory_allocate(&session->memory, bytes, ALIGNMENT);
    else if (block_reserve(&session->output_text[2 * (size_t)index + session->text_turn], &session->memory, bytes, ALIGNMENT))
      to = session->output_text[2 * (size_t)index + session->text_turn].data;
  }
  if (!to)
    return fail(session, SINTER_OUT_OF_MEMORY, "no memory for the text of output '%s'", session->program->outputs[index].name);
  texts_write(session, data, count, to);
  return SINTER_OK;
}
#endif

int32_t outputs_finish(SinterSession *session) {
  const SinterProgram *program = session->program;
  for (int32_t i = 0; i < (int32_t)program->output_count; i++) {
    const SinterPort *port = &program->outputs[i];
    if (session->output_state[i] == OUTPUT_PENDING && port->optional) continue;
    if (session->output_state[i] < OUTPUT_READY)
      return fail(session, SINTER_RUNTIME_ERROR, "internal error: the program did not make output '%s'", port->name);
#ifdef SINTER_TEXT
    if (port->dtype.code != SINTER_STRING) continue;
    int32_t status = own_text(session, i);
    if (status) return status;
#endif
  }
  return SINTER_OK;
}

void outputs_undo(SinterSession *session) {
  if (!session->outputs) return;
  for (size_t i = 0; i < session->program->output_count; i++)
    if (session->output_state[i] == OUTPUT_ALLOCATED) release_output(&session->outputs[i]);
}
