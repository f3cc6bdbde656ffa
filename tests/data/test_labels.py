"""Labels of cells from a CSV, and columns of cell types under other names."""

import gzip

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from bi2scope.data.errors import DatasetError
from bi2scope.data.labels import cell_type_column, read_labels, with_column, with_labels
from bi2scope.data.modality import Modality

PLAIN = 'barcode,label\nA-1,B cell\nB-1,NK\nC-1,"T, naive"\n'
READ = {"A-1": "B cell", "B-1": "NK", "C-1": "T, naive"}


def written(tmp_path, text, name="labels.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("barcode,label", "Barcode,Graph-based"),
        PLAIN.replace("barcode,label", ",cell_type"),
        PLAIN.split("\n", 1)[1],
        PLAIN.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        gzip.compress(PLAIN.encode(), mtime=0),
        "cell\tcell_type\nA-1\tB cell\nB-1\tNK\nC-1\tT, naive\n",
        "barcode;label\nA-1;B cell\nB-1;NK\nC-1;T, naive\n",
        "# made by hand\n" + PLAIN + "\n\n",
        PLAIN + "B-1,NK\nD-1,\nE-1,NA\n",
        'barcode,n_counts,Cell.Type,cluster\nA-1,5,B cell,0\nB-1,6,NK,1\nC-1,7,"T, naive",2\n',
    ],
)
def test_labels_are_read(tmp_path, text):
    assert read_labels(written(tmp_path, text)).to_dict() == READ


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("barcode\nA-1\n", r"row 1 has 1 column\(s\); wanted 2"),
        (PLAIN + "D-1\n", r"row 5 has 1 column\(s\); wanted 2"),
        (PLAIN + "A-1,NK\n", "A-1 has two labels, B cell and NK"),
        (PLAIN + ",NK\n", "1 lines have a label and no barcode"),
        ("barcode,label\nA-1,\n", "has no labels in its column 2"),
        ("barcode,x,y\nA-1,1,2\n", r"has 3 columns \(barcode, x, y\) and none called cell_type or label"),
        ("A-1,B,2\n", "has 3 columns"),
        (b"barcode,label\nA-1,\xe9\n", "is not text in UTF-8"),
        (b"barcode,label\nA-1,\0\n", "is not a text file"),
        (PLAIN + 'D-1,"open\n', "is not a table"),
    ],
)
def test_what_are_no_labels(tmp_path, text, message):
    with pytest.raises(DatasetError, match=message):
        read_labels(written(tmp_path, text))


@pytest.fixture
def modality():
    obs = pd.DataFrame({"leiden": ["0", "1", "0"]}, index=["A-1", "B-1", "Z-1"])
    return Modality("rna", obs, pd.DataFrame(index=["G"]), sparse.csr_matrix(np.array([[1.0], [2.0], [3.0]])))


def test_cells_without_a_label_are_left_out_aloud(modality):
    notes = []
    found = with_labels(modality, pd.Series(READ), "l.csv", notes)
    assert list(found.obs["cell_type"]) == ["B cell", "NK"]
    assert found.counts.toarray().ravel().tolist() == [1, 2]
    assert notes == [
        "1 of 3 cells have no label in l.csv: left out.",
        "1 of 3 labels of l.csv are of cells that are not there.",
    ]


def test_labels_of_other_cells(modality):
    with pytest.raises(DatasetError, match="labels none of the cells of rna: it has 'A', the cells have 'A-1'"):
        with_labels(modality, pd.Series({"A": "B"}), "l.csv", [])


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        (["leiden"], None),
        (["leiden", "cell_type", "celltype"], "cell_type"),
        (["Cell Type", "n"], "Cell Type"),
        (["celltypes"], "celltypes"),
        (["celltype", "CellType"], None),
    ],
)
def test_spellings_of_cell_type(modality, columns, column):
    obs = pd.DataFrame("x", index=modality.obs.index, columns=columns)
    assert cell_type_column(Modality("rna", obs, modality.var, modality.counts)) == column


def test_a_named_column_takes_the_place_of_cell_type(modality):
    assert list(with_column(modality, "leiden").obs["cell_type"]) == ["0", "1", "0"]
    assert "cell_type" not in with_column(with_column(modality, "leiden"), "gone").obs
