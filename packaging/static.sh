#!/bin/sh
# Makes the static libraries that a `sinter` without anything around it is linked from, in the folder that is given:
#   lib/libLLVM-19.a        a list of LLVM's own archives, those of x86-64 and of what lld takes
#   lib/liblld.a            LLVM's linker for ELF, built from LLVM's sources, which systems have as shared libraries only
#   lib/libopenblas.a       the two products that Sinter takes from OpenBLAS, in 4 kB
#   lib/libsinter-prebuilt.a  the runtime of compiled libraries as objects, so that no C compiler is needed, and what older C libraries lack
# and links to the system's archives of zlib, zstd, protobuf-c and the C++ library. What is there already is not made again.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/lib"
out=$(cd "$1" && pwd)
jobs=${JOBS:-2}

llvm_config=${LLVM_CONFIG:-/usr/lib/llvm-19/bin/llvm-config}
[ -x "$llvm_config" ] || { echo "static.sh: LLVM 19 is missing: apt-get install llvm-19-dev, or set LLVM_CONFIG" >&2; exit 1; }
tools=$("$llvm_config" --bindir)

# ---- lld

lld_version=19.1.7
lld_source=${LLVM_SOURCE:-http://deb.debian.org/debian/pool/main/l/llvm-toolchain-19/llvm-toolchain-19_$lld_version.orig.tar.xz}
lld_hash=ae498f3bc58ae2d9f64ef5f0c035c4240152bf015a5b7738b15c22e93bdc97ce

fetch() {  # URL or path, file
  case $1 in
    http*) if command -v curl >/dev/null; then curl -sSfL "$1" -o "$2"; else python3 -c 'import sys, urllib.request as u; u.urlretrieve(*sys.argv[1:])' "$1" "$2"; fi ;;
    *) cp "$1" "$2" ;;
  esac
}

if [ ! -f "$out/lib/liblld.a" ]; then
  if [ ! -f "$out/lld/ELF/Driver.cpp" ]; then
    echo "static.sh: LLVM's sources, of which lld is built: $lld_source"
    fetch "$lld_source" "$out/llvm.tar.xz"
    echo "$lld_hash  $out/llvm.tar.xz" | sha256sum --check --quiet
    tar xJf "$out/llvm.tar.xz" -C "$out" --wildcards --strip-components=1 \
      '*/lld/ELF/*' '*/lld/Common/*' '*/lld/include/*' '*/lld/LICENSE.TXT'
    rm "$out/llvm.tar.xz"
  fi
  mkdir -p "$out/objects" "$out/include/lld/Common"
  "$tools/llvm-tblgen" -gen-opt-parser-defs -I "$("$llvm_config" --includedir)" "$out/lld/ELF/Options.td" -o "$out/include/Options.inc"
  : >"$out/include/VCSVersion.inc"
  cat >"$out/include/lld/Common/Version.inc" <<END
