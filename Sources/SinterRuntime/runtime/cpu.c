/* cpu.c: does this processor have what the code was built for; and its floating-point mode. */
#include "internal.h"

/* Names are compared without '_', '.' and '-', so that /proc/cpuinfo's spelling and LLVM's are both understood. */
static bool same_name(const char *a, const char *b) {
  for (;;) {
    while (*a == '_' || *a == '.' || *a == '-') a++;
    while (*b == '_' || *b == '.' || *b == '-') b++;
    if (*a != *b) return false;
    if (!*a) return true;
    a++, b++;
  }
}

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#include <xmmintrin.h>

typedef enum { EAX, EBX, ECX, EDX } Register;

/* States that the system must save for a feature to be of use, as XGETBV tells them. */
#define YMM 0x6u
#define ZMM 0xe6u
#define TILE 0x60000u

static const struct { const char *name; uint32_t leaf, subleaf; uint8_t place, bit; uint32_t state; } features[] = {
  {"cmov", 1, 0, EDX, 15, 0}, {"mmx", 1, 0, EDX, 23, 0}, {"fxsr", 1, 0, EDX, 24, 0}, {"sse", 1, 0, EDX, 25, 0},
  {"sse2", 1, 0, EDX, 26, 0}, {"cx8", 1, 0, EDX, 8, 0},
  {"sse3", 1, 0, ECX, 0, 0}, {"pni", 1, 0, ECX, 0, 0}, {"pclmul", 1, 0, ECX, 1, 0}, {"pclmulqdq", 1, 0, ECX, 1, 0},
  {"ssse3", 1, 0, ECX, 9, 0}, {"fma", 1, 0, ECX, 12, YMM}, {"cx16", 1, 0, ECX, 13, 0}, {"sse4_1", 1, 0, ECX, 19, 0},
  {"sse4_2", 1, 0, ECX, 20, 0}, {"movbe", 1, 0, ECX, 22, 0}, {"popcnt", 1, 0, ECX, 23, 0}, {"aes", 1, 0, ECX, 25, 0},
  {"xsave", 1, 0, ECX, 26, 0}, {"avx", 1, 0, ECX, 28, YMM}, {"f16c", 1, 0, ECX, 29, YMM}, {"rdrand", 1, 0, ECX, 30, 0},
  {"fsgsbase", 7, 0, EBX, 0, 0}, {"bmi", 7, 0, EBX, 3, 0}, {"bmi1", 7, 0, EBX, 3, 0}, {"avx2", 7, 0, EBX, 5, YMM},
  {"bmi2", 7, 0, EBX, 8, 0}, {"erms", 7, 0, EBX, 9, 0}, {"avx512f", 7, 0, EBX, 16, ZMM},
  {"avx512dq", 7, 0, EBX, 17, ZMM}, {"rdseed", 7, 0, EBX, 18, 0}, {"adx", 7, 0, EBX, 19, 0},
  {"avx512ifma", 7, 0, EBX, 21, ZMM}, {"clflushopt", 7, 0, EBX, 23, 0}, {"clwb", 7, 0, EBX, 24, 0},
  {"avx512cd", 7, 0, EBX, 28, ZMM}, {"sha", 7, 0, EBX, 29, 0}, {"sha_ni", 7, 0, EBX, 29, 0},
  {"avx512bw", 7, 0, EBX, 30, ZMM}, {"avx512vl", 7, 0, EBX, 31, ZMM}, {"avx512vbmi", 7, 0, ECX, 1, ZMM},
  {"avx512vbmi2", 7, 0, ECX, 6, ZMM}, {"gfni", 7, 0, ECX, 8, 0}, {"vaes", 7, 0, ECX, 9, YMM},
  {"vpclmulqdq", 7, 0, ECX, 10, YMM}, {"avx512vnni", 7, 0, ECX, 11, ZMM}, {"avx512bitalg", 7, 0, ECX, 12, ZMM},
  {"avx512vpopcntdq", 7, 0, ECX, 14, ZMM}, {"movdiri", 7, 0, ECX, 27, 0}, {"movdir64b", 7, 0, ECX, 28, 0},
  {"avx512vp2intersect", 7, 0, EDX, 8, ZMM}, {"amx_bf16", 7, 0, EDX, 22, TILE}, {"avx512fp16", 7, 0, EDX, 23, ZMM},
  {"amx_tile", 7, 0, EDX, 24, TILE}, {"amx_int8", 7, 0, EDX, 25, TILE}, {"avxvnni", 7, 1, EAX, 4, YMM},
  {"avx512bf16", 7, 1, EAX, 5, ZMM}, {"amx_fp16", 7, 1, EAX, 21, TILE}, {"avxifma", 7, 1, EAX, 23, YMM},
  {"avxvnniint8", 7, 1, EDX, 4, YMM}, {"avxneconvert", 7, 1, EDX, 5, YMM}, {"avxvnniint16", 7, 1, EDX, 10, YMM},
  {"lahf_lm", 0x80000001u, 0, ECX, 0, 0}, {"sahf", 0x80000001u, 0, ECX, 0, 0}, {"abm", 0x80000001u, 0, ECX, 5, 0},
  {"lzcnt", 0x80000001u, 0, ECX, 5, 0}, {"sse4a", 0x80000001u, 0, ECX, 6, 0}, {"prfchw", 0x80000001u, 0, ECX, 8, 0},
};

