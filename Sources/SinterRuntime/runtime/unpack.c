/* unpack.c: sequences, optionals and maps that a host gets, from the tensors that the program made.
 *
 * Nothing is copied: elements point into the tensors, which live until the value is released.
 */
#include "internal.h"

/* What stands behind such an output: the tensors that it was made from, and in the same block its elements and their shapes. */
typedef struct {
  Memory memory;
  size_t count;
  SinterValue tensors[];
} Assembly;

static void release_assembly(SinterValue *value) {
  Assembly *assembly = value->owner;
  memset(value, 0, sizeof *value);
  if (!assembly) return;
  Memory memory = assembly->memory;
  for (size_t i = 0; i < assembly->count; i++)
    if (assembly->tensors[i].release) assembly->tensors[i].release(&assembly->tensors[i]);
  memory_free(&memory, assembly);
}

/* ---- Before the run ---- */

static bool is_plain(const SinterParts *parts) { return parts->kind == SINTER_PARTS_TENSOR && !parts->optional; }

int32_t values_prepare(SinterSession *session, SinterValue *outputs) {
  const SinterInterface *interface = session->program->interface;
  if (interface->output_count > 0 && !outputs)
    return fail(session, SINTER_INVALID_ARGUMENT, "no outputs: the pointer is null, expected %zu values", interface->output_count);
  memset(session->made, 0, session->program->output_count * sizeof *session->made);
  for (size_t i = 0; i < interface->output_count; i++) {
    const SinterParts *parts = &interface->output_parts[i];
    if (is_plain(parts)) session->made[parts->first] = outputs[i];
    else if (outputs[i].kind != SINTER_NONE)
      return fail(session, SINTER_INVALID_ARGUMENT,
                  "output '%s' is %s, but the library makes it: pass a zeroed value, released where a run made it",
                  interface->outputs[i].name, kind_name(outputs[i].kind));
  }
  return SINTER_OK;
}

/* ---- After it ---- */

static bool is_present(const SinterSession *session, const SinterParts *parts) {
  if (!parts->optional) return true;
  const SinterTensor *flag = &session->made[parts->first].tensor;
  return *(const uint8_t *)tensor_data(flag) != 0;
}

/* How many values an output has inside, and how many numbers their shapes and strides take. */
typedef struct { int64_t values, numbers; } Extent;

static Extent extent(const SinterValue *tensors, const SinterParts *parts, int32_t count) {
  switch ((SinterPartsKind)parts->kind) {
    case SINTER_PARTS_RAGGED: {
      const int64_t *shape = tensors[1].tensor.shape;
      return (Extent){shape[0], 2 * shape[0] * shape[1]};
    }
    case SINTER_PARTS_MAPS: return (Extent){3 * tensors[1].tensor.shape[0], 1};
    case SINTER_PARTS_LIST:
    case SINTER_PARTS_MAP:
    case SINTER_PARTS_TENSOR: break;
  }
  return (Extent){count, 0};
}

static int32_t allocate_assembly(SinterSession *session, size_t index) {
  const SinterParts *parts = &session->program->interface->output_parts[index];
  int32_t first = parts->first + parts->optional, count = parts->count - parts->optional;
  session->assemblies[index] = NULL;
  if (parts->kind == SINTER_PARTS_TENSOR || !is_present(session, parts)) return SINTER_OK;
  Extent inside = extent(&session->made[first], parts, count);
  int64_t bytes = 0, numbers = 0;
  bool fits = !__builtin_mul_overflow(inside.values, (int64_t)sizeof(SinterValue), &bytes)
    && !__builtin_mul_overflow(inside.numbers, (int64_t)sizeof(int64_t), &numbers)
    && !__builtin_add_overflow(bytes, numbers, &bytes)
    && !__builtin_add_overflow(bytes, (int64_t)(sizeof(Assembly) + (size_t)count * sizeof(SinterValue)), &bytes);
  Assembly *assembly = fits ? memory_allocate(&session->memory, (size_t)bytes, ALIGNMENT) : NULL;
  if (!assembly)
    return fail(session, SINTER_OUT_OF_MEMORY, "no memory for the elements of output '%s'",
                session->program->interface->outputs[index].name);
  assembly->memory = session->memory;
  assembly->count = (size_t)count;
  session->assemblies[index] = assembly;
  return SINTER_OK;
}


