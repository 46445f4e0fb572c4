/* tensors.c: counting elements and bytes of what the host passes. */
#include "internal.h"

bool element_count(const int64_t *shape, int32_t ndim, int64_t *count) {
  *count = 1;
  bool empty = false, overflow = false;
  for (int32_t i = 0; i < ndim; i++) {
    if (shape[i] < 0) return false;
    if (shape[i] == 0) empty = true;
    else overflow |= __builtin_mul_overflow(*count, shape[i], count);
  }
  if (empty) *count = 0;
  return empty || !overflow;
}

/* More than any address space has. */
#define MOST_TENSOR_BYTES ((int64_t)1 << 57)

bool element_bytes(SinterDataType type, int64_t count, int64_t *bytes) {
  int64_t bits = (int64_t)type.bits * type.lanes;
  if (bits % 8 == 0) return !__builtin_mul_overflow(count, bits / 8, bytes) && *bytes < MOST_TENSOR_BYTES;
  if (__builtin_mul_overflow(count, bits, bytes) || __builtin_add_overflow(*bytes, 7, bytes)) return false;
  *bytes /= 8;
  return *bytes < MOST_TENSOR_BYTES;
}

bool is_dense(const SinterTensor *tensor) {
  if (!tensor->strides) return true;
  int64_t dense = 1;
  bool differs = false;
  for (int32_t i = tensor->ndim - 1; i >= 0; i--) {
    if (tensor->shape[i] == 0) return true;
    if (tensor->shape[i] != 1 && tensor->strides[i] != dense) differs = true;
    if (__builtin_mul_overflow(dense, tensor->shape[i], &dense)) return true; /* no elements: as many would not have been taken */
  }
  return !differs;
}

Span tensor_span(const SinterTensor *tensor) {
  uintptr_t data = (uintptr_t)tensor->data + tensor->byte_offset;
  int64_t count, bytes;
  if (!element_count(tensor->shape, tensor->ndim, &count) || count == 0) return (Span){data, data};
  if (!tensor->strides) {
    element_bytes(tensor->dtype, count, &bytes);
    return (Span){data, data + (uintptr_t)bytes};
  }
  int64_t lowest = 0, highest = 0, width = (int64_t)tensor->dtype.bits * tensor->dtype.lanes;
  for (int32_t i = 0; i < tensor->ndim; i++) {
    int64_t reach = tensor->strides[i] * (tensor->shape[i] - 1);
    if (reach < 0) lowest += reach;
    else highest += reach;
  }
  return (Span){data - (uintptr_t)(-lowest * width / 8), data + (uintptr_t)(((highest + 1) * width + 7) / 8)};
}
