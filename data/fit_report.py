"""How like real cells simulated ones are: measured alike on both, as a table and as figures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.errors import DatasetError, InputError
from bi2scope.data.features import cells_with
from bi2scope.data.multiome import Multiome
from bi2scope.data.readers import read_h5ad_pair

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

TOP_PEAKS = 0.1
"""Share of the peaks, those seen in the most cells, whose overlap between types is measured."""

FEWEST_CELLS, MOST_CELLS = 20, 200
"""Types with fewer cells have no overlap measured; of larger ones no more than so many cells are looked at."""

MEAN_BINS = np.geomspace(1e-3, 1e2, 26)
"""Edges of the bins of mean count in which variances are compared."""

CELL_QUANTITIES = {
    "genes": "genes per cell",
    "transcripts": "transcripts per cell",
    "peaks": "peaks per cell",
    "fragments": "ATAC counts per cell",
}
"""Columns of :attr:`Measures.cells`, and what they are called."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measures:
    """What is measured of one data set.

    Attributes
    ----------
    name
        What the data set is called in table and figures.
    cells
        ``(n_cells,)`` rows; ``cell_type`` and those of :data:`CELL_QUANTITIES` that are known.
    genes, peaks
        ``frequency`` (share of the cells with a count), ``mean`` and ``variance`` of the count, of each feature;
        ``None`` when only the cells are known.
    overlap
        Types by types, Jaccard index of their most frequent peaks; ``None`` when unknown.
    """

    name: str
    cells: pd.DataFrame
    genes: pd.DataFrame | None = None
    peaks: pd.DataFrame | None = None
    overlap: pd.DataFrame | None = None


def measure(multiome: Multiome, name: str, n_cells: int | None = None) -> Measures:
    """Measure paired cells; ``n_cells`` as in :func:`peak_overlap`, :func:`common_cells` for two that are compared."""
    cells = pd.DataFrame({"cell_type": multiome.cells["cell_type"].astype(str)}, index=multiome.cells.index)
    for (seen, total), counts in zip(
        (("genes", "transcripts"), ("peaks", "fragments")), (multiome.rna, multiome.atac), strict=True
    ):
        cells[seen] = np.diff(counts.indptr)
        cells[total] = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    return Measures(name, cells, _features(multiome.rna), _features(multiome.atac), peak_overlap(multiome, n_cells))


def measured_pair(
    simulated: tuple[Path, Path], real: tuple[Path | None, Path | None], real_cells: Path | None = None
) -> tuple[Measures, Measures]:
    """Read and measure simulated cells and real ones, on as many cells of each type.

    Parameters
    ----------
    simulated, real
        RNA and ATAC files (.h5ad); those of the real cells may be left out for ``real_cells``.
    real_cells
        A table of real cells, as :func:`read_cell_measures` reads it.

    Raises
    ------
    InputError
        If real cells are given in neither way or in both, or a file cannot be read.
    """
    real_rna, real_atac = real
    whole = real_rna is not None and real_atac is not None
    if whole == (real_cells is not None) or (not whole and (real_rna or real_atac)):
        raise InputError(
            "Real cells to compare with were not given once.",
            "Give --real-rna and --real-atac together, or --real-cells alone.",
        )
    ours = read_h5ad_pair(*simulated)
    if real_cells is not None:
        theirs = read_cell_measures(real_cells, f"real {Path(real_cells).name.split('.')[0]}")
        return measure(ours, _name("simulated", simulated[0])), theirs
    assert real_rna is not None
    assert real_atac is not None
    pair = read_h5ad_pair(real_rna, real_atac)
    n_cells = common_cells(ours, pair)
    return measure(ours, _name("simulated", simulated[0]), n_cells), measure(pair, _name("real", real_rna), n_cells)


def _name(kind: str, path: Path) -> str:
    """What a data set is called: by the folder of its files."""
    return f"{kind} {Path(path).absolute().parent.name}".strip()


