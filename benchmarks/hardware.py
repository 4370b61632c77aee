"""What a benchmark ran on, and where: the line that goes with every figure."""

import os
import platform
from pathlib import Path

import numba
import numpy as np


def described() -> str:
    """The processor and the versions that matter."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    processor = f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()
    return f"{processor}; Python {platform.python_version()}, numba {numba.__version__}, numpy {np.__version__}"


def pin_to_one_core() -> None:
    """Stay on the last core this process may use, so that figures are of one core and caches stay warm."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
