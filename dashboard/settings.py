"""Settings of the dashboard; each can come from the environment, as ``BI2SCOPE_DASHBOARD_<NAME>``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """How the dashboard draws, and where browsers find the API's downloads.

    Raises
    ------
    pydantic.ValidationError
        If a value lies outside its range.
    """

    model_config = SettingsConfigDict(env_prefix="BI2SCOPE_DASHBOARD_", frozen=True)

    public_api: str = Field(
        default="",
        description="Start of the API's address as the reader's browser sees it; empty for the page's own host",
    )
    compress: bool = Field(default=False, description="Compress answers; worth it over a slow network only")
    heatmap_columns: int = Field(
        default=640, ge=10, le=2000, description="Bins across; about one a pixel, or stripes merge into blocks"
    )
    heatmap_rows: int = Field(default=720, ge=10, le=2000, description="Bins down")
    track_bins: int = Field(default=1100, ge=10, le=20_000, description="Bins of a genome track")
    table_rows: int = Field(default=20_000, ge=1, le=200_000, description="Links shown in the table at most")
    top_peaks: int = Field(default=500, ge=1, le=100_000, description="Peaks shown in the cell-type table at most")
    cells_listed: int = Field(default=100, ge=1, le=1000, description="Cells offered at a time in the picker")
    max_bed_bytes: int = Field(default=64 * 2**20, ge=1024, description="Largest BED file that may be dropped")
