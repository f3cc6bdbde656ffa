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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.tracks.profiles import Binding, Counts, Floats, Ints, Profile

DRAWS_AT_A_TIME = 8

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

    def counts(self, tracks: Sequence[Binding], score: Profile) -> Iterator[Counts]:
        """Bound peaks of each track in the groups of a score, some draws at a time.

        Yields
        ------
        counts
            ``(n_tracks, n_some_draws, n_groups)`` whole numbers, float32; all draws in their order, taken together.
        """
        place = np.empty(len(self.order), dtype=np.int64)
        place[self.order] = np.arange(len(self.order))
        bound = [np.sort(place[track.places]) for track in tracks]
        ends = np.cumsum([0, *map(len, bound)])
        at, group = np.concatenate(bound), score.group[self.order]
        twice = [np.tile(group[first:stop], 2) for first, stop in itertools.pairwise(self.start)]
        sizes = np.diff(self.start).tolist()
        for first in range(0, self.n_draws, DRAWS_AT_A_TIME):
            offsets = self.offset[first : first + DRAWS_AT_A_TIME].tolist()
            found = np.empty((len(offsets), len(at)), dtype=np.int32)
            for row, offset in zip(found, offsets, strict=True):
                turned = [each[by : by + size] for each, by, size in zip(twice, offset, sizes, strict=True)]
                np.take(np.concatenate(turned), at, out=row, mode="clip")
            yield _counted(found, ends, len(score.group_size)).transpose(1, 0, 2)


@functools.cache
def _fast_length(size: int) -> int:
    """Length at which a block of that size is transformed."""
    from scipy.fft import next_fast_len

    return size if next_fast_len(size, real=True) == size else int(next_fast_len(2 * size - 1, real=True))


def _counted(group: npt.NDArray[np.int32], ends: npt.NDArray[np.int64], n_groups: int) -> Counts:
    """``(n_draws, n_tracks, n_groups)`` how often each group stands in a row between two ``ends``.

    Turning a sparse matrix into a dense one adds up what falls on one place: a quarter of the time that
    ``numpy.bincount`` takes, and other threads may run meanwhile.
    """
    from scipy.sparse import csr_matrix

    n_draws, n_tracks = len(group), len(ends) - 1
    sparse = csr_matrix((n_draws * n_tracks, n_groups), dtype=np.float32)
    starts = np.arange(n_draws)[:, None] * group.shape[1] + ends[:-1]
    sparse.indptr = np.append(starts.ravel(), group.size).astype(np.int32)
    sparse.data, sparse.indices = np.ones(group.size, dtype=np.float32), group.ravel()
    counted: Counts = sparse.toarray().reshape(n_draws, n_tracks, n_groups)
    return counted
