#!/usr/bin/env bash
# Measure GeNN on a GPU, in ten minutes, on a Linux machine with CUDA, Python 3.11 or later, and no network.
#
#   docs/benchmarks/gpu_carry.sh             before, where there is a network: fills .carried/
#   docs/benchmarks/gpu.sh OUT [SECONDS [FLAG …]]
#                                            there: OUT.md, OUT.json, OUT.png, OUT.doctor.txt
#
# SECONDS are 600 by default; flags are those of `ethospike bench --gpu`, such as --small for a dry run anywhere.
# Environment: PYTHON (python3), CARRIED (.carried), CUDA_PATH (/usr/local/cuda).
# Everything is installed into a new temporary folder; the machine's own packages are used as they are. Results
# are written after every row, so that a run that is cut off keeps what it has.
set -uo pipefail
begin=$SECONDS
cd "$(dirname "$0")/../.."
out=${1:?expected the path of the results, without suffix}
total=${2:-600}
python=${PYTHON:-python3}
carried=${CARRIED:-.carried}
export CUDA_PATH=${CUDA_PATH:-/usr/local/cuda}

site=$(mktemp -d)/site
install() {
  "$python" -m pip install -q --no-index --no-deps --no-compile --target "$site" --upgrade "$@" 2>/dev/null
}
# All at once; where wheels for another Python version lie there too, one after the other.
install "$carried"/*.whl || for wheel in "$carried"/*.whl; do
  install "$wheel" || echo "not for this Python: $(basename "$wheel")"
done
if [ ! -d "$site/pygenn" ] && [ -e "$carried/genn.tar.gz" ]; then
  echo "building PyGeNN from its source"
  build=$(mktemp -d)
  tar -xzf "$carried/genn.tar.gz" -C "$build"
  PYTHONPATH=$site "$python" -m pip install -q --no-index --no-deps --no-build-isolation --target "$site" --upgrade \
    "$build"/genn || { echo "PyGeNN could not be built"; exit 1; }
fi
export PYTHONPATH=$site
export LD_LIBRARY_PATH=$CUDA_PATH/lib64:${LD_LIBRARY_PATH:-}
# GeNN's code includes cuRAND's header, which some installations keep apart from the compiler.
if [ ! -e "$CUDA_PATH/include/curand_kernel.h" ]; then
  header=$("$python" -c 'import pathlib, sys; print(next((str(f.parent) for p in sys.path if p for f in
    pathlib.Path(p).glob("nvidia/**/curand_kernel.h")), ""))')
  [ -n "$header" ] && export NVCC_APPEND_FLAGS="-I$header"
fi
export ETHOSPIKE_CACHE=${ETHOSPIKE_CACHE:-$(mktemp -d)}
mkdir -p "$(dirname "$out")"
(nvidia-smi || true; timeout 90 "$python" -m ethospike doctor) >"$out.doctor.txt" 2>&1 &
doctor=$!
left=$((total - SECONDS + begin))
echo "installed in $((SECONDS - begin)) s; $left s are left"
"$python" -m ethospike bench --gpu --out "$out" --seconds "$left" "${@:3}"
status=$?
wait "$doctor"
tail -n 12 "$out.doctor.txt"
exit $status
