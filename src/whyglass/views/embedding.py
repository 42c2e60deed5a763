"""A flat map of points: those that are alike lie together. Landmarks first, everyone else beside their nearest ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PERPLEXITY = 25.0
STEPS = 220
EARLY = 60
NEIGHBOURS = 4
BLOCK = 4096


@dataclass(frozen=True, eq=False)
class FlatMap:
    """Landmarks in their own space and on the map."""

    landmarks: Array
    places: Array

    def place(self, points: Array) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Where points lie: the mean of their nearest landmarks' places, weighted by closeness, as uint16 over the map.

        Args:
            points: float64 (rows, columns), of the landmarks' columns.

        Cost: rows x landmarks x columns.
        """
        if len(self.landmarks) == 0:
            nothing = np.zeros(len(points), dtype=np.uint16)
            return nothing, nothing
        found = np.concatenate([self._block(points[i : i + BLOCK]) for i in range(0, len(points), BLOCK)] or [np.empty((0, 2))])
        low, high = self.places.min(axis=0), self.places.max(axis=0)
        share = np.clip((found - low) / np.where(high > low, high - low, 1.0), 0, 1)
        xy = (share * 65535).astype(np.uint16)
        return xy[:, 0], xy[:, 1]

    def _block(self, points: Array) -> Array:
        apart = _squared(points, self.landmarks)
        k = min(NEIGHBOURS, len(self.landmarks))
        nearest = np.argpartition(apart, k - 1, axis=1)[:, :k]
        closeness = 1.0 / (np.take_along_axis(apart, nearest, axis=1) + 1e-9)
        closeness /= closeness.sum(axis=1, keepdims=True)
        mean: Array = (self.places[nearest] * closeness[:, :, None]).sum(axis=1)
        return mean


def flat_map(landmarks: Array) -> FlatMap:
    """Lay landmarks out so that close ones stay close, from a start that is the same on every machine.

    Args:
        landmarks: float64 (rows, columns); some hundreds of rows.

    Returns:
        The map.

    Cost: rows squared x ``STEPS``.

    Paper: van der Maaten & Hinton 2008, Visualizing data using t-SNE, JMLR 9; started from the two principal components
    (Kobak & Berens 2019, Nature Communications 10).
    """
    rows = len(landmarks)
    start = _components(landmarks)
    if rows < 8:
        return FlatMap(landmarks, start)
    joint = _affinities(_squared(landmarks, landmarks), min(PERPLEXITY, (rows - 1) / 3))
    places = start / (start[:, 0].std() or 1.0) * 1e-2
    speed, gain = np.zeros_like(places), np.ones_like(places)
    for step in range(STEPS):
        pull = joint * (8.0 if step < EARLY else 1.0)
        heavy = 1.0 / (1.0 + _squared(places, places))
        np.fill_diagonal(heavy, 0.0)
        force = (pull - heavy / heavy.sum()) * heavy
        slope = 4 * (force.sum(axis=1)[:, None] * places - force @ places)
        gain = np.where(np.sign(slope) == np.sign(speed), gain * 0.8, gain + 0.2).clip(0.01)
        speed = (0.5 if step < EARLY else 0.8) * speed - max(rows / 8.0, 30.0) * gain * slope
        places = places + speed
        places -= places.mean(axis=0)
    return FlatMap(landmarks, places)


def _squared(a: Array, b: Array) -> Array:
    apart: Array = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.maximum(apart, 0.0)


def _components(points: Array) -> Array:
    """Two principal components; a component has no sign of its own, so its heaviest column points up."""
    if len(points) == 0:
        return np.empty((0, 2))
    centred = points - points.mean(axis=0)
    vectors = np.linalg.svd(centred, full_matrices=False)[2][:2].T
    heaviest = np.abs(vectors).argmax(axis=0)
    signs = np.where(vectors[heaviest, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)
    plane = centred @ (vectors * signs)
    return plane if plane.shape[1] == 2 else np.column_stack([plane, np.zeros(len(plane))])


def _affinities(apart: Array, perplexity: float) -> Array:
    """Symmetric neighbour probabilities: each row's width is bisected until its perplexity is the one asked for."""
    rows = len(apart)
    wide = apart + np.diag(np.full(rows, np.inf))
    low, high, width = np.zeros(rows), np.full(rows, np.inf), np.full(rows, 1.0 / (np.median(apart) + 1e-12))
    near = wide.min(axis=1)
    chances = np.zeros_like(apart)
    for _ in range(40):
        weights = np.exp(-(wide - near[:, None]) * width[:, None])
        chances = weights / weights.sum(axis=1, keepdims=True)
        entropy = -(chances * np.log(np.maximum(chances, 1e-300))).sum(axis=1)
        too_wide = entropy > np.log(perplexity)
        low, high = np.where(too_wide, width, low), np.where(too_wide, high, width)
        width = np.where(np.isinf(high), width * 2, (low + high) / 2)
    joint: Array = (chances + chances.T) / (2 * rows)
    return joint
