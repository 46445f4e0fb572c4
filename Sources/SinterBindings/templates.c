/* templates.c: the files of a package, as bytes. */
#include "sinter_bindings.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char cpp[] = {
#embed "templates/model.hpp"
};
static const unsigned char python[] = {
#embed "templates/model.py"
};
static const unsigned char rust[] = {
#embed "templates/model.rs"
};
static const unsigned char go[] = {
#embed "templates/model.go"
};
static const unsigned char pkgconfig[] = {
#embed "templates/model.pc"
};
static const unsigned char cmake[] = {
#embed "templates/model-config.cmake"
};
static const unsigned char license[] = {
#embed "../../LICENSE"
};

static const SinterTemplate templates[] = {
  {"include/@NAME@.hpp", cpp, sizeof cpp},
  {"@NAME@.py", python, sizeof python},
  {"@NAME@.rs", rust, sizeof rust},
  {"model.go", go, sizeof go}, /* by one name, since Go reads a processor or a test from the end of a name */
  {"@NAME@.pc", pkgconfig, sizeof pkgconfig},
  {"cmake/@NAME@-config.cmake", cmake, sizeof cmake},
  {"LICENSE", license, sizeof license},
};

const SinterTemplate *sinter_templates(size_t *count) {
  *count = sizeof templates / sizeof *templates;
  return templates;
}
