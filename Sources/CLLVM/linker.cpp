extern "C" {
#include "sinter_linker.h"
}

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <link.h>

#ifdef SINTER_STATIC
#include <string>
#include <vector>

#include "lld/Common/Driver.h"

LLD_HAS_DRIVER(elf)
#endif

extern "C" int32_t sinter_linker_exists(void) {
#ifdef SINTER_STATIC
  return 1;
#else
  return 0;
#endif
}

extern "C" int32_t sinter_linker_run(const char *const *arguments, size_t count, char **output) {
#ifdef SINTER_STATIC
  std::vector<const char *> line = {"ld.lld"};
  line.insert(line.end(), arguments, arguments + count);
  std::string said;
  llvm::raw_string_ostream stream(said);
  const lld::Result result = lld::lldMain(line, stream, stream, {{lld::Gnu, &lld::elf::link}});
  *output = strdup(stream.str().c_str());
  return result.retCode;
#else
  (void)arguments, (void)count;
  *output = strdup("there is no linker inside");
  return 127;
#endif
}

extern "C" char *sinter_loaded_path(const char *library) {
  void *handle = dlopen(library, RTLD_LAZY);
  if (!handle) return nullptr;
  struct link_map *map = nullptr;
  char *path = dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0] ? realpath(map->l_name, nullptr) : nullptr;
  dlclose(handle);
  return path;
}
