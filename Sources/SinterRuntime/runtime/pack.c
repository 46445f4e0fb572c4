/* pack.c: sequences, optionals and maps that a host passes, as the tensors that the program takes.
 *
 * What is checked here is what makes up a value; each tensor that comes out of it is checked again like any other input.
 */
#include "internal.h"

/* "input 'x'", "input 'x', element 3" */
typedef struct { char text[160]; } Place;

static Place place_of(const SinterPort *port, int64_t element) {
  Place place;
  if (element < 0) snprintf(place.text, sizeof place.text, "input '%.100s'", port->name);
  else snprintf(place.text, sizeof place.text, "input '%.100s', element %lld", port->name, (long long)element);
  return place;
}

static int32_t out_of_memory(SinterSession *session, const SinterPort *port, int64_t bytes) {
  return fail(session, SINTER_OUT_OF_MEMORY, "no memory for the elements of input '%s': %lld bytes", port->name,
              (long long)bytes);
}

/* Memory for one tensor of the program, which it becomes an input in; NULL where there is none. */
static void *give(SinterSession *session, int32_t tensor, int32_t ndim, int64_t rows, int64_t columns, int64_t bytes) {
  Block *block = &session->packed[tensor];
  if (!block_reserve(block, &session->memory, (size_t)bytes, ALIGNMENT)) return NULL;
  int64_t *shape = session->packed_shape[tensor];
  shape[0] = rows;
  shape[1] = columns;
  session->given[tensor] = (SinterValue){
    .kind = SINTER_TENSOR,
    .tensor = {.data = block->data, .device = {1, 0}, .ndim = ndim, .dtype = session->program->inputs[tensor].dtype, .shape = shape},
  };
  return block->data;
}

/* ---- Sequences ---- */

/* Whether a sequence may hold this value; `*count` becomes its number of elements. */
static int32_t check_element(SinterSession *session, const SinterPort *port, const SinterValue *value, size_t index,
                             int64_t *count) {
  Place place = place_of(port, (int64_t)index);
  const SinterTensor *tensor = &value->tensor;
  if (value->kind != SINTER_TENSOR)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s is %s, expected a tensor", place.text, kind_name(value->kind));
  if (memcmp(&tensor->dtype, &port->dtype, sizeof port->dtype))
    return fail(session, SINTER_INVALID_ARGUMENT, "%s holds %s, expected %s", place.text, type_name(tensor->dtype).text,
                type_name(port->dtype).text);
  if (tensor->device.device_type != 1)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s is on device type %d, expected 1, the CPU", place.text,
                tensor->device.device_type);
  int32_t ndim = tensor->ndim;
  if (port->ndim >= 0 && ndim != port->ndim)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s has %d dimensions, expected %d", place.text, ndim, port->ndim);
  if (ndim < 0 || ndim > MAX_NDIM)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s has %d dimensions, expected 0 to %d", place.text, ndim, MAX_NDIM);
  if (ndim > 0 && !tensor->shape)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s has no shape: the pointer is null", place.text);
  for (int32_t i = 0; i < ndim; i++) {
    if (tensor->shape[i] < 0)
      return fail(session, SINTER_INVALID_ARGUMENT, "%s: dimension %d is negative: %lld", place.text, i,
                  (long long)tensor->shape[i]);
    if (port->ndim >= 0 && port->shape[i] >= 0 && tensor->shape[i] != port->shape[i])
      return fail(session, SINTER_SHAPE_MISMATCH, "%s: dimension %d is %lld, expected %lld", place.text, i,
                  (long long)tensor->shape[i], (long long)port->shape[i]);
  }
  int64_t bytes;
  if (!element_count(tensor->shape, ndim, count) || !element_bytes(tensor->dtype, *count, &bytes))
    return fail(session, SINTER_INVALID_ARGUMENT, "%s has more elements than any memory holds", place.text);
  if (*count > 0 && !tensor->data)
    return fail(session, SINTER_INVALID_ARGUMENT, "%s has no data: the pointer is null", place.text);
  return SINTER_OK;
}

static int32_t pack_sequence(SinterSession *session, const SinterPort *port, int32_t first, const SinterValue *elements, size_t count) {
  int32_t ndim = port->ndim >= 0 ? port->ndim : 0; /* the most that an element has */
  int64_t total = 0, bytes = 0, cells = 0, width = (int64_t)port->dtype.bits * port->dtype.lanes / 8;
  for (size_t i = 0; i < count; i++) {
    int64_t own;
    int32_t status = check_element(session, port, &elements[i], i, &own);
    if (status) return status;
    if (elements[i].tensor.ndim > ndim) ndim = elements[i].tensor.ndim;
    if (__builtin_add_overflow(total, own, &total) || __builtin_mul_overflow(total, width, &bytes))
      return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has more elements than any memory holds", port->name);
  }
  if (count > INT64_MAX || __builtin_mul_overflow((int64_t)count, (int64_t)ndim * (int64_t)sizeof(int64_t), &cells))
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has more elements than any memory holds", port->name);
  char *to = give(session, first, 1, total, 1, bytes);
  if (!to) return out_of_memory(session, port, bytes);
  int64_t *row = give(session, first + 1, 2, (int64_t)count, ndim, cells);
  if (!row) return out_of_memory(session, port, cells);
  for (size_t i = 0; i < count; i++) {
    const SinterTensor *tensor = &elements[i].tensor;
    int64_t own;
    element_count(tensor->shape, tensor->ndim, &own);
    for (int32_t axis = 0; axis < ndim; axis++) *row++ = axis < tensor->ndim ? tensor->shape[axis] : -1;
    if (own == 0) continue;
    if (is_dense(tensor)) memcpy(to, tensor_data(tensor), (size_t)(own * width));
    else copy_dense(to, tensor, width);
    to += own * width;
  }
  return SINTER_OK;
}

