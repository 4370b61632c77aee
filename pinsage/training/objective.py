"""From a minibatch to its loss: embed the targets, score the pairs, apply the loss the settings name.

B pairs, S shared negatives, h hard negatives per query, n_0 targets, d embedding size.
"""

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pinsage.batches.minibatch import Minibatch
from pinsage.model.loss import InBatch, Scores, max_margin, sampled_softmax
from pinsage.model.network import PinSageNetwork, SubgraphTensors
from pinsage.settings import TrainSettings


def minibatch_loss(network: PinSageNetwork, batch: Minibatch, settings: TrainSettings) -> Tensor:
    """The loss of a minibatch: a scalar with gradients. Source: PinSage Algorithm 2 and Eq. 1."""
    device = network.mean.device
    features = torch.from_numpy(batch.features).to(device, non_blocking=True)
    embeddings = network(features, SubgraphTensors.of(batch.subgraph, device))  # [n_0, d]
    scores = _scores(embeddings, batch)
    if settings.loss == "max_margin":
        return max_margin(scores, settings.margin)
    return sampled_softmax(scores, _in_batch(embeddings, batch), temperature=settings.temperature)


def _scores(embeddings: Tensor, batch: Minibatch) -> Scores:
    device = embeddings.device
    query, positive = _rows(embeddings, batch.query), _rows(embeddings, batch.positive)  # [B, d]
    hard = _rows(embeddings, batch.hard_negatives)  # [B, h, d]
    return Scores(
        positive=(query * positive).sum(dim=1),
        shared=query @ _rows(embeddings, batch.negatives).T,
        shared_mask=torch.from_numpy(batch.negative_mask).to(device),
        hard=torch.bmm(hard, query[:, :, None])[:, :, 0],
        hard_mask=torch.from_numpy(batch.hard_mask).to(device),
    )


def _in_batch(embeddings: Tensor, batch: Minibatch) -> InBatch:
    device = embeddings.device
    return InBatch(
        scores=_rows(embeddings, batch.query) @ _rows(embeddings, batch.positive).T,
        mask=torch.from_numpy(batch.positive_mask).to(device),
        positive_log_q=torch.from_numpy(batch.positive_log_q).to(device),
        shared_log_q=torch.from_numpy(batch.negative_log_q).to(device),
        hard_log_q=batch.hard_log_q,
    )


def _rows(embeddings: Tensor, positions: NDArray) -> Tensor:  # type: ignore[type-arg]
    # F.embedding and not indexing: its backward pass adds in a fixed order on a GPU too.
    return F.embedding(torch.from_numpy(positions).to(embeddings.device), embeddings)
