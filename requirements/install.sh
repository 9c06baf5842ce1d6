#!/bin/sh
# Create the environment of the CPU path: a pinned list, installed without dependency resolution.
# vLLM's CPU build asks for torchvision, torchaudio and torchcodec, whose usual builds break beside a CPU torch; text
# models need none of the three, so the list leaves them out and pip must not put them back.
# Usage: install.sh PYTHON VENV
set -eu
python=$1
venv=$2

fail() {
    echo "install: $1" >&2
    exit 2
}

command -v "$python" >/dev/null 2>&1 || fail "$python is not there, expected Python 3.11 or newer; set PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is $("$python" --version 2>&1), expected Python 3.11 or newer; set PYTHON=..."
command -v "${CXX:-c++}" >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 || command -v clang++ >/dev/null 2>&1 ||
    fail "no C++ compiler is there (looked for ${CXX:-c++}, g++ and clang++), expected one: DeepSpeed is built from source"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || fail "cannot create $venv; is the venv module installed?"
# Compiled once here: a Ray job starts many processes, and where PYTHONDONTWRITEBYTECODE is set each would compile anew.
export UV_COMPILE_BYTECODE=1
pip="$venv/bin/python -m pip --quiet --disable-pip-version-check"
# torch through pip, because pip knows where this machine keeps its CPU build (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL).
torch=$(sed -n 's/^torch==/torch==/p' requirements/cpu.txt)
$pip install --no-deps uv==0.13.8 "$torch" || fail "cannot install $torch"
grep -v -e '^deepspeed==' -e '^torch==' requirements/cpu.txt >"$venv/pins.txt"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps -r "$venv/pins.txt" ||
    fail "cannot install requirements/cpu.txt"
"$venv/bin/python" -c 'import torch' 2>"$venv/torch.log" || fail "torch cannot be imported: $(tail -n 1 "$venv/torch.log")
This is what a CUDA build without its libraries says. Point pip at a CPU build (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS),
remove $venv, and try again; docs/install.md says how."
DS_BUILD_OPS=0 DS_ACCELERATOR=cpu "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps \
    --no-build-isolation "$(grep '^deepspeed==' requirements/cpu.txt)" || fail "cannot build DeepSpeed"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e . ||
    fail "cannot install agentdistill"
