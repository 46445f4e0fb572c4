#!/bin/sh
# The documentation of what users import, as web pages in .build/docs: packaging/docs.sh [MODULE …], after swift build.
# Symbols come from the modules that were built and pages from docc, which Swift's toolchain brings; no package is needed for it.
set -eu
cd "$(dirname "$0")/.."

modules=${*:-Sinter SinterModel}
build=.build/debug
out=.build/docs
[ -d "$build/Modules" ] || {
  echo "docs: $build has no modules; run swift build first" >&2
  exit 1
}
triple=$(swiftc -print-target-info | sed -n 's/^ *"triple": "\(.*\)",/\1/p' | head -n 1)
includes="-I $build/Modules -I Sources/COpenBLAS -I Sources/CZlib -I Sources/CPNG -I Sources/CTurboJPEG -I Sources/CLLVM/include"
for module in SinterABI SinterRuntime; do includes="$includes -Xcc -ISources/$module/include"; done
for map in "$build"/*.build/module.modulemap; do includes="$includes -Xcc -fmodule-map-file=$map"; done

for module in $modules; do
  rm -rf "$out/symbols/$module" "$out/$module"
  mkdir -p "$out/symbols/$module" "$out/$module"
  # What Sinter imports for its users is described with it.
  swift symbolgraph-extract -module-name "$module" -experimental-allowed-reexported-modules=SinterFrontEnd -target "$triple" -minimum-access-level public -skip-synthesized-members \
    -output-dir "$out/symbols/$module" $includes
  catalog=Sources/$module/$module.docc
  [ -d "$catalog" ] || catalog=
  docc convert $catalog --additional-symbol-graph-dir "$out/symbols/$module" --fallback-display-name "$module" \
    --fallback-bundle-identifier "sinter.$module" --transform-for-static-hosting --hosting-base-path "$module" \
    --output-path "$out/$module" >"$out/$module.log" 2>&1 || { cat "$out/$module.log" >&2; exit 1; }
  # A link that leads nowhere is an error; that each parameter has a sentence of its own is not asked for.
  if grep -E '^(warning|error):' "$out/$module.log" | grep -v 'is missing documentation' >&2; then exit 1; fi
  echo "$out/$module/documentation/$(printf %s "$module" | tr A-Z a-z)/index.html"
done
