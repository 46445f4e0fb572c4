#!/bin/sh
# Installs the newest wheel of dist/ in a fresh virtual environment of a system that has Python and a C library, but no compiler and no
# linker, and runs the package's tests there: wheel-test.sh bookworm. Needs debootstrap and may have to be root.
set -eu
cd "$(dirname "$0")/.."
release=${1:-bookworm}
root=$PWD/.build/static/root-$release
wheel=$(ls -t dist/sinter-*.whl | head -n 1)
[ -x "$root/usr/bin/python3" ] || {
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$release" "$root.part" "${MIRROR:-http://deb.debian.org/debian}"
  mv "$root.part" "$root"
}
for tool in cc gcc clang ld ld.lld as; do
  [ ! -e "$root/usr/bin/$tool" ] || { echo "wheel-test.sh: $root has $tool, so that nothing would be shown" >&2; exit 1; }
done
# Packages are fetched outside: the root has no network of its own set up.
python=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
packages=$root/packages
mkdir -p "$packages"
.build/static/venv/bin/pip download --quiet --disable-pip-version-check --only-binary :all: --python-version "$python" \
  --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 --platform any \
  --dest "$packages" numpy onnx ml_dtypes
cp "$wheel" "$packages/"
rm -rf "$root/tests" "$root/env"
cp -r python/tests "$root/tests"
# Programs there are what this system's kernel runs, and it tells them about themselves in /proc.
inside() {
  unshare --mount sh -c 'root=$0; mount --bind /proc "$root/proc"; mount --bind /dev "$root/dev"; exec chroot "$root" "$@"' "$root" \
    env -i PATH=/usr/bin:/bin HOME=/root "$@"
}
inside python3 -m venv /env
inside env PIP_CONFIG_FILE=/dev/null /env/bin/pip install --quiet --no-index --find-links /packages sinter onnx ml_dtypes
inside /env/bin/sinter --version
inside sh -c 'cd /tests && /env/bin/python -W ignore -m unittest test_model test_tools test_rows'
