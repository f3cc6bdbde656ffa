"""Tables are read as anndata reads them, and what anndata wrote is read, too."""

from pathlib import Path

import anndata.io
import h5py
import numpy as np
import pandas as pd
import pytest

from bi2scope.data.store import schema
from bi2scope.data.store.tables import read_columns, write_table


def table(n_rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(n_rows)
    names = pd.Index([f"gène {i} γ" for i in range(n_rows)], dtype=object)
    kinds = pd.Categorical.from_codes(rng.integers(-1, 3, n_rows), ["T γδ", "B", ""], ordered=True)
    return pd.DataFrame(
        {
            "name": np.array([f"n{i % 7}" * (i % 3) for i in range(n_rows)], dtype=object),
            "chrom": np.array([f"chr{i % 2}" for i in range(n_rows)], dtype=object),
            "start": np.arange(n_rows),
            "means": rng.normal(size=n_rows).astype(np.float32),
            "highly_variable": rng.random(n_rows) < 0.5,
            "kind": kinds,
        },
        index=names,
    )


@pytest.mark.parametrize("n_rows", [0, 1, 200])
def test_a_table_is_read_as_anndata_reads_it(tmp_path: Path, n_rows: int) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        write_table(file, schema.GENES, table(n_rows))
        ours, theirs = read_columns(file[schema.GENES]), anndata.io.read_elem(file[schema.GENES])
        pd.testing.assert_frame_equal(ours, theirs)
        assert ours.index.tolist() == table(n_rows).index.tolist()


def test_a_column_that_anndata_wrote_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        write_table(file, schema.GENES, table(9))
        group = file[schema.GENES]
        del group["name"], group["start"]
        anndata.io.write_elem(group, "name", np.array([f"anew {i}" for i in range(9)], dtype=object))
        anndata.io.write_elem(group, "start", pd.array([1, None] * 4 + [5], dtype="Int64"))
        read = read_columns(group)
        assert read["name"].tolist() == [f"anew {i}" for i in range(9)]
        assert read["start"].isna().sum() == 4
        assert read["start"].iloc[-1] == 5
