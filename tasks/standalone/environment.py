"""Set up the virtual environment that `make run` and `make test` use.

The only module that runs before anything is installed: the standard library alone, in words that Python 3.7 can read,
so that a Python that is too old is told so in a sentence.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OLDEST = (3, 11)
DISK_GB = 6
INDEX_OPTIONS = ("find-links", "index-url", "extra-index-url", "no-index", "trusted-host")


def main(arguments: list[str]) -> int:
    """The exit code of setting up the virtual environment in the folder named by the first argument."""
    venv = os.path.abspath(arguments[0])
    obstacle = first_obstacle(sys.version_info[:2], venv)
    if obstacle:
        sys.stderr.write(obstacle + "\n")
        return 2
    started = time.time()
    try:
        install(venv)
    except subprocess.CalledProcessError as error:
        sys.stderr.write("Set-up failed at: " + " ".join(error.cmd[:6]) + " ... Read the lines above.\n")
        return 1
    sys.stdout.write(f"Set up {os.path.relpath(venv, ROOT)} in {time.time() - started:.0f} s.\n")
    return 0


def first_obstacle(version: tuple[int, ...], venv: str) -> str | None:
    """One sentence on what this machine lacks, or None."""
    headers = os.path.join(sysconfig.get_paths()["include"], "Python.h")
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if tuple(version) < OLDEST:
        return (
            f"{sys.executable} is Python {version[0]}.{version[1]}; {OLDEST[0]}.{OLDEST[1]} or newer is needed. "
            "Install one and name it: make run PYTHON=python3.11"
        )
    if not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "c++", "clang++")):
        return "There is no C++ compiler (g++ or clang++), and the index library needs one. Try: apt install g++"
    if not os.path.exists(headers):
        return f"Python's headers are missing ({headers}). Try: apt install python3-dev"
    if free_gb < DISK_GB and not os.path.exists(venv):
        return f"{free_gb:.1f} GB are free in {ROOT}; set-up needs {DISK_GB}. Free some space."
    return None


def install(venv: str) -> None:
    """Create the environment if it is missing, and install exactly what constraints.txt pins into it."""
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(python):
        run([sys.executable, "-m", "venv", venv])
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"])
    uv = [os.path.join(venv, "bin", "uv"), "pip", "install", "--python", python, *index_options(pip_config(python))]
    run([*uv, "-r", "requirements.txt", "-r", "requirements-dev.txt", "-c", "constraints.txt"])
    run([*uv, "--quiet", "--no-deps", "-e", "."])


def pip_config(python: str) -> str:
    """Pip's configuration, from files and the environment, as the text of `pip config list`."""
    return subprocess.check_output([python, "-m", "pip", "config", "list"], universal_newlines=True)


def index_options(config: str) -> list[str]:
    """uv's options that say what pip's configuration says about where packages come from; uv does not read it."""
    options = []
    for name, value in re.findall(r"^[\w:]*\.([\w-]+)='(.*)'$", config.replace("\\n", " "), re.MULTILINE):
        if name == "no-index" and value.lower() in ("1", "true", "yes"):
            options += ["--no-index"]
        elif name in INDEX_OPTIONS and name != "no-index":
            flag = "--allow-insecure-host" if name == "trusted-host" else "--" + name
            options += [part for word in value.split() for part in (flag, word)]
    if "--extra-index-url" in options:
        options += ["--index-strategy", "unsafe-best-match"]  # pip's way with more than one index
    return options


def run(command: list[str]) -> None:
    """Run a command in the repository, its output shown."""
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
