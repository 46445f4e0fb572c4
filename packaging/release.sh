#!/bin/sh
# Makes dist/sinter-VERSION-linux-x86_64.tar.gz of the command that packaging/command.sh built, dist/provenance.json, which says what it and the wheel
# were made of, and dist/SHA256SUMS of all that lies in dist.
# The same sources give the same bytes.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/.*current = "\(.*\)"/\1/p' Sources/SinterCore/SinterVersion.swift)
name=sinter-$version-linux-x86_64
stage=.build/static/$name
rm -rf "$stage"
packaging/install.sh "$stage"
mkdir -p dist
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@"$(git log -1 --format=%ct)" -C .build/static -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
python3 packaging/provenance.py dist/sinter-*.whl "dist/$name.tar.gz" >dist/provenance.json
(cd dist && sha256sum sinter-*.whl sinter-*.tar.gz provenance.json >SHA256SUMS)
cat dist/SHA256SUMS
