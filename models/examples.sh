#!/bin/sh
# Runs every example at a reduced size and prints what each of them found, as a table.
#   models/examples.sh BIN      BIN: the folder of the built programs
set -eu
cd "$(dirname "$0")/.."
bin=$1
fashion=/usr/share/datasets/fashion-mnist

# Runs a program and prints the rows of the table that it has.
run() {
  if ! found=$("$bin/$@" 2>&1); then
    printf '%s failed:\n%s\n' "$1" "$found" >&2
    exit 1
  fi
  printf '%s\n' "$found" | grep '^|'
}

printf '| example | run | here | expected |\n|---|---|---|---|\n'
run descent
run xor
run regression models/regression/data
if [ -d $fashion ]; then
  run fashion $fashion 1 3000
else
  printf '| `fashion` | left out: apt-get install dataset-fashion-mnist | | |\n'
fi
run cifar v1,v2,v3,v4,v5 500 1
