/* inputs.c: checks inputs, binds the symbols of their shapes, and makes them dense. */
#include "internal.h"

/* ---- Checking ---- */

static int32_t check_value(SinterSession *session, const SinterPort *port, const SinterValue *value) {
  const SinterTensor *tensor = &value->tensor;
  if (port->kind != SINTER_TENSOR)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' is %s, which this library cannot take; only tensors are supported",
                port->name, kind_name(port->kind));
  if (value->kind != SINTER_TENSOR)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' is %s, expected a tensor", port->name, kind_name(value->kind));
  if (memcmp(&tensor->dtype, &port->dtype, sizeof port->dtype))
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' holds %s, expected %s", port->name,
                type_name(tensor->dtype).text, type_name(port->dtype).text);
  if (tensor->device.device_type != 1)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' is on device type %d, expected 1, the CPU", port->name,
                tensor->device.device_type);
  if (port->ndim < 0)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has no fixed rank, which is not supported", port->name);
  if (tensor->ndim != port->ndim)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has %d dimensions, expected %d", port->name, tensor->ndim,
                port->ndim);
  if (tensor->ndim > 0 && !tensor->shape)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has no shape: the pointer is null", port->name);
  return SINTER_OK;
}

/* "dimension 1 ('batch')" */
typedef struct { char text[128]; } DimensionName;

static DimensionName dimension_name(int32_t index, const char *text) {
  DimensionName name;
  if (text) snprintf(name.text, sizeof name.text, "dimension %d ('%.80s')", index, text);
  else snprintf(name.text, sizeof name.text, "dimension %d", index);
  return name;
}

/* Where a symbol got its value: its first appearance in an input that is there. */
static int32_t fail_symbol(SinterSession *session, int32_t port, int32_t index, int64_t given, const SinterValue *inputs) {
  const SinterProgram *program = session->program;
  const SinterDim *dim = &program->input_dims[port][index];
  for (int32_t i = 0; i <= port; i++) {
    if (inputs[i].kind != SINTER_TENSOR) continue;
    for (int32_t j = 0; j < program->inputs[i].ndim; j++) {
      const SinterDim *other = &program->input_dims[i][j];
      if (other->kind == SINTER_DIM_SYMBOL && other->value == dim->value)
        return fail(session, SINTER_SHAPE_MISMATCH, "input '%s': %s is %lld, expected %lld as in dimension %d of input '%s'",
                    program->inputs[port].name, dimension_name(index, dim->text).text, (long long)given,
                    (long long)session->symbols[dim->value], j, program->inputs[i].name);
    }
  }
  return SINTER_SHAPE_MISMATCH;
}

static int32_t bind_dimension(SinterSession *session, int32_t port, int32_t index, const SinterValue *inputs) {
  const SinterProgram *program = session->program;
  const SinterDim *dim = &program->input_dims[port][index];
  int64_t given = inputs[port].tensor.shape[index];
  const char *name = program->inputs[port].name;
  if (given < 0)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s': %s is negative: %lld", name,
                dimension_name(index, dim->text).text, (long long)given);
  switch (dim->kind) {
    case SINTER_DIM_CONSTANT:
      if (given == dim->value) return SINTER_OK;
      return fail(session, SINTER_SHAPE_MISMATCH, "input '%s': %s is %lld, expected %lld", name,
                  dimension_name(index, dim->text).text, (long long)given, (long long)dim->value);
    case SINTER_DIM_SYMBOL: {
      if (session->symbols[dim->value] == given) return SINTER_OK;
      if (session->symbols[dim->value] >= 0) return fail_symbol(session, port, index, given, inputs);
      const SinterSymbol *symbol = &program->symbols[dim->value];
      if (given < symbol->minimum)
        return fail(session, SINTER_SHAPE_MISMATCH, "input '%s': %s is %lld, expected at least %lld", name,
                    dimension_name(index, dim->text).text, (long long)given, (long long)symbol->minimum);
      if (symbol->maximum >= 0 && given > symbol->maximum)
        return fail(session, SINTER_SHAPE_MISMATCH, "input '%s': %s is %lld, expected at most %lld", name,
                    dimension_name(index, dim->text).text, (long long)given, (long long)symbol->maximum);
      session->symbols[dim->value] = given;
      return SINTER_OK;
    }
  }
  return SINTER_OK; /* derived: inputs_check_derived */
}

