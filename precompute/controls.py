"""Control models, whose cumulative scores a store keeps beside its model's: which can be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bi2scope.data.errors import InputError
from bi2scope.data.store.controls import require_name
from bi2scope.model.checkpoint import Trained

_COMPARED = ("layers", "heads", "max_distance")
"""Settings in which a control must be like the model, so that their scores are of the same places."""


def require_comparable(trained: Trained, controls: Mapping[str, Trained]) -> list[str]:
    """Refuse controls whose scores would not lie beside the model's, peak by peak.

    Returns
    -------
    Sentences on those that can be but are not what one would expect.

    Raises
    ------
    StoreError
        If one cannot be called so.
    InputError
        If one has other genes or peaks than the model, or other layers, heads or candidates.
    """
    notes = []
    for name, control in controls.items():
        require_name(name)
        for what, own, wanted in (("genes", control.genes, trained.genes), ("peaks", control.peaks, trained.peaks)):
            if not np.array_equal(own.index, wanted.index):
                n_shared = len(wanted.index.intersection(own.index))
                raise InputError(
                    f"The control {name} has {len(own):,} {what}, of which {n_shared:,} are among the model's "
                    f"{len(wanted):,}; wanted the same in the same order.",
                    "Train it over the same data with the same settings: bi2scope train --control.",
                )
        for key in _COMPARED:
            own_value, wanted_value = getattr(control.model_config, key), getattr(trained.model_config, key)
            if own_value != wanted_value:
                raise InputError(
                    f"The control {name} has {key} {own_value}, the model {wanted_value}; wanted the same.",
                    "Train it with the model's settings: bi2scope train --control.",
                )
        if control.training_config.control is None:
            notes.append(f"{name} is not a control: it was trained as a model is. Its scores are kept under that name.")
        if control.digest == trained.digest:
            notes.append(f"{name} is the model itself.")
    return notes