/* ---- Maps ---- */

static int32_t pack_map(SinterSession *session, const SinterPort *port, int32_t first, const SinterValue *value) {
  static const char *const names[] = {"keys", "values"};
  if (value->count != 2 || !value->elements)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' is a map of %zu elements, expected 2, keys and values", port->name,
                value->elements ? value->count : 0);
  for (int32_t i = 0; i < 2; i++) {
    if (value->elements[i].kind != SINTER_TENSOR)
      return fail(session, SINTER_INVALID_ARGUMENT, "the %s of input '%s' are %s, expected a tensor", names[i], port->name,
                  kind_name(value->elements[i].kind));
    session->given[first + i] = value->elements[i];
  }
  return SINTER_OK;
}

/* ---- All inputs ---- */

/* The tensors of a value that is not there: as small as they may be, and zero. */
static int32_t pack_nothing(SinterSession *session, const SinterPort *port, const SinterParts *parts, int32_t first) {
  const SinterProgram *program = session->program;
  if (parts->kind == SINTER_PARTS_RAGGED) return pack_sequence(session, port, first, NULL, 0);
  if (parts->kind == SINTER_PARTS_MAP)
    return give(session, first, 1, 0, 1, 0) && give(session, first + 1, 1, 0, 1, 0) ? SINTER_OK : out_of_memory(session, port, 0);
  const SinterPort *tensor = &program->inputs[first];
  int64_t bytes = tensor->ndim * (int64_t)sizeof(int64_t), count = 1, data;
  for (int32_t i = 0; i < tensor->ndim; i++)
    if (__builtin_mul_overflow(count, tensor->shape[i] < 0 ? 0 : tensor->shape[i], &count)) return out_of_memory(session, port, 0);
  int64_t header = (int64_t)round_up((size_t)bytes, ALIGNMENT);
  if (!element_bytes(tensor->dtype, count, &data) || __builtin_add_overflow(data, header, &bytes)) return out_of_memory(session, port, 0);
  char *memory = give(session, first, tensor->ndim, 0, 0, bytes);
  if (!memory) return out_of_memory(session, port, bytes);
  int64_t *shape = (int64_t *)memory;
  for (int32_t i = 0; i < tensor->ndim; i++) shape[i] = tensor->shape[i] < 0 ? 0 : tensor->shape[i];
  memset(memory + header, 0, (size_t)data);
  session->given[first].tensor.shape = shape;
  session->given[first].tensor.data = memory + header;
  return SINTER_OK;
}

static int32_t pack_value(SinterSession *session, const SinterPort *port, const SinterParts *parts, const SinterValue *value) {
  int32_t first = parts->first;
  if (parts->optional) {
    bool present = value->kind != SINTER_NONE;
    uint8_t *flag = give(session, first, 0, 1, 1, 1);
    if (!flag) return out_of_memory(session, port, 1);
    *flag = present;
    first++;
    if (!present) return pack_nothing(session, port, parts, first);
  }
  if (value->kind != port->kind)
    return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' is %s, expected %s", port->name, kind_name(value->kind),
                kind_name(port->kind));
  switch ((SinterPartsKind)parts->kind) {
    case SINTER_PARTS_TENSOR: session->given[first] = *value; return SINTER_OK;
    case SINTER_PARTS_MAP: return pack_map(session, port, first, value);
    case SINTER_PARTS_RAGGED:
      if (value->count > 0 && !value->elements)
        return fail(session, SINTER_INVALID_ARGUMENT, "input '%s' has no elements: the pointer is null, expected %zu", port->name,
                    value->count);
      return pack_sequence(session, port, first, value->elements, value->count);
    case SINTER_PARTS_LIST:
    case SINTER_PARTS_MAPS: break;
  }
  return fail(session, SINTER_INVALID_ARGUMENT, "internal error: input '%s' is made of what only outputs are", port->name);
}

int32_t values_pack(SinterSession *session, const SinterValue *inputs) {
  const SinterInterface *interface = session->program->interface;
  if (interface->input_count > 0 && !inputs)
    return fail(session, SINTER_INVALID_ARGUMENT, "no inputs: the pointer is null, expected %zu values", interface->input_count);
  for (size_t i = 0; i < interface->input_count; i++) {
    int32_t status = pack_value(session, &interface->inputs[i], &interface->input_parts[i], &inputs[i]);
    if (status) return status;
  }
  return SINTER_OK;
}
