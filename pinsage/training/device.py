"""Where training runs."""

import os

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
    return torch.device("cuda" if has_gpu and settings.device != "cpu" else "cpu")


def use_threads(settings: TrainSettings) -> None:
    """Let PyTorch use as many CPU threads as the settings say, or all cores this process may run on."""
    torch.set_num_threads(settings.num_threads or len(os.sched_getaffinity(0)))
