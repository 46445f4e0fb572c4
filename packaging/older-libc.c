/* What archives of this system ask of a C library that is newer than the oldest one that the command runs on, in terms of what that one has.
 *
 * libstdc++'s random_device calls arc4random, which glibc has since 2.36. Ubuntu 22.04 has 2.35. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

/* A random number of 32 bits from the kernel; ends the process where the kernel gives none, as glibc's does. */
__attribute__((visibility("hidden"))) uint32_t arc4random(void) {
  uint32_t number;
  unsigned char *bytes = (unsigned char *)&number;
  size_t count = 0;
  while (count < sizeof number) {
    ssize_t more = getrandom(bytes + count, sizeof number - count, 0);
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) abort();
    count += (size_t)more;
  }
  return number;
}
