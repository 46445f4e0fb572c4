/* weights.c: where constants lie: in the library, or in a file beside it. */
#include "internal.h"

#include "sinter_weight_hash.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* `<name>.weights` in the folder of the library, or of the program that it is linked into. */
static bool default_path(const SinterProgram *program, char *path, size_t bytes) {
  Dl_info info;
  const char *file = dladdr(program, &info) ? info.dli_fname : NULL;
  const char *slash = file ? strrchr(file, '/') : NULL;
  int folder = slash ? (int)(slash - file) + 1 : 0;
  int written = snprintf(path, bytes, "%.*s%s.weights", folder, folder ? file : "", program->name);
  return written > 0 && (size_t)written < bytes;
}

/* The file that was held against its hash last: another session need not read it again. */
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static struct stat known;

static bool is_known(const struct stat *file) {
  pthread_mutex_lock(&known_lock);
  bool same = file->st_dev == known.st_dev && file->st_ino == known.st_ino && file->st_size == known.st_size &&
              file->st_mtim.tv_sec == known.st_mtim.tv_sec && file->st_mtim.tv_nsec == known.st_mtim.tv_nsec &&
              file->st_ctim.tv_sec == known.st_ctim.tv_sec && file->st_ctim.tv_nsec == known.st_ctim.tv_nsec;
  pthread_mutex_unlock(&known_lock);
  return same;
}

static bool is_right(const SinterProgram *program, const void *bytes, const struct stat *file) {
  if (program->weight_hash == 0 || is_known(file)) return true;
  SinterWeightHash hash;
  sinter_weight_hash_begin(&hash);
  sinter_weight_hash_add(&hash, bytes, program->weight_bytes);
  if (sinter_weight_hash_end(&hash) != program->weight_hash) return false;
  pthread_mutex_lock(&known_lock);
  known = *file;
  pthread_mutex_unlock(&known_lock);
  return true;
}

int32_t weights_open(SinterSession *session, const char *path) {
  const SinterProgram *program = session->program;
  session->weights = program->weights;
  if (session->weights || program->weight_bytes == 0) return SINTER_OK;

  char beside[PATH_MAX];
  if (!path) {
    if (!default_path(program, beside, sizeof beside))
      return fail_open(SINTER_INVALID_ARGUMENT, "the path of this library is too long to look for weights beside it");
    path = beside;
  }
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail_open(SINTER_INVALID_ARGUMENT, "the weights file %s cannot be opened: %s", path, strerror(errno));
  struct stat status;
  void *mapped = MAP_FAILED;
  bool fits = fstat(file, &status) == 0 && (uint64_t)status.st_size == program->weight_bytes;
  if (fits) mapped = mmap(NULL, program->weight_bytes, PROT_READ, MAP_PRIVATE, file, 0);
  int error = errno;
  close(file);
  if (!fits)
    return fail_open(SINTER_INVALID_ARGUMENT, "the weights file %s has %lld bytes, expected %llu: it belongs to another model",
                     path, (long long)status.st_size, (unsigned long long)program->weight_bytes);
  if (mapped == MAP_FAILED)
    return fail_open(SINTER_OUT_OF_MEMORY, "the weights file %s cannot be mapped: %s", path, strerror(error));
  if (!is_right(program, mapped, &status)) {
    munmap(mapped, program->weight_bytes);
    return fail_open(SINTER_INVALID_ARGUMENT, "the weights file %s is not what was written with this library: it belongs to another"
                     " compilation, or was damaged", path);
  }
  session->weights = mapped;
  session->mapped_bytes = program->weight_bytes;
  return SINTER_OK;
}

void weights_close(SinterSession *session) {
  if (session->mapped_bytes) munmap((void *)(uintptr_t)session->weights, session->mapped_bytes);
}
