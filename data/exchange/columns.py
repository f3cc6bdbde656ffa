"""Columns of a table, as the formats take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

Column = np.ndarray[Any, Any] | pd.Categorical
"""Numbers, texts (``object``), or texts as codes of their categories."""

Columns = Mapping[str, Column]
"""Columns of one length by name, in their order."""


def coded(texts: Any) -> pd.Categorical:
    """Texts, of which some may be equal, as codes; positions pick rows out of it (``coded(names)[positions]``)."""
    return pd.Categorical(np.asarray(texts, dtype=object))


def repeated(text: str, count: int) -> pd.Categorical:
    """One text in every row."""
    return pd.Categorical.from_codes(np.zeros(count, dtype=np.int8), pd.Index([text], dtype=object))
