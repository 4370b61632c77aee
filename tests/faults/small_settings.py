"""Settings with which every stage over a few hundred pins takes a second or less."""

SMALL = {
    "text.dim": 8,
    "spectral.dim": 8,
    "walk.num_neighbors": 5,
    "walk.num_walks": 20,
    "walk.num_hard_negatives": 5,
    "walk.hard_negative_walks": 20,
    "model.hidden_dim": 16,
    "model.embedding_dim": 8,
    "train.steps": 20,
    "train.checkpoint_every": 2,
    "train.batch_size": 64,
    "train.num_negatives": 50,
    "train.num_threads": 1,
    "evaluate.combined_steps": 5,
    "evaluate.pixie_walks": 50,
    "index.target_recall": 0.0,
}
