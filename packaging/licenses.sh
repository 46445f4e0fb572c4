#!/bin/sh
# Collects the notices of all that the command is linked from, in the folder that is given.
set -eu
cd "$(dirname "$0")/.."
out=$1
mkdir -p "$out"
cp LICENSE "$out/Sinter.txt"
cp NOTICE "$out/Sinter-NOTICE.txt"
cp .build/static/lld/LICENSE.TXT "$out/LLVM.txt"
# The toolchain says where it lies: `swift` may be a program that only runs it, as swiftly's is.
swift_resources=$(swift -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
cp "$swift_resources/../../share/swift/LICENSE.txt" "$out/Swift.txt"
cp .build/static/build/checkouts/swift-argument-parser/LICENSE.txt "$out/swift-argument-parser.txt"
for package in libprotobuf-c-dev:protobuf-c zlib1g-dev:zlib libzstd-dev:zstd "$(dpkg -S "$(readlink -f "$(cc -print-file-name=libstdc++.a)")" | cut -d: -f1)":libstdc++; do
  cp -L "/usr/share/doc/${package%%:*}/copyright" "$out/${package##*:}.txt"
done
cat >"$out/README.txt" <<'END'
The command sinter is linked from Sinter itself (Apache 2.0) and from
  LLVM and lld                 Apache 2.0 with LLVM exceptions     LLVM.txt
  the Swift runtime, Foundation and libdispatch, with ICU inside
                               Apache 2.0 with runtime library exception; ICU under the Unicode license     Swift.txt
  swift-argument-parser        Apache 2.0 with runtime library exception     swift-argument-parser.txt
  the GNU C++ library          GPL 3 with GCC runtime library exception     libstdc++.txt
  protobuf-c                   BSD     protobuf-c.txt
  zlib                         zlib     zlib.txt
  Zstandard                    BSD     zstd.txt
Libraries that it compiles hold Sinter's own runtime and nothing of these.
END
