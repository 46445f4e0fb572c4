#!/bin/sh
# Builds the command that needs nothing around it but a C library, .build/static/sinter.
set -eu
cd "$(dirname "$0")/.."
packaging/static.sh .build/static
SINTER_STATIC=$PWD/.build/static
export SINTER_STATIC
swift build -c release --product sinter --static-swift-stdlib --scratch-path .build/static/build -Xlinker "-L$SINTER_STATIC/lib" \
  -Xlinker --gc-sections -Xlinker -s -Xswiftc -Xclang-linker -Xswiftc -static-libgcc -Xswiftc -use-ld=lld
cp .build/static/build/release/sinter .build/static/sinter.part
mv .build/static/sinter.part .build/static/sinter

needed=$(objdump -p .build/static/sinter | sed -n 's/^ *NEEDED *//p' | sort | tr '\n' ' ')
[ "$needed" = "ld-linux-x86-64.so.2 libc.so.6 libm.so.6 " ] || [ "$needed" = "libc.so.6 libm.so.6 " ] || {
  echo "command.sh: the command needs more than the C library: $needed" >&2
  exit 1
}
# Ubuntu 22.04's C library is the oldest that the command is to run with.
glibc=$(objdump -T .build/static/sinter | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -n 1)
[ "$(printf '%s\n2.35\n' "$glibc" | sort -V | tail -n 1)" = 2.35 ] || {
  echo "command.sh: the command needs glibc $glibc, expected 2.35 at most; packaging/older-libc.c has what archives of this system ask for beyond it" >&2
  exit 1
}
