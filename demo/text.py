"""The text, and how well a model predicts its next character.

The recurrent weights are random and stay so (an echo state network); only a softmax read-out from
the hidden states is fitted, on the first part of the text. Scores are bits per character on the
rest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

TRAINED_SHARE = 0.8
RIDGE = 1e-4
NEWTON_STEPS = 100


class Text:
    """The shipped text as character numbers."""

    def __init__(self) -> None:
        file = Path(__file__).with_name("text.txt").read_text(encoding="utf-8")
        self.attribution, _, self.characters = file.partition("---\n")
        self.alphabet = sorted(set(self.characters))
        numbers = {character: number for number, character in enumerate(self.alphabet)}
        self.indices = np.array([numbers[character] for character in self.characters])
        self.split = int(TRAINED_SHARE * len(self.indices))

    def one_hot(self) -> np.ndarray:
        """Every character but the last, as float32 (T, 1, V)."""
        return np.eye(len(self.alphabet), dtype=np.float32)[self.indices[:-1], None]

    def unigram_bits(self) -> float:
        """The score of a model that knows only how frequent each character is."""
        counts = 1 + np.bincount(self.indices[: self.split], minlength=len(self.alphabet))
        return float(-np.log2(counts / counts.sum())[self.indices[self.split + 1 :]].mean())

    def bigram_bits(self) -> float:
        """The score of a model that knows how often one character follows another."""
        counts = np.full((len(self.alphabet),) * 2, 0.1)
        seen = self.indices[: self.split + 1]
        np.add.at(counts, (seen[:-1], seen[1:]), 1)
        log_odds = np.log2(counts / counts.sum(1, keepdims=True))
        held_out = self.indices[self.split :]
        return float(-log_odds[held_out[:-1], held_out[1:]].mean())

    def read_out_bits(self, states: np.ndarray) -> float:
        """The score of a softmax read-out from hidden states (T, H)."""
        features = np.concatenate([states, np.ones_like(states[:, :1])], axis=1)
        targets = np.eye(len(self.alphabet), dtype=states.dtype)[self.indices[1:]]
        weights = fit_softmax(features[: self.split], targets[: self.split])
        predicted = softmax(features[self.split :] @ weights)
        return float(-np.log2((predicted * targets[self.split :]).sum(1)).mean())


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of probabilities."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def fit_softmax(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Multinomial logistic regression by Böhning's bound: Newton steps with one fixed Hessian."""
    count, width = features.shape
    ridge = RIDGE * np.eye(width)
    inverse = np.linalg.inv(features.T @ features / (2 * count) + ridge).astype(features.dtype)
    weights = np.zeros((width, targets.shape[1]), features.dtype)
    for _ in range(NEWTON_STEPS):
        error = softmax(features @ weights) - targets
        weights -= inverse @ (features.T @ error / count + RIDGE * weights)
    return weights