def read_cell_measures(path: str | Path, name: str) -> Measures:
    """Read what is known of cells from a CSV file: type, number of genes, number of transcripts.

    Parameters
    ----------
    path
        Columns ``cell_type`` (or ``celltype``), ``n_genes``, ``n_counts``; plain or gzipped.
    name
        What the data set is called.

    Raises
    ------
    DatasetError
        If the file cannot be read, or lacks a column.
    """
    try:
        table = pd.read_csv(path).rename(columns={"celltype": "cell_type"})
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as CSV ({error}).", "Check the path.") from error
    columns = {"cell_type": "cell_type", "n_genes": "genes", "n_counts": "transcripts"}
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DatasetError(f"{path} has no column {', '.join(missing)}; it has {', '.join(table.columns)}.")
    return Measures(name, table[list(columns)].rename(columns=columns))


def common_cells(*data_sets: Multiome) -> int:
    """Number of cells that each type with :data:`FEWEST_CELLS` or more has in all the data sets, or the most used."""
    sizes = [len(rows) for each in data_sets for rows in _rows_by_type(each).values()]
    return min([MOST_CELLS, *sizes])


def _rows_by_type(multiome: Multiome) -> dict[str, npt.NDArray[np.int64]]:
    """Cells of each type that has enough of them."""
    types = multiome.cells["cell_type"].astype(str).to_numpy()
    rows = {name: np.flatnonzero(types == name).astype(np.int64) for name in multiome.cell_types}
    return {name: positions for name, positions in rows.items() if len(positions) >= FEWEST_CELLS}


def peak_overlap(multiome: Multiome, n_cells: int | None = None) -> pd.DataFrame | None:
    """Jaccard index between the most frequent peaks of each two types; ``None`` with fewer than two types.

    From every type the same number of cells (``n_cells``, or as many as all have), drawn with a fixed seed; of peaks
    seen equally often, which ones belong to the most frequent is left to chance. Fewer cells give a lower index.
    """
    rng = np.random.default_rng(0)
    rows = _rows_by_type(multiome)
    if len(rows) < 2:
        return None
    n_cells = n_cells or common_cells(multiome)
    n_top = max(1, int(TOP_PEAKS * multiome.n_peaks))
    top = np.zeros((len(rows), multiome.n_peaks), dtype=bool)
    for row, positions in zip(top, rows.values(), strict=True):
        seen = cells_with(multiome.atac[rng.choice(positions, n_cells, replace=False)])
        row[np.argsort(-(seen + rng.random(len(seen))))[:n_top]] = True
    shared = top.astype(np.float64) @ top.T.astype(np.float64)
    return pd.DataFrame(shared / (2 * n_top - shared), index=list(rows), columns=list(rows))


def _features(counts: sparse.csr_matrix) -> pd.DataFrame:
    n_cells, n_features = counts.shape
    values = counts.data.astype(np.float64)
    mean, square = (np.bincount(counts.indices, weights=each, minlength=n_features) for each in (values, values**2))
    mean, square = mean / n_cells, square / n_cells
    variance = np.maximum(square - mean**2, 0) * n_cells / max(n_cells - 1, 1)
    return pd.DataFrame({"frequency": cells_with(counts) / n_cells, "mean": mean, "variance": variance})