static void fill_ragged(const SinterValue *tensors, SinterValue *elements, int64_t *numbers) {
  const SinterTensor *all = &tensors[0].tensor, *shapes = &tensors[1].tensor;
  int64_t count = shapes->shape[0], columns = shapes->shape[1], width = (int64_t)all->dtype.bits * all->dtype.lanes / 8;
  const int64_t *row = tensor_data(shapes);
  char *data = tensor_data(all);
  for (int64_t i = 0; i < count; i++, row += columns, numbers += 2 * columns) {
    int64_t size = 1, stride = 1, ndim = columns;
    while (ndim > 0 && row[ndim - 1] < 0) ndim--; /* less than zero: no such axis */
    for (int64_t axis = ndim - 1; axis >= 0; axis--) {
      numbers[axis] = row[axis];
      numbers[ndim + axis] = stride;
      stride *= row[axis] > 0 ? row[axis] : 1;
      size *= row[axis];
    }
    elements[i] = (SinterValue){
      .kind = SINTER_TENSOR,
      .tensor = {.data = data, .device = {1, 0}, .ndim = (int32_t)ndim, .dtype = all->dtype, .shape = numbers, .strides = numbers + ndim},
    };
    data += size * width;
  }
}

static void fill_maps(const SinterValue *tensors, SinterValue *maps, int64_t *stride) {
  const SinterTensor *keys = &tensors[0].tensor, *all = &tensors[1].tensor;
  int64_t count = all->shape[0], width = (int64_t)all->dtype.bits * all->dtype.lanes / 8;
  SinterValue *inside = maps + count;
  char *data = tensor_data(all);
  *stride = 1;
  for (int64_t i = 0; i < count; i++, inside += 2, data += all->shape[1] * width) {
    inside[0] = (SinterValue){.kind = SINTER_TENSOR, .tensor = *keys};
    inside[1] = (SinterValue){
      .kind = SINTER_TENSOR,
      .tensor = {.data = data, .device = {1, 0}, .ndim = 1, .dtype = all->dtype, .shape = all->shape + 1, .strides = stride},
    };
    maps[i] = (SinterValue){.kind = SINTER_MAP, .elements = inside, .count = 2};
  }
}

/* Puts together one output, which cannot fail any more. */
static void assemble(SinterSession *session, size_t index, SinterValue *value) {
  const SinterParts *parts = &session->program->interface->output_parts[index];
  SinterValue *tensors = &session->made[parts->first];
  int32_t count = parts->count;
  bool present = is_present(session, parts);
  if (parts->optional) {
    if (tensors[0].release) tensors[0].release(&tensors[0]);
    tensors++, count--;
  }
  if (!present) {
    for (int32_t i = 0; i < count; i++)
      if (tensors[i].release) tensors[i].release(&tensors[i]);
    memset(value, 0, sizeof *value);
    return;
  }
  if (parts->kind == SINTER_PARTS_TENSOR) {
    *value = tensors[0];
    return;
  }
  Assembly *assembly = session->assemblies[index];
  memcpy(assembly->tensors, tensors, (size_t)count * sizeof *tensors);
  Extent inside = extent(tensors, parts, count);
  SinterValue *elements = assembly->tensors + count;
  int64_t *numbers = (int64_t *)(elements + inside.values);
  *value = (SinterValue){
    .kind = parts->kind == SINTER_PARTS_MAP ? SINTER_MAP : SINTER_SEQUENCE, .elements = elements, .release = release_assembly,
    .owner = assembly,
  };
  switch ((SinterPartsKind)parts->kind) {
    case SINTER_PARTS_RAGGED:
      value->count = (size_t)inside.values;
      fill_ragged(assembly->tensors, elements, numbers);
      break;
    case SINTER_PARTS_MAPS:
      value->count = (size_t)inside.values / 3;
      fill_maps(assembly->tensors, elements, numbers);
      break;
    case SINTER_PARTS_LIST:
    case SINTER_PARTS_MAP:
    case SINTER_PARTS_TENSOR:
      value->count = (size_t)count;
      for (int32_t i = 0; i < count; i++)
        elements[i] = (SinterValue){.kind = SINTER_TENSOR, .tensor = assembly->tensors[i].tensor};
  }
}

int32_t values_unpack(SinterSession *session, SinterValue *outputs) {
  const SinterInterface *interface = session->program->interface;
  for (size_t i = 0; i < interface->output_count; i++) {
    int32_t status = allocate_assembly(session, i);
    if (!status) continue;
    while (i-- > 0) memory_free(&session->memory, session->assemblies[i]);
    return status;
  }
  for (size_t i = 0; i < interface->output_count; i++) assemble(session, i, &outputs[i]);
  return SINTER_OK;
}
