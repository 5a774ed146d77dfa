"""Runs pip for a requirements file and shows its progress in one line; pip's own words only if it fails."""

from __future__ import annotations

import subprocess
import sys
from collections import deque

SHOWN = {"Collecting": "fetching", "Downloading": "fetching", "Building": "building", "Installing": "installing"}


def main(requirements: str) -> int:
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", requirements]
    last: deque[str] = deque(maxlen=40)
    seen = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            last.append(line)
            word, _, rest = line.strip().partition(" ")
            if word in SHOWN:
                seen += word == "Collecting"
                show(f"  {SHOWN[word]} {seen:>3}: {rest.split(' ')[0][:60]}")
    show("")
    if pip.returncode:
        sys.stderr.write("".join(last))
    return pip.returncode


def show(text: str) -> None:
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[K{text}")
    elif text:
        sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
