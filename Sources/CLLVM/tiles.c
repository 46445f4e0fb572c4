#define _GNU_SOURCE
#include "sinter_tiles.h"

#if defined __x86_64__ && defined __linux__
#include <sys/syscall.h>
#include <unistd.h>

/* arch_prctl's request, and the number of the state by XSAVE's count. */
enum { REQUEST_STATE = 0x1023, TILE_DATA = 18 };

int sinter_permit_tiles(void) { return syscall(SYS_arch_prctl, REQUEST_STATE, TILE_DATA) == 0 ? 0 : -1; }
#else
int sinter_permit_tiles(void) { return -1; }
#endif