#define LLD_VERSION_STRING "$lld_version"
END
  # Models are compiled for x86-64 only (Sources/CLLVM/targets.cpp refuses others by name), and so is what lld knows of LLVM's targets.
  mkdir -p "$out/include/llvm/Config"
  echo 'LLVM_TARGET(X86)' >"$out/include/llvm/Config/Targets.def"
  echo 'LLVM_ASM_PRINTER(X86)' >"$out/include/llvm/Config/AsmPrinters.def"
  echo 'LLVM_ASM_PARSER(X86)' >"$out/include/llvm/Config/AsmParsers.def"
  find "$out/lld/ELF" "$out/lld/Common" -name '*.cpp' | sort | sed "s|.*/lld/\(.*\)\.cpp\$|\1|" |
    xargs -P "$jobs" -I{} sh -c '
      object="$0/objects/$(echo "$1" | tr / -).o"
      [ -f "$object" ] || { clang++ -std=c++17 -O2 -fPIC -fno-rtti -fno-exceptions -ffunction-sections -fdata-sections -w -DNDEBUG \
        -D_GNU_SOURCE -D__STDC_CONSTANT_MACROS -D__STDC_FORMAT_MACROS -D__STDC_LIMIT_MACROS -DLLVM_ENABLE_ZLIB=1 \
        -I "$0/include" -I "$0/lld/include" -I "$0/lld/ELF" -I "$2" -c "$0/lld/$1.cpp" -o "$object.part" && mv "$object.part" "$object"; }' \
      "$out" {} "$("$llvm_config" --includedir)"
  clang++ -std=c++17 -O2 -fPIC -fno-rtti -fno-exceptions -I "$("$llvm_config" --includedir)" -c "$here/extensions.cpp" \
    -o "$out/objects/extensions.o"
  rm -f "$out/lib/liblld.part"
  ar rcsD "$out/lib/liblld.part" "$out"/objects/*.o
  mv "$out/lib/liblld.part" "$out/lib/liblld.a"
fi

# ---- LLVM: its archives under the name that the package asks for

# Polly, which is not used, is listed where it is not installed.
libraries=$("$llvm_config" --link-static --libfiles x86 orcjit passes irreader bitreader bitwriter lto option debuginfodwarf |
  tr ' ' '\n' | grep -v Polly | tr '\n' ' ')
echo "INPUT($libraries)" >"$out/lib/libLLVM-19.a"

# ---- what systems have as archives, where nothing else is found first

for name in libz.a libzstd.a libprotobuf-c.a libstdc++.a; do
  path=$(cc -print-file-name=$name)
  [ "$path" != "$name" ] || { echo "static.sh: $name is missing: apt-get install zlib1g-dev libzstd-dev libprotobuf-c-dev g++" >&2; exit 1; }
  ln -sf "$path" "$out/lib/$name"
done

# ---- products

cc -std=c11 -O3 -fPIC -Wall -Wextra -Werror -c "$here/products.c" -o "$out/products.o"
rm -f "$out/lib/libopenblas.a"
ar rcsD "$out/lib/libopenblas.a" "$out/products.o"

# ---- the runtime, in each of its variants: see RuntimeObject.swift, whose flags these are

flags="-std=c11 -O2 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -w"
root=$(dirname "$here")
runtime=$root/Sources/SinterRuntime
list=$out/prebuilt.c
{
  echo '#include "sinter_runtime_sources.h"'
  echo '#pragma clang diagnostic ignored "-Wc23-extensions"'
} >"$list"
table=""
for variant in $(seq 0 15); do
  defines=""
  [ $((variant & 1)) = 0 ] || defines="$defines -DSINTER_PROFILE"
  [ $((variant & 2)) = 0 ] || defines="$defines -DSINTER_STRUCTURES"
  [ $((variant & 4)) = 0 ] || defines="$defines -DSINTER_TEXT"
  [ $((variant & 8)) = 0 ] || defines="$defines -DSINTER_STATE"
  # shellcheck disable=SC2086
  cc $flags $defines -I "$root/Sources/SinterABI/include" -I "$runtime/include" -I "$runtime/runtime" \
    -c "$runtime/runtime/sinter_runtime_all.c" -o "$out/runtime-$variant.o"
  printf 'static const unsigned char object_%s[] = {\n#embed "%s"\n};\n' "$variant" "$out/runtime-$variant.o" >>"$list"
  table="$table{\"runtime.o\", object_$variant, sizeof object_$variant}, "
done
echo "const SinterRuntimeSource sinter_prebuilt_runtime[16] = {$table};" >>"$list"
clang -std=c11 -O1 -fPIC -I "$runtime/include" -c "$list" -o "$out/prebuilt.o"
cc -std=c11 -O2 -fPIC -Wall -Wextra -Werror -D_GNU_SOURCE -c "$here/older-libc.c" -o "$out/older-libc.o"
rm -f "$out/lib/libsinter-prebuilt.a"
ar rcsD "$out/lib/libsinter-prebuilt.a" "$out/prebuilt.o" "$out/older-libc.o"
