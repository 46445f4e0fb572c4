#!/bin/sh
# Manual pages, one a command, and completion for shells, of the command that packaging/command.sh built: .build/static/man, .build/static/completion.
# The pages are written by the tool behind swift-argument-parser's plugin generate-manual. The plugin itself would build every product of this package anew.
set -eu
cd "$(dirname "$0")/.."
sinter=.build/static/sinter
tool=.build/static/manual-tool/debug/generate-manual
[ -x "$tool" ] || swift build --package-path .build/static/build/checkouts/swift-argument-parser --scratch-path .build/static/manual-tool \
  --disable-sandbox --product generate-manual
rm -rf .build/static/man .build/static/completion
mkdir -p .build/static/man .build/static/completion
# The date of the sources, so that the same sources give the same pages.
"$tool" "$sinter" --multi-page --date "$(git log -1 --format=%cs)" --output-directory .build/static/man
"$sinter" --generate-completion-script bash >.build/static/completion/sinter
"$sinter" --generate-completion-script zsh >.build/static/completion/_sinter
"$sinter" --generate-completion-script fish >.build/static/completion/sinter.fish