def variance_by_mean(features: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of the variance over the mean, by bins of the mean (index: the bin's geometric middle)."""
    known = features[features["mean"] > 0]
    ratio = known["variance"] / known["mean"]
    number = np.digitize(known["mean"], MEAN_BINS) - 1
    inside = (number >= 0) & (number < len(MEAN_BINS) - 1)
    grouped = ratio[inside].groupby(number[inside])
    table = pd.DataFrame({f"q{int(q * 100)}": grouped.quantile(q) for q in (0.25, 0.5, 0.75)})[grouped.size() >= 5]
    middles = np.sqrt(MEAN_BINS[:-1] * MEAN_BINS[1:])
    return table.set_axis(pd.Index(middles[table.index.to_numpy(dtype=np.int64)], name="mean"))


def compare(simulated: Measures, real: Measures) -> pd.DataFrame:
    """Every quantity that both data sets have, side by side.

    Returns
    -------
    DataFrame
        ``quantity``, ``statistic`` (quantiles, ``KS`` the greatest distance between the distributions, and such),
        ``simulated``, ``real``; ``KS`` is one number, under ``simulated``.
    """
    rows = [*_compared_cells(simulated.cells, real.cells)]
    for kind in ("genes", "peaks"):
        ours, theirs = getattr(simulated, kind), getattr(real, kind)
        if ours is not None and theirs is not None:
            what = f"share of cells with a count, {kind}"
            rows += _compared(what, ours["frequency"].to_numpy(), theirs["frequency"].to_numpy())
            rows += _compared_variances(kind, ours, theirs)
    if simulated.overlap is not None and real.overlap is not None:
        what = f"Jaccard index of two types' {TOP_PEAKS:.0%} most frequent peaks"
        rows += _compared(what, _off_diagonal(simulated.overlap), _off_diagonal(real.overlap))
    return pd.DataFrame(rows, columns=["quantity", "statistic", "simulated", "real"])


Row = tuple[str, str, float, float]


def _compared_cells(simulated: pd.DataFrame, real: pd.DataFrame) -> Iterator[Row]:
    both = [each for each in CELL_QUANTITIES if each in simulated and each in real]
    for each in both:
        yield from _compared(CELL_QUANTITIES[each], simulated[each].to_numpy(), real[each].to_numpy())
    for one, two in itertools.combinations(both, 2):
        ours, theirs = (np.log(table[[one, two]].to_numpy(np.float64)) for table in (simulated, real))
        what = f"{CELL_QUANTITIES[one]} and {CELL_QUANTITIES[two]}"
        yield what, "correlation of logs", float(np.corrcoef(ours.T)[0, 1]), float(np.corrcoef(theirs.T)[0, 1])
    for name in [each for each in simulated["cell_type"].unique() if each in set(real["cell_type"])]:
        for each in both:
            ours, theirs = (table.loc[table["cell_type"] == name, each].median() for table in (simulated, real))
            yield f"{CELL_QUANTITIES[each]}, {name}", "median", float(ours), float(theirs)


def _compared(quantity: str, simulated: Floats, real: Floats) -> Iterator[Row]:
    for q in QUANTILES:
        yield quantity, f"{q:.0%} quantile", float(np.quantile(simulated, q)), float(np.quantile(real, q))
    yield quantity, "KS", _greatest_distance(simulated, real), np.nan


def _greatest_distance(simulated: Floats, real: Floats) -> float:
    """Kolmogorov-Smirnov statistic: greatest distance between the two distribution functions."""
    values = np.concatenate((simulated, real))
    shares = [np.searchsorted(np.sort(each), values, side="right") / len(each) for each in (simulated, real)]
    return float(np.abs(shares[0] - shares[1]).max())


def _compared_variances(kind: str, simulated: pd.DataFrame, real: pd.DataFrame) -> Iterator[Row]:
    """Median variance over mean in the bins of the mean that both data sets fill, one a decade."""
    ours, theirs = variance_by_mean(simulated)["q50"], variance_by_mean(real)["q50"]
    for mean in ours.index.intersection(theirs.index)[::5]:
        yield f"variance over mean of {kind}", f"median at mean {mean:.2g}", float(ours[mean]), float(theirs[mean])


def _off_diagonal(overlap: pd.DataFrame) -> Floats:
    values: Floats = overlap.to_numpy()[np.triu_indices(len(overlap), 1)]
    return values


def write_report(simulated: Measures, real: Measures, folder: str | Path) -> Path:
    """Write ``fit.csv``, ``fit.md`` and the figures into a folder, which is made when it is not there.

    Returns
    -------
    Path
        The page, ``fit.md``.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """
    from bi2scope.data.fit_figures import draw

    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made ({error.strerror}).", "Choose another.") from error
    table = compare(simulated, real)
    table.to_csv(folder / "fit.csv", index=False, lineterminator="\n")
    figures = draw(simulated, real, folder)
    lines = [
        f"# {simulated.name} and {real.name}",
        "",
        "| quantity | statistic | simulated | real |",
        "|---|---|---|---|",
    ]
    shown = table.assign(simulated=table["simulated"].map(_shown), real=table["real"].map(_shown))
    lines += [f"| {' | '.join(row)} |" for row in shown.to_numpy(str)]
    lines += ["", *(f"![{path.stem.replace('-', ' ')}]({path.name})" for path in figures)]
    page = folder / "fit.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def _shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
