#!/bin/sh
# The demo: one Swift model is trained and becomes native libraries with headers, ONNX files and drawings.
set -eu
cd "$(dirname "$0")/../.."
here=models/digits
out=.build/demo
mkdir -p "$out"

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n%s\n' "$*"; }

step "1  Building the compiler and the model ($here/DigitNet.swift)"
swift build -c release --product sinter
swift build -c release --product digits-demo

step "2  Training, compiling, exporting, drawing"
.build/release/digits-demo "$here/data" "$out"
for stage in digits digits-optimized digits_step; do
  dot -Tsvg "$out/$stage.dot" -o "$out/$stage.svg"
done

step "3  A C program that needs the library and nothing of Sinter ($here/classify.c)"
cc -std=c11 -O2 -Wall -Wextra -D_POSIX_C_SOURCE=200809L "$here/classify.c" \
  -I "$out" -L "$out" -ldigits -Wl,-rpath,"$PWD/$out" -o "$out/classify"
"$out/classify" "$here/data" "$out/libdigits.so" "$out/digits.safetensors"

step "4  Another C program trains the same network anew, in a library that keeps its parameters ($here/train.c)"
cc -std=c11 -O2 -Wall -Wextra "$here/train.c" -I "$out" -L "$out" -ldigits_step -Wl,-rpath,"$PWD/$out" -o "$out/train"
rm -f "$out/trained-in-c.safetensors"
"$out/train" "$here/data" 15 "$out/trained-in-c.safetensors"

step "Made in $out"
describe() { printf '  %-22s %8s bytes  %s\n' "$1" "$(wc -c <"$out/$1")" "$2"; }
describe libdigits.so "the model as a library that needs only libc, libm and threads"
describe digits.h "its C header; sinter.h beside it is the generic interface"
describe digits.onnx "the same model as standard ONNX"
describe digits.safetensors "its parameters, by PyTorch's names"
describe libdigits_step.so "a step of training as a library that keeps its state"
describe digits_step.onnx "the same step as standard ONNX"
describe digits.svg "the graph as traced"
describe digits-optimized.svg "the graph after the optimization passes"
describe digits_step.svg "the step: forward, loss, backward, optimizer"
describe classify "the C program that classifies"
describe train "the C program that trains"

step "Worth trying next"
cat <<TEXT
  .build/release/sinter inspect $out/digits.onnx
  .build/release/sinter graph $out/digits.onnx --stage fused -o $out/fused.svg
  .build/release/sinter compile $out/digits.onnx -o $out/again.so --report $out/report.json
TEXT
