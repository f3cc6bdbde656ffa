import json
import math

import pytest
from simulations import few

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.simulation.config import CellType
from bi2scope.data.simulation.presets import PBMC_TYPES, PRESETS, preset

GOOD = CellType("A", 1, 10, 10, "one")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_cells", 0),
        ("n_cells", 1),  # fewer than types
        ("n_cells", 2.5),
        ("n_cells", True),
        ("n_genes", 0),
        ("n_peaks", -3),
        ("n_factors", 1),  # fewer than types
        ("max_distance", 0),
        ("tracks_per_type", -1),
        ("promoter_share", 1.0),
        ("promoter_share", "half"),
        ("regulated_share", -0.1),
        ("ambient", 1.0),
        ("ambient", math.nan),
        ("both_ends", 1.1),
        ("depth_correlation", -1.5),
        ("peak_width", 0),
        ("opening", 0.0),
        ("contact_distance", math.inf),
        ("contact_exponent", -1),
        ("link_chance", 0),
        ("link_effect", -1),
        ("dispersion", 0),
        ("openness_spread", None),
        ("peaks_spread", (0.1,)),
        ("peaks_spread", (0.1, -0.1)),
        ("peaks_spread", 0.3),
        ("chromosomes", ()),
        ("chromosomes", ("chr1", "chr1")),
        ("chromosomes", ("chr99",)),
        ("cell_types", (GOOD,)),
        ("cell_types", (GOOD, GOOD)),
        ("cell_types", (GOOD, CellType("B", 0, 10, 10, "one"))),
        ("cell_types", (GOOD, CellType(" ", 1, 10, 10, "one"))),
        ("cell_types", (GOOD, CellType("B", 1, 10_000, 10, "one"))),
        ("cell_types", (GOOD, CellType("B", 1, 10, 0.5, "one"))),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=field):
        few(**{field: value})


def test_presets_are_of_the_sizes_they_promise():
    pbmc = preset("pbmc10k")
    assert (pbmc.n_cells, pbmc.n_genes, pbmc.n_peaks) == (9_631, 29_095, 107_194)
    assert sum(each.share for each in PBMC_TYPES) == 9_631
    assert len(PBMC_TYPES) == 19
    for name in PRESETS:
        assert preset(name).name == name


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"preset is 'huge'.*tiny, small, pbmc10k"):
        preset("huge")


def test_a_configuration_can_be_written_as_json():
    values = json.loads(json.dumps(few().as_dict()))
    assert values["cell_types"][0]["name"] == "A"
    assert values["peaks_spread"] == [0.8, 0.42]
