/* sinter_runtime_all.c: the whole runtime as one translation unit, as it is linked into libraries. */
#include "internal.h"

#include "cpu.c"
#include "errors.c"
#include "inputs.c"
#include "library.c"
#include "memory.c"
#include "outputs.c"
#ifdef SINTER_STRUCTURES
#include "pack.c"
#endif
#include "plan.c"
#include "pool.c"
#ifdef SINTER_PROFILE
#include "profile.c"
#endif
#include "spares.c"
#ifdef SINTER_STATE
#include "state.c"
#include "state_file.c"
#endif
#include "tensors.c"
#ifdef SINTER_STRUCTURES
#include "unpack.c"
#endif
#ifdef SINTER_TEXT
#include "text_case.c"
#include "text_match.c"
#include "text_numbers.c"
#include "text_pieces.c"
#include "text_ranks.c"
#include "texts.c"
#endif
#include "weights.c"
