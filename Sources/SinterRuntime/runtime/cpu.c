/* cpu.c: does this processor have what the code was built for; and its floating-point mode. */
#include "internal.h"

#if defined __x86_64__ || defined __i386__ || defined __aarch64__
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
#endif

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xmmintrin.h>

typedef enum { EAX, EBX, ECX, EDX } Register;
typedef enum { LEAF_1, LEAF_7, LEAF_7_1, LEAF_EXTENDED, LEAF_COUNT } Leaf;

/* States that the system must save for a feature to be of use, as XGETBV tells them. */
#define YMM 0x6u
#define ZMM 0xe6u
#define TILE 0x60000u

static const struct { const char *name; uint8_t leaf, place, bit; uint32_t state; } features[] = {
  {"cmov", LEAF_1, EDX, 15, 0}, {"mmx", LEAF_1, EDX, 23, 0}, {"fxsr", LEAF_1, EDX, 24, 0}, {"sse", LEAF_1, EDX, 25, 0},
  {"sse2", LEAF_1, EDX, 26, 0}, {"cx8", LEAF_1, EDX, 8, 0}, {"sse3", LEAF_1, ECX, 0, 0}, {"pni", LEAF_1, ECX, 0, 0},
  {"pclmul", LEAF_1, ECX, 1, 0}, {"pclmulqdq", LEAF_1, ECX, 1, 0}, {"ssse3", LEAF_1, ECX, 9, 0},
  {"fma", LEAF_1, ECX, 12, YMM}, {"cx16", LEAF_1, ECX, 13, 0}, {"sse4_1", LEAF_1, ECX, 19, 0},
  {"sse4_2", LEAF_1, ECX, 20, 0}, {"movbe", LEAF_1, ECX, 22, 0}, {"popcnt", LEAF_1, ECX, 23, 0},
  {"aes", LEAF_1, ECX, 25, 0}, {"xsave", LEAF_1, ECX, 26, 0}, {"avx", LEAF_1, ECX, 28, YMM},
  {"f16c", LEAF_1, ECX, 29, YMM}, {"rdrand", LEAF_1, ECX, 30, 0}, {"fsgsbase", LEAF_7, EBX, 0, 0},
  {"bmi", LEAF_7, EBX, 3, 0}, {"bmi1", LEAF_7, EBX, 3, 0}, {"avx2", LEAF_7, EBX, 5, YMM}, {"bmi2", LEAF_7, EBX, 8, 0},
  {"erms", LEAF_7, EBX, 9, 0}, {"avx512f", LEAF_7, EBX, 16, ZMM}, {"avx512dq", LEAF_7, EBX, 17, ZMM},
  {"rdseed", LEAF_7, EBX, 18, 0}, {"adx", LEAF_7, EBX, 19, 0}, {"avx512ifma", LEAF_7, EBX, 21, ZMM},
  {"clflushopt", LEAF_7, EBX, 23, 0}, {"clwb", LEAF_7, EBX, 24, 0}, {"avx512cd", LEAF_7, EBX, 28, ZMM},
  {"sha", LEAF_7, EBX, 29, 0}, {"sha_ni", LEAF_7, EBX, 29, 0}, {"avx512bw", LEAF_7, EBX, 30, ZMM},
  {"avx512vl", LEAF_7, EBX, 31, ZMM}, {"avx512vbmi", LEAF_7, ECX, 1, ZMM}, {"avx512vbmi2", LEAF_7, ECX, 6, ZMM},
  {"gfni", LEAF_7, ECX, 8, 0}, {"vaes", LEAF_7, ECX, 9, YMM}, {"vpclmulqdq", LEAF_7, ECX, 10, YMM},
  {"avx512vnni", LEAF_7, ECX, 11, ZMM}, {"avx512bitalg", LEAF_7, ECX, 12, ZMM},
  {"avx512vpopcntdq", LEAF_7, ECX, 14, ZMM}, {"movdiri", LEAF_7, ECX, 27, 0}, {"movdir64b", LEAF_7, ECX, 28, 0},
  {"avx512vp2intersect", LEAF_7, EDX, 8, ZMM}, {"amx_bf16", LEAF_7, EDX, 22, TILE},
  {"avx512fp16", LEAF_7, EDX, 23, ZMM}, {"amx_tile", LEAF_7, EDX, 24, TILE}, {"amx_int8", LEAF_7, EDX, 25, TILE},
  {"avxvnni", LEAF_7_1, EAX, 4, YMM}, {"avx512bf16", LEAF_7_1, EAX, 5, ZMM}, {"amx_fp16", LEAF_7_1, EAX, 21, TILE},
  {"avxifma", LEAF_7_1, EAX, 23, YMM}, {"avxvnniint8", LEAF_7_1, EDX, 4, YMM}, {"avxneconvert", LEAF_7_1, EDX, 5, YMM},
  {"avxvnniint16", LEAF_7_1, EDX, 10, YMM}, {"lahf_lm", LEAF_EXTENDED, ECX, 0, 0}, {"sahf", LEAF_EXTENDED, ECX, 0, 0},
  {"abm", LEAF_EXTENDED, ECX, 5, 0}, {"lzcnt", LEAF_EXTENDED, ECX, 5, 0}, {"sse4a", LEAF_EXTENDED, ECX, 6, 0},
  {"prfchw", LEAF_EXTENDED, ECX, 8, 0},
};

