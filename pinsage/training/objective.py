"""From a minibatch to its loss: embed the targets, score the pairs, apply the loss the settings name.

B pairs and S shared negatives, b and s of them this process's own, h hard negatives per query, n_0 targets, d embedding
size.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pinsage.batches.minibatch import Minibatch
from pinsage.model.loss import InBatch, Scores, cross_entropy, max_margin, sampled_softmax
from pinsage.settings.schema import TrainSettings
from pinsage.training.distributed import ALONE, Ranks
from pinsage.training.loader import Inputs


@dataclass(frozen=True)
class Objective:
    """The loss of minibatches under a network.

    Attributes:
        network: a PinSageNetwork, perhaps wrapped.
        inputs: gives what it reads, on the device where it is.
        precision: of the matrix products. Scores and losses are computed in the network's own type.
        ranks: who trains together.
    """

    network: nn.Module
    settings: TrainSettings
    inputs: Inputs
    precision: torch.dtype = torch.float32
    ranks: Ranks = ALONE

    def loss(self, batch: Minibatch) -> Tensor:
        """The loss of this process's part of a minibatch: a scalar with gradients.

        Source: PinSage Algorithm 2 and Eq. 1.
        """
        embeddings = self._embeddings(batch)  # [n_0, d]
        scores = self._scores(embeddings, batch)
        if self.settings.loss == "max_margin":
            return max_margin(scores, self.settings.margin)
        if self.settings.loss == "cross_entropy":
            return cross_entropy(scores, self.settings.temperature)
        return sampled_softmax(scores, self._in_batch(embeddings, batch), temperature=self.settings.temperature)

    def _embeddings(self, batch: Minibatch) -> Tensor:
        features, subgraph = self.inputs(batch)
        is_mixed = self.precision != torch.float32
        with torch.autocast(features.device.type, self.precision, enabled=is_mixed):
            embeddings: Tensor = self.network(features, subgraph)
        return embeddings.float() if is_mixed else embeddings

    def _scores(self, embeddings: Tensor, batch: Minibatch) -> Scores:
        query, positive = _rows(embeddings, batch.query), _rows(embeddings, batch.positive)  # [b, d]
        shared = self.ranks.gather(_rows(embeddings, batch.negatives))[: batch.negative_mask.shape[1]]  # [S, d]
        hard = _rows(embeddings, batch.hard_negatives)  # [b, h, d]
        return Scores(
            positive=(query * positive).sum(dim=1),
            shared=query @ shared.T,
            shared_mask=_to_device(batch.negative_mask, embeddings),
            hard=torch.bmm(hard, query[:, :, None])[:, :, 0],
            hard_mask=_to_device(batch.hard_mask, embeddings),
        )

    def _in_batch(self, embeddings: Tensor, batch: Minibatch) -> InBatch:
        positives = self.ranks.gather(_rows(embeddings, batch.positive))  # [B, d]
        positive_log_q = _to_device(batch.positive_log_q, embeddings)
        return InBatch(
            scores=_rows(embeddings, batch.query) @ positives.T,
            mask=_to_device(batch.positive_mask, embeddings),
            own_log_q=positive_log_q[batch.own],
            positive_log_q=positive_log_q,
            shared_log_q=_to_device(batch.negative_log_q, embeddings),
            hard_log_q=batch.hard_log_q,
        )


def _rows(embeddings: Tensor, positions: NDArray) -> Tensor:  # type: ignore[type-arg]
    # F.embedding and not indexing: its backward pass adds in a fixed order on a GPU too.
    return F.embedding(_to_device(positions, embeddings), embeddings)


def _to_device(array: NDArray, beside: Tensor) -> Tensor:  # type: ignore[type-arg]
    """The array on the device of `beside`; on a GPU the copy is queued, not waited for."""
    return torch.from_numpy(array).to(beside.device, non_blocking=True)