/* ---- Dense copies ---- */

/* Dimensions that continue each other are one. */
void copy_dense(char *to, const SinterTensor *tensor, int64_t width) {
  int64_t shape[MAX_NDIM], strides[MAX_NDIM], at[MAX_NDIM];
  int32_t ndim = 0;
  for (int32_t i = 0; i < tensor->ndim; i++) {
    int64_t size = tensor->shape[i];
    if (size == 1) continue; /* whose stride may be anything */
    int64_t stride = (int64_t)((uint64_t)tensor->strides[i] * (uint64_t)width);
    if (ndim > 0 && strides[ndim - 1] == (int64_t)((uint64_t)stride * (uint64_t)size)) {
      shape[ndim - 1] *= size;
      strides[ndim - 1] = stride;
    } else {
      shape[ndim] = size;
      strides[ndim] = stride;
      at[ndim++] = 0;
    }
  }
  const char *from = tensor_data(tensor);
  if (ndim == 0) shape[0] = 1, strides[0] = width, at[0] = 0, ndim = 1;
  int64_t count = shape[ndim - 1], stride = strides[ndim - 1];
  for (;;) {
    const char *row = from;
    if (stride == width) {
      memcpy(to, row, (size_t)(count * width));
    } else {
      char *cell = to;
      switch (width) { /* constant widths make the copies plain moves */
        case 1: for (int64_t i = 0; i < count; i++, row += stride, cell += 1) *cell = *row; break;
        case 2: for (int64_t i = 0; i < count; i++, row += stride, cell += 2) memcpy(cell, row, 2); break;
        case 4: for (int64_t i = 0; i < count; i++, row += stride, cell += 4) memcpy(cell, row, 4); break;
        case 8: for (int64_t i = 0; i < count; i++, row += stride, cell += 8) memcpy(cell, row, 8); break;
        default: for (int64_t i = 0; i < count; i++, row += stride, cell += width) memcpy(cell, row, (size_t)width);
      }
    }
    to += count * width;
    int32_t axis = ndim - 2;
    for (; axis >= 0; axis--) {
      from += strides[axis];
      if (++at[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      at[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/* The largest alignment that an element needs: that of its whole bytes, up to 8. */
static bool is_aligned(const void *data, SinterDataType type) {
  uintptr_t width = (uintptr_t)type.bits * type.lanes / 8;
  uintptr_t alignment = width >= 8 ? 8 : width == 4 ? 4 : width == 2 ? 2 : 1;
  return (uintptr_t)data % alignment == 0;
}

#ifdef SINTER_TEXT
/* Puts the numbers of an input's texts into its staging memory. */
static int32_t bind_texts(SinterSession *session, int32_t port, const SinterTensor *tensor, int64_t count) {
  const char *name = session->program->inputs[port].name;
  Block *staging = &session->staging[port];
  bool copies = count > 0 && !is_dense(tensor);
  int64_t width = copies ? (int64_t)sizeof(SinterString) : (int64_t)sizeof(int64_t), bytes;
  if (__builtin_mul_overflow(count, width, &bytes) ||
      !block_reserve(staging, &session->memory, (size_t)bytes, ALIGNMENT))
    return fail(session, SINTER_OUT_OF_MEMORY, "no memory for the %lld texts of input '%s'", (long long)count, name);
  if (copies) copy_dense(staging->data, tensor, (int64_t)sizeof(SinterString));
  const void *from = copies ? staging->data : tensor_data(tensor);
  for (int32_t i = session->input_head[port]; i >= 0; i = session->next[i]) session->frame.buffers[i] = staging->data;
  return texts_read(session, port, from, staging->data, count);
}
#endif

static int32_t bind_data(SinterSession *session, int32_t port, const SinterTensor *tensor) {
  const char *name = session->program->inputs[port].name;
  int64_t count, bytes;
  if (!element_count(tensor->shape, tensor->ndim, &count) || !element_bytes(tensor->dtype, count, &bytes))
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has more elements than any memory holds", name);
  if (count > 0 && !tensor->data)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has no data: the pointer is null", name);
#ifdef SINTER_TEXT
  if (tensor->dtype.code == SINTER_STRING) return bind_texts(session, port, tensor, count);
#endif
  void *data = tensor_data(tensor);
  bool dense = is_dense(tensor);
  if (count > 0 && !(dense && is_aligned(data, tensor->dtype))) {
    Block *staging = &session->staging[port];
    if (!dense && tensor->dtype.bits % 8)
      return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has strides, but %s is packed and must be dense", name,
                  type_name(tensor->dtype).text);
    if (!block_reserve(staging, &session->memory, (size_t)bytes, ALIGNMENT))
      return fail(session, SINTER_OUT_OF_MEMORY, "no memory for a dense copy of input '%s': %lld bytes", name,
                  (long long)bytes);
    if (dense) memcpy(staging->data, data, (size_t)bytes);
    else copy_dense(staging->data, tensor, (int64_t)tensor->dtype.bits * tensor->dtype.lanes / 8);
    data = staging->data;
  }
  for (int32_t i = session->input_head[port]; i >= 0; i = session->next[i]) session->frame.buffers[i] = data;
  return SINTER_OK;
}

/* ---- All inputs ---- */

int32_t inputs_bind(SinterSession *session, const SinterValue *inputs) {
  const SinterProgram *program = session->program;
  if (program->input_count > 0 && !inputs)
    return fail(session, SINTER_INVALID_ARGUMENT, "no inputs: the pointer is null, expected %zu values",
                program->input_count - program->state_count);
  for (size_t i = 0; i < program->symbol_count; i++) session->symbols[i] = -1;
  for (int32_t port = 0; port < (int32_t)program->input_count; port++) {
    const SinterValue *value = &inputs[port];
    if (value->kind == SINTER_NONE && program->inputs[port].optional) {
      for (int32_t i = session->input_head[port]; i >= 0; i = session->next[i]) session->frame.buffers[i] = NULL;
      continue;
    }
    int32_t status = check_value(session, &program->inputs[port], value);
    for (int32_t i = 0; i < value->tensor.ndim && !status; i++) status = bind_dimension(session, port, i, inputs);
    if (status) return status;
  }
  for (size_t i = 0; i < program->symbol_count; i++)
    if (session->symbols[i] < 0)
      return fail(session, SINTER_INVALID_ARGUMENT, "no input gives a value to the size '%s'", program->symbols[i].name);
  for (int32_t port = 0; port < (int32_t)program->input_count; port++) {
    if (inputs[port].kind != SINTER_TENSOR) continue;
    int32_t status = bind_data(session, port, &inputs[port].tensor);
    if (status) return status;
  }
  return SINTER_OK;
}

int32_t inputs_check_derived(SinterSession *session, const SinterValue *inputs) {
  const SinterProgram *program = session->program;
  for (int32_t port = 0; port < (int32_t)program->input_count; port++) {
    if (inputs[port].kind != SINTER_TENSOR) continue;
    for (int32_t i = 0; i < program->inputs[port].ndim; i++) {
      const SinterDim *dim = &program->input_dims[port][i];
      if (dim->kind != SINTER_DIM_DERIVED) continue;
      int64_t given = inputs[port].tensor.shape[i], expected = session->frame.sizes[dim->value];
      if (given != expected)
        return fail(session, SINTER_SHAPE_MISMATCH, "input '%s': %s is %lld, expected %lld", program->inputs[port].name,
                    dimension_name(i, dim->text).text, (long long)given, (long long)expected);
    }
  }
  return SINTER_OK;
}