/* Its own small function, since <immintrin.h>'s needs a compiler flag. */
static uint32_t saved_states(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* What the processor says of itself. Each question costs microseconds in a virtual machine, so each is asked once. */
typedef struct { uint32_t leaves[LEAF_COUNT][4], states; } Processor;

static void ask(uint32_t leaf, uint32_t subleaf, uint32_t answer[4]) {
  __cpuid_count(leaf, subleaf, answer[EAX], answer[EBX], answer[ECX], answer[EDX]);
}

static Processor ask_processor(void) {
  Processor processor = {0};
  ask(1, 0, processor.leaves[LEAF_1]);
  ask(0x80000001u, 0, processor.leaves[LEAF_EXTENDED]);
  bool saves_states = processor.leaves[LEAF_1][ECX] >> 27 & 1;
  if (!saves_states) return processor; /* then it may be too old to have the other leaves */
  processor.states = saved_states();
  ask(7, 0, processor.leaves[LEAF_7]);
  if (processor.leaves[LEAF_7][EAX] >= 1) ask(7, 1, processor.leaves[LEAF_7_1]);
  return processor;
}

/* Linux lets a process use tiles once it has asked: arch_prctl's request, and the number of the state by XSAVE's count. Its threads may too. */
enum { REQUEST_STATE = 0x1023, TILE_DATA = 18 };

static bool may_use(uint32_t state) {
  return state != TILE || syscall(SYS_arch_prctl, REQUEST_STATE, TILE_DATA) == 0;
}

static bool has(const Processor *processor, const char *name) {
  for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
    if (!same_name(features[i].name, name)) continue;
    return (processor->leaves[features[i].leaf][features[i].place] >> features[i].bit & 1)
      && (processor->states & features[i].state) == features[i].state && may_use(features[i].state);
  }
  return false;
}

#define DEFAULT_MXCSR 0x1f80u
#define FLUSHING 0x8040u /* results to zero, and operands taken for zero */
#define STICKY_FLAGS 0x3fu

static void set_float_mode(uint32_t mode) {
  if ((_mm_getcsr() ^ mode) & ~STICKY_FLAGS) _mm_setcsr(mode);
}

FloatMode float_mode_enter(bool flushes_subnormals) {
  uint32_t mode = _mm_getcsr();
  set_float_mode(DEFAULT_MXCSR | (flushes_subnormals ? FLUSHING : 0));
  return mode;
}

void float_mode_leave(FloatMode mode) { set_float_mode((uint32_t)mode); }

#elif defined __aarch64__
#include <sys/auxv.h>

static const struct { const char *name; uint64_t first, second; } features[] = {
  {"fp", 1u << 0, 0}, {"asimd", 1u << 1, 0}, {"neon", 1u << 1, 0}, {"aes", 1u << 3, 0}, {"sha2", 1u << 6, 0},
  {"crc32", 1u << 7, 0}, {"atomics", 1u << 8, 0}, {"lse", 1u << 8, 0}, {"fphp", 1u << 9, 0}, {"asimdhp", 1u << 10, 0},
  {"fullfp16", 1u << 10, 0}, {"asimddp", 1u << 20, 0}, {"dotprod", 1u << 20, 0}, {"sve", 1u << 22, 0},
  {"sve2", 0, 1u << 1}, {"i8mm", 0, 1u << 13}, {"bf16", 0, 1u << 14},
};

typedef struct { uint64_t first, second; } Processor;

static Processor ask_processor(void) { return (Processor){getauxval(AT_HWCAP), getauxval(AT_HWCAP2)}; }

static bool has(const Processor *processor, const char *name) {
  for (size_t i = 0; i < sizeof features / sizeof *features; i++)
    if (same_name(features[i].name, name))
      return (processor->first & features[i].first) == features[i].first
        && (processor->second & features[i].second) == features[i].second;
  return false;
}

#define FLUSHING ((uint64_t)1 << 24) /* floats of 32 and 64 bits, operands and results */

static uint64_t float_mode(void) {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}

void float_mode_leave(FloatMode mode) {
  if (mode != float_mode()) __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}

FloatMode float_mode_enter(bool flushes_subnormals) {
  uint64_t mode = float_mode();
  float_mode_leave(flushes_subnormals ? FLUSHING : 0);
  return mode;
}

#else
typedef struct { int unused; } Processor;
static Processor ask_processor(void) { return (Processor){0}; }
static bool has(const Processor *processor, const char *name) { return processor->unused && *name; }

#ifdef __riscv
/* How results are rounded; 0, to nearest and ties to even, is what kernels rely on. These processors never flush to zero. */
FloatMode float_mode_enter(bool flushes_subnormals) {
  (void)flushes_subnormals;
  unsigned long mode;
  __asm__ volatile("frrm %0" : "=r"(mode));
  if (mode) __asm__ volatile("fsrmi 0");
  return mode;
}

void float_mode_leave(FloatMode mode) {
  if (mode) __asm__ volatile("fsrm %0" : : "r"((unsigned long)mode));
}
#else
FloatMode float_mode_enter(bool flushes_subnormals) { (void)flushes_subnormals; return 0; }
void float_mode_leave(FloatMode mode) { (void)mode; }
#endif
#endif

bool cpu_has(const char *const *names, char *missing, size_t bytes) {
  size_t used = 0;
  missing[0] = 0;
  if (!names || !*names) return true;
  Processor processor = ask_processor();
  for (; *names; names++) {
    if (has(&processor, *names) || used + strlen(*names) + 3 > bytes) continue;
    used += (size_t)snprintf(missing + used, bytes - used, "%s%s", used ? ", " : "", *names);
  }
  return used == 0;
}