/* Its own small function, since <immintrin.h>'s needs a compiler flag. */
static uint32_t saved_states(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static bool has(const char *name) {
  uint32_t basic[4], leaf[4];
  if (!__get_cpuid(1, &basic[EAX], &basic[EBX], &basic[ECX], &basic[EDX])) return false;
  uint32_t states = basic[ECX] >> 27 & 1 ? saved_states() : 0;
  for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
    if (!same_name(features[i].name, name)) continue;
    if (!__get_cpuid_count(features[i].leaf, features[i].subleaf, &leaf[EAX], &leaf[EBX], &leaf[ECX], &leaf[EDX]))
      return false;
    return (leaf[features[i].place] >> features[i].bit & 1) && (states & features[i].state) == features[i].state;
  }
  return false;
}

#define DEFAULT_MXCSR 0x1f80u
#define STICKY_FLAGS 0x3fu

FloatMode float_mode_enter(void) {
  uint32_t mode = _mm_getcsr();
  if ((mode & ~STICKY_FLAGS) != DEFAULT_MXCSR) _mm_setcsr(DEFAULT_MXCSR);
  return mode;
}

void float_mode_leave(FloatMode mode) {
  if ((mode & ~STICKY_FLAGS) != DEFAULT_MXCSR) _mm_setcsr((uint32_t)mode);
}

#elif defined __aarch64__
#include <sys/auxv.h>

static const struct { const char *name; uint64_t first, second; } features[] = {
  {"fp", 1u << 0, 0}, {"asimd", 1u << 1, 0}, {"neon", 1u << 1, 0}, {"aes", 1u << 3, 0}, {"sha2", 1u << 6, 0},
  {"crc32", 1u << 7, 0}, {"atomics", 1u << 8, 0}, {"lse", 1u << 8, 0}, {"fphp", 1u << 9, 0}, {"asimdhp", 1u << 10, 0},
  {"fullfp16", 1u << 10, 0}, {"asimddp", 1u << 20, 0}, {"dotprod", 1u << 20, 0}, {"sve", 1u << 22, 0},
  {"sve2", 0, 1u << 1}, {"i8mm", 0, 1u << 13}, {"bf16", 0, 1u << 14},
};

static bool has(const char *name) {
  for (size_t i = 0; i < sizeof features / sizeof *features; i++)
    if (same_name(features[i].name, name))
      return (getauxval(AT_HWCAP) & features[i].first) == features[i].first
        && (getauxval(AT_HWCAP2) & features[i].second) == features[i].second;
  return false;
}

FloatMode float_mode_enter(void) {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  if (mode) __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  return mode;
}

void float_mode_leave(FloatMode mode) {
  if (mode) __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}

#else
static bool has(const char *name) { return !*name; }
FloatMode float_mode_enter(void) { return 0; }
void float_mode_leave(FloatMode mode) { (void)mode; }
#endif

bool cpu_has(const char *const *names, char *missing, size_t bytes) {
  size_t used = 0;
  missing[0] = 0;
  for (; names && *names; names++) {
    if (has(*names) || used + strlen(*names) + 3 > bytes) continue;
    used += (size_t)snprintf(missing + used, bytes - used, "%s%s", used ? ", " : "", *names);
  }
  return used == 0;
}
