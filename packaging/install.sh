#!/bin/sh
# Installs the command that packaging/command.sh built under a prefix, its manual pages and its completion for bash, zsh and fish:
# install.sh /usr/local.
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
packaging/manual.sh
shells="$prefix/share/bash-completion/completions $prefix/share/zsh/site-functions $prefix/share/fish/vendor_completions.d"
# shellcheck disable=SC2086
mkdir -p "$prefix/share/man/man1" $shells
cp .build/static/man/*.1 "$prefix/share/man/man1/"
cp .build/static/completion/sinter "$prefix/share/bash-completion/completions/"
cp .build/static/completion/_sinter "$prefix/share/zsh/site-functions/"
cp .build/static/completion/sinter.fish "$prefix/share/fish/vendor_completions.d/"
packaging/licenses.sh "$prefix/share/doc/sinter/licenses"
