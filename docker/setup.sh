#!/usr/bin/env bash
# Make the environment in $1 from the lock files: no root, nothing but python3 assumed.
set -euo pipefail
venv=${1:-.venv}
python=${PYTHON:-python3}

"$python" - <<'PY' || { echo "mev_dagster needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 2; }
import sys
sys.exit(sys.version_info < (3, 11))
PY

make_venv() {
  "$python" -m venv "$venv" >/dev/null 2>&1 && return
  rm -rf "$venv"
  # Debian splits ensurepip into python3-venv; its wheels can be fetched and unpacked without root.
  "$python" -m venv --without-pip "$venv"
  "$python" -m pip --version >/dev/null 2>&1 && "$python" -m pip --python "$venv/bin/python" install -q pip && return
  "$python" -m virtualenv -q --clear "$venv" 2>/dev/null && return
  local scratch
  scratch=$(mktemp -d)
  if (cd "$scratch" && apt-get download -qq python3-pip-whl && dpkg -x ./*.deb .) >/dev/null 2>&1; then
    local wheel
    wheel=$(find "$scratch" -name 'pip-*.whl' | head -n 1)
    "$venv/bin/python" "$wheel/pip" install -q --no-index "$wheel"
    rm -rf "$scratch"
    return
  fi
  rm -rf "$scratch" "$venv"
  echo "cannot make a virtual environment: install python3-venv (or pip, or virtualenv) and try again" >&2
  exit 2
}

[ -x "$venv/bin/pip" ] || make_venv
echo "installing the locked Python packages into $venv (a minute or two the first time)"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .

if command -v npm >/dev/null 2>&1; then
  # not `npm ci`: it demands lock entries for every platform of an optional binary
  echo "installing the locked npm peers (anvil, the Uniswap contracts)"
  npm install --ignore-scripts --no-save --loglevel=error || echo "npm peers not installed: tests that need them will skip" >&2
else
  echo "Node.js is absent: tests against anvil will skip (mev doctor says more)"
fi
touch "$venv/.ready"
