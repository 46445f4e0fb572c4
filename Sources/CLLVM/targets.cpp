extern "C" {
#include "sinter_targets.h"
}

#include "CLLVM.h"

#define INITIALIZE(TARGET)           \
  do {                               \
    LLVMInitialize##TARGET##TargetInfo(); \
    LLVMInitialize##TARGET##Target();     \
    LLVMInitialize##TARGET##TargetMC();   \
    LLVMInitialize##TARGET##AsmPrinter(); \
  } while (0)

extern "C" void sinter_initialize_targets(void) {
  INITIALIZE(X86);
#ifndef SINTER_STATIC
  INITIALIZE(AArch64);
  INITIALIZE(RISCV);
#endif
}

extern "C" int32_t sinter_has_other_targets(void) {
#ifdef SINTER_STATIC
  return 0;
#else
  return 1;
#endif
}
