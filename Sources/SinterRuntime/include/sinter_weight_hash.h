/* sinter_weight_hash.h: the hash by which a library recognizes its weights file. The compiler and the runtime compute it, in one go or in parts.
 *
 * Four streams take a word of 64 bits each in turn, so that it is as fast as memory is read. It tells a file of another model, an older one, or
 * one that was damaged on its way; it does not keep out who wants to deceive. */
#ifndef SINTER_WEIGHT_HASH_H
#define SINTER_WEIGHT_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  uint64_t streams[4];
  uint64_t count;           /* of bytes */
  unsigned char pending[32]; /* the last count % 32 of them */
} SinterWeightHash;

static inline uint64_t sinter_weight_hash_mix(uint64_t stream, uint64_t word) {
  uint64_t product = (stream ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  return product << 29 | product >> 35;
}

static inline void sinter_weight_hash_block(SinterWeightHash *hash, const unsigned char *bytes) {
  uint64_t words[4];
  memcpy(words, bytes, sizeof words);
  for (int i = 0; i < 4; i++) hash->streams[i] = sinter_weight_hash_mix(hash->streams[i], words[i]);
}

static inline void sinter_weight_hash_begin(SinterWeightHash *hash) {
  memset(hash, 0, sizeof *hash);
  for (int i = 0; i < 4; i++) hash->streams[i] = UINT64_C(0xD1B54A32D192ED03) * (uint64_t)(i + 1);
}

static inline void sinter_weight_hash_add(SinterWeightHash *hash, const void *data, size_t count) {
  const unsigned char *bytes = (const unsigned char *)data;
  size_t held = (size_t)(hash->count % 32);
  hash->count += count;
  if (held) {
    size_t taken = count < 32 - held ? count : 32 - held;
    memcpy(hash->pending + held, bytes, taken);
    bytes += taken, count -= taken;
    if (held + taken < 32) return;
    sinter_weight_hash_block(hash, hash->pending);
  }
  for (; count >= 32; bytes += 32, count -= 32) sinter_weight_hash_block(hash, bytes);
  if (count) memcpy(hash->pending, bytes, count);
}

/* Never 0. */
static inline uint64_t sinter_weight_hash_end(SinterWeightHash *hash) {
  size_t held = (size_t)(hash->count % 32);
  if (held) {
    memset(hash->pending + held, 0, 32 - held);
    sinter_weight_hash_block(hash, hash->pending);
  }
  uint64_t all = hash->count;
  for (int i = 0; i < 4; i++) all = sinter_weight_hash_mix(all, hash->streams[i]);
  for (int i = 0; i < 2; i++) all = sinter_weight_hash_mix(all, all >> 32);
  return all ? all : 1;
}

#endif
