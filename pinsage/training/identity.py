"""The identity of a training: its settings and data. A checkpoint carries it, and no other training goes on from it."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinsage.settings import ModelSettings, TrainSettings
from pinsage.training.data import TrainingData

Identity = Mapping[str, Any]
_NAMED = 3  # differences that fit a sentence


def identity_of(data: TrainingData, model: ModelSettings, train: TrainSettings) -> Identity:
    """The values that decide the result, by name, as plain JSON values: settings, and an outline of the data."""
    drawn_from = () if data.boards is None else (data.boards.offsets, data.boards.pins)
    degrees = () if data.log_degree is None else (data.log_degree,)
    outline = {
        "pins": data.features.num_pins,
        "feature blocks": data.features.widths,
        "neighbors of a pin": data.tables()[0].shape[1],
        "checksum of the training pairs": _checksum(data.train.query, data.train.positive),
        "checksum of the training boards": _checksum(*drawn_from),
        "checksum of the degrees": _checksum(*degrees),
        "validation pairs": len(data.validation),
    }
    sections = {"model": model.content(), "train": train.content()}
    settings = {f"{section}.{name}": value for section, fields in sections.items() for name, value in fields.items()}
    plain: Identity = json.loads(
        json.dumps({**settings, **{f"data: {name}": value for name, value in outline.items()}})
    )
    return plain


def differences(before: Identity, now: Identity) -> str:
    """The differences of two identities, with both values, in words; empty if there are none."""
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    told = [f"{name} was {_told(before, name)} and is {_told(now, name)}" for name in names[:_NAMED]]
    more = len(names) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _checksum(*arrays: NDArray[Any]) -> int:
    total = 0
    for array in arrays:
        total = zlib.crc32(np.ascontiguousarray(array).data, total)
    return total


def _told(identity: Identity, name: str) -> str:
    return json.dumps(identity[name]) if name in identity else "unknown"
