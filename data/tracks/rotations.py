"""Draws of a track under a null model: its labels rotated within blocks of peaks, all draws at once.

Both null models move the labels of a track (signal, bound or not) to other peaks of the same block and leave the score
where it is. In one the blocks are chromosomes in genome order, so that a draw keeps how bound peaks cluster. In the
other they are strata of peaks alike in accessibility and width, each in one random order.

In a draw every block is rotated by an offset of its own. Rotations of a block make a group, so a track that is
exchangeable within the strata is as likely as any of its draws, and the p-value is exact, as with all permutations
(Hemerik and Goeman, 2018, "Exact testing with random permutations", TEST 27). What is gained is speed: the inner
product of a track with a score at every offset of a block is a circular correlation, one product of Fourier
transforms. So a draw costs a look-up per block instead of a pass over the peaks, and transforms are shared between
all scores a track is held against, and all tracks a score is.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.tracks.profiles import Binding, Floats, Ints, Profile

Spectra = list[npt.NDArray[np.complex128]]


@dataclass(frozen=True)
class Rotations:
    """Random rotations within blocks.

    Attributes
    ----------
    order
        ``(n_peaks,)`` peaks, block by block, in the order in which they are rotated.
    start
        ``(n_blocks + 1,)`` offsets of the blocks in ``order``.
    offset
        ``(n_draws, n_blocks)`` int32; a draw moves the label at place ``p`` of block ``b`` to place
        ``(p + offset[b]) mod size``.
    """

    order: Ints
    start: Ints
    offset: npt.NDArray[np.int32]

    @classmethod
    def of_chromosomes(cls, chromosome: Ints, n_draws: int, rng: np.random.Generator) -> Rotations:
        """Circular shifts along each chromosome; peaks in genome order with the ``(n_peaks,)`` code of each."""
        return cls._of(np.argsort(chromosome, kind="stable"), chromosome, n_draws, rng)

    @classmethod
    def of_strata(cls, stratum: Ints, n_draws: int, rng: np.random.Generator) -> Rotations:
        """Rotations within strata of peaks, each in one random order; with the ``(n_peaks,)`` code of each peak."""
        return cls._of(np.lexsort((rng.random(len(stratum)), stratum)), stratum, n_draws, rng)

    @classmethod
    def _of(cls, order: Ints, code: Ints, n_draws: int, rng: np.random.Generator) -> Rotations:
        start = np.concatenate([[0], np.flatnonzero(np.diff(code[order])) + 1, [len(order)]]).astype(np.int64)
        start = np.unique(start)
        size = np.diff(start)
        offset = rng.integers(0, np.maximum(size, 1), (n_draws, len(size)), dtype=np.int32)
        return cls(order.astype(np.int64), start, offset)

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.offset)

    def spectra(self, rows: Sequence[Floats], *, labels: bool) -> Spectra:
        """Fourier transforms of ``(n_peaks,)`` rows, block by block: ``(n_rows, n_frequencies)`` each.

        Blocks of a length that transforms slowly (large prime factors) are taken to one above twice their own that
        does not: labels are followed by zeros, scores by themselves.
        """
        from scipy.fft import rfft

        ordered, spectra = np.stack([row[self.order] for row in rows]), []
        for first, stop in itertools.pairwise(self.start):
            size, length = int(stop - first), _fast_length(int(stop - first))
            block = ordered[:, first:stop]
            if not labels and length > size:
                block = np.concatenate([block, block[:, :-1]], axis=1)
            spectra.append(rfft(block, length))
        return spectra

    def products(self, labels: Spectra, scores: Spectra, pairs: Sequence[tuple[int, int]]) -> Floats:
        """``(n_pairs, n_draws)`` inner products of rotated labels with scores.

        Parameters
        ----------
        labels, scores
            Transforms of the rows (:meth:`spectra`).
        pairs
            Row of the labels and row of the scores, for each product wanted.
        """
        from scipy.fft import irfft

        one, other = (np.array(side) for side in zip(*pairs, strict=True))
        total = np.zeros((len(one), self.n_draws))
        for block, size in enumerate(np.diff(self.start)):
            crossed = labels[block].conj()[one] * scores[block][other]
            total += np.take(irfft(crossed, _fast_length(int(size))), self.offset[:, block], axis=1)
        return total

    def precision(self, tracks: Sequence[Binding], score: Profile) -> Floats:
        """``(n_tracks, n_draws)`` average precision of each track in each draw, counted in the groups of a score."""
        from bi2scope.data.tracks.counting import rotated_precision

        place = np.empty(len(self.order), dtype=np.int64)
        place[self.order] = np.arange(len(self.order))
        group = score.group[self.order].astype(np.uint16)
        twice = np.concatenate([np.tile(group[first:stop], 2) for first, stop in itertools.pairwise(self.start)])
        one_over = 1 / np.maximum(np.cumsum(score.group_size), 1)
        offset, precision = self.offset.astype(np.uint32), np.empty((len(tracks), self.n_draws))
        for row, track in zip(precision, tracks, strict=True):
            bound = np.sort(place[track.places])
            block = np.searchsorted(self.start, bound, side="right") - 1
            at = (bound + self.start[block]).astype(np.uint32)  # every block before stands there twice
            row[:] = rotated_precision(at, block.astype(np.uint32), offset, twice, one_over)
        return precision


@functools.cache
def _fast_length(size: int) -> int:
    """Length at which a block of that size is transformed."""
    from scipy.fft import next_fast_len

    return size if next_fast_len(size, real=True) == size else int(next_fast_len(2 * size - 1, real=True))
