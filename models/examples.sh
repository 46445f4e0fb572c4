#!/bin/sh
# Runs every example at a reduced size and prints what each of them found, as a table.
#   models/examples.sh BIN      BIN: the folder of the built programs
set -eu
cd "$(dirname "$0")/.."
bin=$1
fashion=/usr/share/datasets/fashion-mnist
printf '| example | run | here | expected |\n|---|---|---|---|\n'
{
  "$bin/descent"
  "$bin/regression" models/regression/data
  "$bin/xor"
  if [ -d $fashion ]; then "$bin/fashion" $fashion 1 6000; else printf '| `fashion` | left out: apt-get install dataset-fashion-mnist | | |\n'; fi
  "$bin/cifar" v1,v2,v3,v4,v5 1000 2
} 2>/dev/null | grep '^|'
