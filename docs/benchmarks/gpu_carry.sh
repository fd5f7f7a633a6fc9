#!/usr/bin/env bash
# Gather what docs/benchmarks/gpu.sh needs on a machine without a network, into the folder .carried (git ignores it).
#
#   docs/benchmarks/gpu_carry.sh [PYTHON_VERSION] [WHEEL OR SOURCE OF PYGENN]
#
# PYTHON_VERSION is that of the other machine (3.12). Its own NumPy, SciPy, pandas, Matplotlib, Numba, xarray, rich and
# threadpoolctl are used, because they would not fit: HAVE names packages that need not be carried. PyGeNN is taken
# as a wheel that was built with CUDA for that Python, or as a folder of its source, which is then built there.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:-3.12}
pygenn=${2:-}
carried=${CARRIED:-.carried}
limit=$((60 * 1024 * 1024))
have=${HAVE:-numpy scipy pandas matplotlib numba llvmlite xarray rich threadpoolctl psutil}
needed="cyclopts gymnasium tomli-w zarr"  # and what these need, as their own versions say
python=${PYTHON:-python3}
mkdir -p "$carried"
rm -f "$carried"/*.whl "$carried"/*.tar.gz
"$python" -m pip wheel -q --no-deps -w "$carried" .
"$python" -m pip download -q --only-binary=:all: --python-version "$version" --implementation cp \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
  -d "$carried" $needed
for name in $have; do
  rm -f "$carried/${name//-/_}"-[0-9]*.whl
done
case $pygenn in
  "") echo "no PyGeNN was given: the other machine needs its own" ;;
  *.whl) cp "$pygenn" "$carried" ;;
  *) tar -czf "$carried/genn.tar.gz" --exclude=.git --exclude=docs --exclude=userproject --exclude=tests \
       --exclude='obj*' --exclude='*.so' --exclude=build --transform 's,^[^/]*,genn,' \
       -C "$(dirname "$pygenn")" "$(basename "$pygenn")" ;;
esac
du -b "$carried"/* | sort -n | awk '{ printf "%8.2f MiB  %s\n", $1 / 1048576, $2; total += $1 }
  END { printf "%8.2f MiB  in all\n", total / 1048576 }'
size=$(du -cb "$carried"/* | awk 'END { print $1 }')
if [ "$size" -gt "$limit" ]; then
  echo "more than 60 MiB; name more packages that the other machine has in HAVE" >&2
  exit 1
fi
