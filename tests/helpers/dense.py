"""The dense twin of the model's attention: slow, plain, over every gene and every peak of one cell."""

import numpy as np


def dense_scores(logits, same_chromosome):
    """(N, M) scores: sigmoid of the logits, which are 0 where gene and peak lie on two chromosomes."""
    return (1 + np.tanh(np.where(same_chromosome, logits, 0.0).astype(np.float64) / 2)) / 2


def dense_weights(logits, same_chromosome, places=10):
    """(N, M) pruned attention: the ten highest scores of each gene over all peaks, softmax, 0 where s <= 0.5."""
    scores = dense_scores(logits, same_chromosome)
    weights = np.zeros_like(scores)
    for row, score in enumerate(scores):
        top = np.argsort(-score, kind="stable")[:places]
        share = np.exp(score[top]) / np.exp(score[top]).sum()
        weights[row, top] = np.where(score[top] > 0.5, share, 0.0)
    return weights


def dense_denominators(logits, same_chromosome, places=10):
    """(N,) denominators of those softmaxes; 1 where the cell has no peak."""
    top = -np.sort(-dense_scores(logits, same_chromosome), axis=1)[:, :places]
    return np.exp(top).sum(axis=1) if top.shape[1] else np.ones(len(top))
