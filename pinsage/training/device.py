"""The device and the precision of training."""

import os
import re
from pathlib import Path

import torch

from pinsage.errors import SettingsError
from pinsage.settings import TrainSettings


def chosen_device(settings: TrainSettings) -> torch.device:
    """The device the settings ask for; `auto` takes a GPU when there is one.

    Raises:
        SettingsError: a GPU is asked for and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if settings.device == "cuda" and not has_gpu:
        raise SettingsError("train.device is 'cuda', but PyTorch sees no GPU here. Use 'auto' or 'cpu', or a GPU node.")
    if has_gpu and settings.device != "cpu":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def chosen_precision(settings: TrainSettings, device: torch.device) -> torch.dtype:
    """The type of the matrix products; `auto` takes bf16 where the hardware multiplies in it, and float32 elsewhere.

    Raises:
        SettingsError: bf16 is asked for and the GPU would emulate it.
    """
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else cpu_has_bf16()
    if settings.precision == "bf16" and device.type == "cuda" and not has_bf16:
        raise SettingsError(
            f"train.precision is 'bf16', which {torch.cuda.get_device_name(device)} does not compute in. Use 'float32'."
        )
    is_mixed = settings.precision == "bf16" or (settings.precision == "auto" and has_bf16)
    return torch.bfloat16 if is_mixed else torch.float32


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether this processor multiplies in bf16 (AVX-512 BF16 or AMX); False if the system does not say."""
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    flags = re.findall(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return bool(flags) and not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags[0].split())


def use_threads(settings: TrainSettings, num_processes: int = 1) -> None:
    """Let PyTorch use as many CPU threads as the settings say, or this process's part of the cores it may run on."""
    torch.set_num_threads(settings.num_threads or max(1, len(os.sched_getaffinity(0)) // num_processes))
