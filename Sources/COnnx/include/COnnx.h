#ifndef CONNX_H
#define CONNX_H

#if !__has_include(<protobuf-c/protobuf-c.h>)
#error "protobuf-c is missing: install libprotobuf-c-dev (Debian, Ubuntu) or protobuf-c (Homebrew, Fedora: protobuf-c-devel)"
#endif

#include "onnx.pb-c.h"

#endif
