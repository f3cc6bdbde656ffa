"""Simulated paired cells whose true links are known: ``simulate`` draws them, ``write`` puts them into files.

What is simulated, in formulas: ``docs/simulator.md``. The parts: :mod:`bi2scope.data.simulation`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from natsort import natsorted, ns
from scipy import sparse

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.multiome import Multiome
from bi2scope.data.simulation.config import SimulationConfig
from bi2scope.data.simulation.counts import sample_counts
from bi2scope.data.simulation.genome import simulate_genome
from bi2scope.data.simulation.output import (
    METADATA,
    read_me,
    replacing_folder,
    require_free_folder,
    write_h5ad,
    write_tracks,
)
from bi2scope.data.simulation.presets import preset
from bi2scope.data.simulation.programs import Programs, shares, simulate_programs
from bi2scope.data.simulation.streams import stream
from bi2scope.data.simulation.truth import Track, activity_table, link_table, simulate_tracks, target_table

BARCODE_LENGTH = 16


@dataclass(frozen=True)
class Simulated:
    """Paired cells and what is true of them.

    Attributes
    ----------
    config, seed
        What the data set was made from; the same two make the same data set.
    cells, genes, peaks, rna, atac
        As in :class:`~bi2scope.data.multiome.Multiome`, the genes without the computed attributes.
    links
        Planted links (:func:`~bi2scope.data.simulation.truth.link_table`).
    targets
        Peaks of each factor (:func:`~bi2scope.data.simulation.truth.target_table`).
    activity
        Activity of each factor by type (:func:`~bi2scope.data.simulation.truth.activity_table`).
    cell_activity
        ``(n_cells, n_factors)`` float32, activity of each factor in each cell.
    tracks
        BED tracks of factors and decoys.
    programs
        The parameters that the cells were drawn from.
    """

    config: SimulationConfig
    seed: int
    cells: pd.DataFrame
    genes: pd.DataFrame
    peaks: pd.DataFrame
    rna: sparse.csr_matrix
    atac: sparse.csr_matrix
    links: pd.DataFrame
    targets: pd.DataFrame
    activity: pd.DataFrame
    cell_activity: npt.NDArray[np.float32]
    tracks: tuple[Track, ...]
    programs: Programs

    @functools.cached_property
    def multiome(self) -> Multiome:
        """The pair as the readers give it, with gene attributes computed from the counts."""
        from bi2scope.data.features import computed_attributes

        attributes, note = computed_attributes(self.rna, self.genes.index)
        return replace(self._bare(), genes=pd.concat([self.genes, attributes], axis=1), notes=(note,))

    @functools.cached_property
    def digest(self) -> str:
        """Digest of the pair, the same that reading it back gives."""
        return self._bare().digest

    def _bare(self) -> Multiome:
        return Multiome(cells=self.cells, genes=self.genes, peaks=self.peaks, rna=self.rna, atac=self.atac)


def simulate(
    what: str | SimulationConfig, n_cells: int | None = None, seed: int = 0, *, progress: bool = False
) -> Simulated:
    """Simulate RNA and ATAC counts of the same cells, with planted links.

    Parameters
    ----------
    what
        Name of a preset (``"tiny"``, ``"small"``, ``"pbmc10k"``), or a configuration.
    n_cells
        Number of cells; that of the preset when not given. Genome and links do not depend on it.
    seed
        0 or more; the same seed gives the same data set, to the digest.
    progress
        Whether to show a bar.

    Raises
    ------
    ConfigurationError
        If there is no such preset, or a setting is out of its range.
    """
    config = preset(what) if isinstance(what, str) else what
    if n_cells is not None:
        config = replace(config, n_cells=n_cells)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ConfigurationError(f"seed is {seed!r}; it must be a whole number, at least 0.")
    genome = simulate_genome(config, stream(seed, "genome"))
    programs = simulate_programs(config, genome, stream(seed, "programs"))
    cells, codes = _cells(config, stream(seed, "annotation"))
    counts = sample_counts(config, programs, codes, seed, progress)
    return Simulated(
        config=config,
        seed=seed,
        cells=cells,
        genes=genome.genes,
        peaks=genome.peaks,
        rna=counts.rna,
        atac=counts.atac,
        links=link_table(config, genome, programs),
        targets=target_table(genome, programs),
        activity=activity_table(config, programs),
        cell_activity=counts.activity,
        tracks=simulate_tracks(config, genome, programs, stream(seed, "tracks")),
        programs=programs,
    )


def write(simulated: Simulated, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a simulated data set into a folder: the pair, the truth, the BED tracks, what they are.

    The folder appears when all of it is written. With ``overwrite``, a simulated data set that is there is replaced;
    a folder with anything else in it never is.

    Returns
    -------
    Path
        The folder; :data:`~bi2scope.data.simulation.output.METADATA` and ``README.md`` in it say what the files are.

    Raises
    ------
    InputError
        If the folder cannot be made there.
    """
    folder = Path(folder)
    require_free_folder(folder, overwrite)
    with replacing_folder(folder) as place:
        write_h5ad(place / "rna.h5ad", simulated.rna, simulated.cells, simulated.genes)
        write_h5ad(place / "atac.h5ad", simulated.atac, simulated.cells, simulated.peaks)
        simulated.links.to_csv(place / "truth_links.csv", index=False, lineterminator="\n")
        simulated.targets.to_csv(place / "tf_targets.csv", index=False, lineterminator="\n")
        simulated.activity.to_csv(place / "tf_activity.csv", lineterminator="\n")
        write_tracks(place / "tf", simulated.tracks)
        metadata = _metadata(simulated)
        (place / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
        sizes = f"{len(simulated.cells):,} cells, {len(simulated.genes):,} genes, {len(simulated.peaks):,} peaks"
        page = read_me(sizes, simulated.config.name, simulated.seed, str(metadata["version"]))
        (place / "README.md").write_text(page, encoding="utf-8")
    return folder


def _metadata(simulated: Simulated) -> dict[str, object]:
    from importlib.metadata import version

    return {
        "program": "bi2scope",
        "version": version("bi2scope"),
        "seed": simulated.seed,
        "dataset_digest": simulated.digest,
        "n_links": len(simulated.links),
        "configuration": simulated.config.as_dict(),
    }


def _cells(config: SimulationConfig, rng: np.random.Generator) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Barcodes with types, and each cell's position in ``config.cell_types``; types by their shares, none empty."""
    names = np.array([each.name for each in config.cell_types], dtype=object)
    wanted = shares(config) * config.n_cells
    sizes = np.floor(wanted).astype(np.int64)
    sizes[np.argsort(sizes - wanted, kind="stable")[: config.n_cells - sizes.sum()]] += 1
    while (sizes == 0).any():
        sizes[np.argmax(sizes)] -= 1
        sizes[np.argmin(sizes)] += 1
    codes = rng.permutation(np.repeat(np.arange(len(names)), sizes))
    types = pd.Categorical(names[codes], categories=natsorted(names, alg=ns.IGNORECASE))
    barcodes: dict[str, None] = {}
    while len(barcodes) < config.n_cells:
        letters = rng.choice(np.array(list("ACGT")), (config.n_cells - len(barcodes), BARCODE_LENGTH))
        barcodes.update(dict.fromkeys(f"{''.join(row)}-1" for row in letters))
    return pd.DataFrame({"cell_type": types}, index=pd.Index(list(barcodes), dtype="object")), codes
