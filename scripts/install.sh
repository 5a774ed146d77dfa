#!/bin/sh
# Makes .venv where it is missing and installs a requirements file into it, saying how far it is.
set -eu
requirements=$1
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Service Flow needs Python 3.11 or newer; $("$python" --version) was found. Name another: make PYTHON=python3.12" >&2
    exit 1
}
if [ ! -x .venv/bin/python ]; then
    echo "· making the environment .venv"
    "$python" -m venv .venv
fi
echo "· installing $requirements (the first time this takes a minute or two)"
exec .venv/bin/python scripts/install.py "$requirements"
