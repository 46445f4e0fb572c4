#!/bin/sh
# Runs every example at a reduced size and prints what each of them found, as a table. Fails where a program does, or where numbers that must be
# those expected are not.
#   models/examples.sh BIN      BIN: the folder of the built programs
# MNIST may name a folder of the four IDX files of MNIST; without it Fashion-MNIST is taken where it is installed, or else the demo's digits.
set -eu
cd "$(dirname "$0")/.."
bin=$1
fashion=/usr/share/datasets/fashion-mnist
pictures=${MNIST:-$fashion}
# The demo's digits are a seventh of what is taken of the others, and so is an epoch.
more=1
[ -d "$pictures" ] || { pictures=models/digits/data more=7; }

# Runs a program and prints the rows of the table that it has.
run() {
  if ! found=$("$bin/$@" 2>&1); then
    printf '%s failed:\n%s\n' "$1" "$found" >&2
    exit 1
  fi
  printf '%s\n' "$found" | grep '^|'
}

# The same for a program whose numbers are known: those of the third column must be those of the fourth, to four digits.
exact() {
  rows=$(run "$@") || exit 1
  printf '%s\n' "$rows"
  printf '%s\n' "$rows" | awk -F'|' '
    function numbers(text, into, count) {
      count = 0
      while (match(text, /-?[0-9]+(\.[0-9]+)?/)) {
        into[++count] = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
      }
      return count
    }
    function size(x) { return x < 0 ? -x : x }
    {
      wanted = numbers($5, b)
      if (wanted == 0) next
      same = numbers($4, a) == wanted
      for (i = 1; i <= wanted && same; i++) same = size(a[i] - b[i]) <= 1e-4 * (size(b[i]) > 1 ? size(b[i]) : 1)
      if (!same) { print "not as expected: " $0 > "/dev/stderr"; wrong = 1 }
    }
    END { exit wrong }'
}

printf '| example | run | here | expected |\n|---|---|---|---|\n'
exact descent
run xor
exact regression models/regression/data
demo=$(mktemp -d)
trap 'rm -rf "$demo"' EXIT
"$bin/digits-demo" models/digits/data "$demo" 15 2>/dev/null |
  sed -n 's/.*: \(loss .*right\)$/| `digits` | 15 epochs of 1438 digits | \1 | at least 99 % in 60 epochs |/p'
run mnist "$pictures" mlp $more 10000
run mnist "$pictures" cnn $more 3000
if [ -d $fashion ]; then
  run fashion $fashion 1 3000
else
  printf '| `fashion` | left out: apt-get install dataset-fashion-mnist | | |\n'
fi
run cifar v1,v2,v3,v4,v5 500 1
run autoencoder dense "$pictures" $((2 * more)) 10000
run autoencoder conv "$pictures" $((4 * more)) 10000
run autoencoder denoise "$pictures" $((4 * more)) 10000
run vae "$pictures" $more 10000
run gan dense "$pictures" 6 5000
run gan conv "$pictures" 2 3000
run vit "$pictures" 6 2000
run unet 200 3
run style adam 100
run style lbfgs 5
run transfer "$pictures" 1 200
run characters sentence 300
run characters text 150
run series 300
run gpt 100
