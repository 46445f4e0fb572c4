#!/bin/sh
# Writes inference.pb.swift again from inference.proto (needs Debian's protobuf-compiler).
set -eu
cd "$(dirname "$0")/../../.."
swift build --scratch-path .build/serve --traits Serve --product protoc-gen-swift
protoc --plugin=.build/serve/debug/protoc-gen-swift --proto_path=Sources/SinterServe/protocol \
  --swift_out=Sources/SinterServe inference.proto
# Without the trait nothing of it is compiled.
file=Sources/SinterServe/inference.pb.swift
{ echo "// swift-format-ignore-file"; echo "#if Serve"; cat "$file"; echo "#endif"; } > "$file.new"
mv "$file.new" "$file"
