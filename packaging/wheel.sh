#!/bin/sh
# Makes dist/sinter-VERSION-py3-none-manylinux_X_Y_x86_64.whl of the command that packaging/command.sh built.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/.*current = "\(.*\)"/\1/p' Sources/SinterCore/SinterVersion.swift)
for file in python/pyproject.toml python/src/sinter/__init__.py; do
  grep -qE "^(version|__version__) = \"$version\"" $file || { echo "wheel.sh: $file is not of version $version" >&2; exit 1; }
done
# The oldest C library that has all that the command calls.
glibc=$(objdump -T .build/static/sinter | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -n 1)
SINTER_WHEEL_PLATFORM=manylinux_$(echo "$glibc" | tr . _)_x86_64
export SINTER_WHEEL_PLATFORM

stage=.build/static/wheel
rm -rf $stage
mkdir -p $stage dist
cp -r python/pyproject.toml python/setup.py python/README.md python/src $stage/
find $stage -name __pycache__ -prune -exec rm -r {} +
mkdir -p $stage/src/sinter/bin
cp .build/static/sinter $stage/src/sinter/bin/sinter
packaging/licenses.sh $stage/src/sinter/licenses
if [ ! -x .build/static/venv/bin/pip ]; then
  python3 -m venv .build/static/venv
  .build/static/venv/bin/pip install --quiet --disable-pip-version-check 'setuptools>=70.1' wheel
fi
.build/static/venv/bin/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist $stage
ls -l dist/sinter-"$version"-py3-none-"$SINTER_WHEEL_PLATFORM".whl
