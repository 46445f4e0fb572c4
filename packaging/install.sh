#!/bin/sh
# Installs the command that packaging/command.sh built under a prefix: install.sh /usr/local.
set -eu
cd "$(dirname "$0")/.."
prefix=$1
mkdir -p "$prefix/bin" "$prefix/include" "$prefix/share/doc/sinter"
# Under another name first, so that a command that runs is not written over.
cp .build/static/sinter "$prefix/bin/.sinter.part"
chmod 755 "$prefix/bin/.sinter.part"
mv "$prefix/bin/.sinter.part" "$prefix/bin/sinter"
cp Sources/SinterABI/include/sinter.h Sources/SinterABI/include/sinter_profile.h "$prefix/include/"
cp README.md "$prefix/share/doc/sinter/"
packaging/licenses.sh "$prefix/share/doc/sinter/licenses"
