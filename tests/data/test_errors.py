import pytest

from bi2scope.data import errors
from bi2scope.data.errors import Bi2scopeError, DatasetError, InputError, NotFoundError


def test_an_error_says_what_was_found_and_what_to_do():
    error = DatasetError("rna.h5ad has no cell_type.", "Add one.")
    assert str(error) == "rna.h5ad has no cell_type. Add one."
    assert (error.message, error.hint) == ("rna.h5ad has no cell_type.", "Add one.")
    assert str(DatasetError("Only that.")) == "Only that."


def test_a_name_that_is_not_there_offers_the_nearest():
    error = NotFoundError("cell type", "CD4 nave", ["CD4 naive", "CD14 monocyte", "B"])
    assert error.nearest[0] == "CD4 naive"
    assert str(error).startswith("There is no cell type named 'CD4 nave' in this data set. Nearest: CD4 naive")
    assert str(NotFoundError("gene", "XYZ", ["GATA1"])) == "There is no gene named 'XYZ' in this data set."


@pytest.mark.parametrize("name", ["DatasetError", "RegionError", "ConfigurationError", "CheckpointError"])
def test_what_a_user_gave_is_an_input_error(name):
    assert issubclass(getattr(errors, name), InputError)


def test_there_is_one_tree_and_its_picture_is_whole():
    raised = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, Bi2scopeError) for kind in raised)
    assert all(kind.__name__ in errors.__doc__ for kind in raised)
