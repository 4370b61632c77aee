"""Checkpoints: a killed training goes on from the last one and ends with the same bytes.

A checkpoint is `step-<n>.safetensors` (tensors) and `step-<n>.json` (numbers, the identity of the training, the
checksum of the other and its own). Each file appears by one rename of a synced file, and the JSON comes last: the sign
that the checkpoint is whole.
"""

import hashlib
import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pinsage.errors import CheckpointMismatchError
from pinsage.settings.schema import ModelSettings, TrainSettings
from pinsage.store.atomic import replace_file
from pinsage.store.disk import full_disk_named
from pinsage.store.machine import is_machine_fault
from pinsage.store.sealed import seal, unseal
from pinsage.training.data import TrainingData
from pinsage.training.state import CurvePoint, TrainingState, ValidationPoint

log = logging.getLogger(__name__)
KEPT = 2
CHECKPOINT_FILES = "step-*"  # as a glob
Identity = Mapping[str, Any]
_NAMED = 3  # differences that fit a sentence
_KEYS = ("step", "best_hit_rate", "num_replaced", "sha256", "training")


def identity_of(data: TrainingData, model: ModelSettings, train: TrainSettings) -> Identity:
    """The values that decide the result of a training, as plain JSON values: settings, and an outline of the data.

    A checkpoint carries it, and no other training goes on from it.
    """
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
    # Through JSON, in which a checkpoint holds it: tuples come back as lists, and must compare as equal.
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


class Checkpoints:
    """The checkpoints of one training in one folder.

    `identity` is everything that decides the result; a checkpoint with another one is of another training.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        self._folder, self._identity = folder, identity
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def last(self) -> Path | None:
        """The newest whole checkpoint's JSON file."""
        found = self._all()
        return found[-1] if found else None

    def save(self, state: TrainingState) -> None:
        """Write the state down, and forget all but the newest KEPT checkpoints.

        Raises:
            DiskFullError: there is no room for it; the checkpoints before it are still there.
        """
        blob, numbers = save(_tensors(state)), _numbers(state)
        name = f"step-{state.step:010d}"
        body = {**numbers, "sha256": hashlib.sha256(blob).hexdigest(), "training": self._identity}
        last = f"; the last checkpoint is {self.last.name if self.last else 'none'}"
        with full_disk_named(self._folder, f" at step {state.step} of training{last}"):
            # The JSON last: it vouches for the tensors, which are on the disk by then.
            replace_file(self._folder / f"{name}.safetensors", blob)
            replace_file(self._folder / f"{name}.json", json.dumps(seal(body), indent=1).encode())
        # Two are kept: where the newest turns out damaged, the one before it is whole.
        for path in self._all()[:-KEPT]:
            self._forget(path)

    def restore(self, state: TrainingState) -> int:
        """Bring `state` to the newest whole checkpoint; the step it stands at, 0 when there is none.

        Raises:
            CheckpointMismatchError: it belongs to a training of other settings or data; it is left where it is.
        """
        # The newest first; a damaged one is no reason to lose the one before it.
        for path in reversed(self._all()):
            body, tensors = _read(path)
            if tensors is not None:
                self._check(path, body["training"])
                _fill(state, body, tensors)
                log.info("train: resumed at step %d from %s", state.step, path.name)
                return state.step
            log.warning("train: checkpoint %s is damaged and is removed", path.name)
            self._forget(path)
        return 0

    def _check(self, path: Path, training: Identity) -> None:
        if differing := differences(training, self._identity):
            raise CheckpointMismatchError(
                f"The checkpoint {path} belongs to another training: {differing}. Go on with what it was, or delete "
                f"{path.parent} to begin anew."
            )

    def _all(self) -> list[Path]:
        return sorted(self._folder.glob("step-*.json"))

    def _forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.with_suffix(".safetensors").unlink(missing_ok=True)


def _tensors(state: TrainingState) -> dict[str, Tensor]:
    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in (state.best or {}).items()}
    for name, parameter in state.network.named_parameters():
        for key, value in state.optimizer.state[parameter].items():
            # By the parameter's name: numbered, as PyTorch saves them, they would follow any change of their order.
            tensors[f"optimizer.{name}.{key}"] = value
    tensors["curve"] = torch.tensor([astuple(point) for point in state.curve], dtype=torch.float64)
    tensors["validation"] = torch.tensor([astuple(point) for point in state.validation], dtype=torch.float64)
    tensors["pending"] = torch.tensor(state.pending, dtype=torch.float64)
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def _numbers(state: TrainingState) -> dict[str, Any]:
    return {
        "step": state.step,
        "best_hit_rate": state.best_hit_rate,
        "num_replaced": state.num_replaced,
    }


def _fill(state: TrainingState, body: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    state.step, state.best_hit_rate = int(body["step"]), float(body["best_hit_rate"])
    state.num_replaced = int(body["num_replaced"])
    state.network.load_state_dict(_below("network", tensors))
    state.best = _below("best", tensors) or None
    for name, parameter in state.network.named_parameters():
        moments = _below(f"optimizer.{name}", tensors)
        state.optimizer.state[parameter] = {key: value.to(parameter.device) for key, value in moments.items()}
    # Losses not yet in the curve go along, or a resumed curve would have another point than an undisturbed one.
    state.pending = tensors["pending"].tolist()
    state.curve = [CurvePoint(int(a), b, c, int(d)) for a, b, c, d in tensors["curve"].tolist()]
    state.validation = [ValidationPoint(int(step), *rest) for step, *rest in tensors["validation"].tolist()]


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor] | None]:
    """The numbers and the tensors of a checkpoint; None for the tensors where it is damaged."""
    try:
        body = unseal(json.loads(path.read_bytes()), _KEYS)
        blob = path.with_suffix(".safetensors").read_bytes()
        return (body, load(blob)) if body["sha256"] == hashlib.sha256(blob).hexdigest() else ({}, None)
    except (OSError, ValueError, SafetensorError) as error:
        if is_machine_fault(error):  # a checkpoint that cannot be opened just now must not be removed
            raise
        return {}, None
