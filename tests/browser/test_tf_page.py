"""The TF-binding view in a real browser: a BED file dropped, compared, and refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import pandas as pd
import pytest
from playwright.sync_api import FilePayload, expect

from bi2scope.dashboard.measures import MEANINGS
from bi2scope.data.store.reader import StoreReader

if TYPE_CHECKING:
    from conftest import Watched

pytestmark = pytest.mark.browser


def bed_of(reader: StoreReader, every: int) -> bytes:
    """A BED file that binds every so manieth peak, with its position as the score."""
    rows = reader.peaks.iloc[::every]
    lines = [f"{row.chrom}\t{row.start}\t{row.end}\tsite{i}\t{i}\n" for i, row in enumerate(rows.itertuples())]
    return "".join(lines).encode()


def payload(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": content}


@pytest.mark.slow
def test_two_tracks_and_the_measures_with_what_chance_gives(watched: Watched, reader: StoreReader) -> None:
    page, bed = watched.page, bed_of(reader, 3)
    watched.open("?view=tf&threshold=0.6&k=5")
    page.set_input_files("#bed input[type=file]", files=payload("sites.bed", bed))
    expect(page.locator("#tf-tracks .scatterlayer .trace")).to_have_count(2)
    url = f"{watched.address}/api/v1/celltypes/{reader.cell_types[0]}/tf"
    served = watched.post(url, {"threshold": 0.6, "top_k": 5}, "sites.bed", bed)
    expect(page.locator("#tf-words")).to_contain_text("1,000 draws of each null model")
    rows, measures = page.locator("#tf-measures tbody tr"), {one["name"]: one for one in served["measures"]}
    expect(rows).to_have_count(8)
    for i, name in enumerate(MEANINGS):
        cells, measure = rows.nth(i).locator("td"), measures[name]
        expect(cells.nth(1)).to_have_text(f"{measure['value']:.3f}")
        expect(cells.nth(2)).to_have_text(f"{measure['low']:.3f} to {measure['high']:.3f}")
        expect(cells.nth(3)).to_have_text(f"{measure['accessibility']:.3f}")
        expect(cells.nth(4)).to_contain_text(f"{measure['null_matched']['p']:.2g}")
    expect(page.locator("#tf-forest .errorbar")).to_have_count(8)
    expect(page.locator("#tf-summary")).to_contain_text(f"{served['n_peaks_bound']:,} of {len(reader.peaks):,} peaks")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download both tracks CSV").click()
    assert waiting.value.suggested_filename.endswith("_sites.bed.csv")
    table = pd.read_csv(waiting.value.path(), comment="#", float_precision="round_trip")
    assert table["tf"].tolist() == served["columns"]["tf"]
    assert table["score"].tolist() == served["columns"]["cumulative"]


def test_a_bad_bed_is_refused_in_words_and_a_good_one_mends_it(watched: Watched, reader: StoreReader) -> None:
    page = watched.page
    watched.open("?view=tf")
    page.wait_for_selector("#bed input[type=file]", state="attached")
    page.set_input_files("#bed input[type=file]", files=payload("first.bed", bed_of(reader, 4)))
    expect(page.locator("#tf-tracks")).to_be_visible()
    page.set_input_files("#bed input[type=file]", files=payload("bad.bed", b"chr1\t10\t20\nchr1\tten\t20\n"))
    expect(page.locator("#tf-notice")).to_contain_text("bad.bed, line 2, column 2")
    expect(page.locator("#tf-tracks")).to_be_hidden()
    page.set_input_files("#bed input[type=file]", files=payload("good.bed", bed_of(reader, 5)))
    expect(page.locator("#tf-notice")).to_be_empty()
    expect(page.locator("#tf-tracks")).to_be_visible()
    expect(page.locator("#tf-tracks .scatterlayer .trace")).to_have_count(2)


@pytest.mark.slow
def test_a_kept_track_is_in_the_table_and_its_cell_and_address_open_the_comparison(
    watched: Watched, reader: StoreReader
) -> None:
    page, kind = watched.page, reader.cell_types[1]
    watched.open("?view=tf&threshold=0.6&k=5")
    page.wait_for_selector("#bed input[type=file]", state="attached")
    page.set_input_files("#bed input[type=file]", files=payload("kept.bed", bed_of(reader, 3)))
    expect(page.locator("#tf-tracks .scatterlayer .trace")).to_have_count(2)
    expect(page).to_have_url(re.compile("track=dropped"))
    page.get_by_role("button", name="Keep it on the service").click()
    expect(page.get_by_role("button", name="Delete this upload")).to_be_visible()
    [held] = watched.service("/tracks").json()["tracks"]
    page.get_by_role("tab", name="Types × tracks").click()
    served = watched.service("/tf/matrix", threshold=0.6, top_k=5).json()
    row = page.locator("#tf-matrix-rows .ag-row[row-index='1']")
    expect(row.locator("[col-id='value']")).to_have_text(f"{served['value'][1][0]:.3f}")
    expect(row.locator("[col-id='p']")).not_to_be_empty()
    assert float(row.locator("[col-id='p']").inner_text()) == float(f"{served['p_matched'][1][0]:.2g}")
    expect(page.locator("#tf-matrix .heatmaplayer text").nth(1)).to_contain_text(f"{served['value'][1][0]:.3f}")
    expect(page.locator("#tf-matrix-caption")).to_contain_text("1,000 draws")
    expect(page).to_have_url(re.compile("tab=matrix"))
    row.locator("[col-id='track']").click()
    expect(page.locator("#tf-tracks .scatterlayer .trace")).to_have_count(2)
    expect(page).to_have_url(re.compile(f"cell_type={re.escape(quote_plus(kind))}.*track={held['track_id']}"))
    page.get_by_role("tab", name="Scatter").click()
    expect(page.locator("#tf-scatter .scatterlayer .trace")).to_have_count(2)
    expect(page).to_have_url(re.compile("tab=scatter"))
    watched.page.reload()
    expect(page.locator("#tf-scatter-caption")).to_contain_text("AUROC")
    expect(page.locator("#tf-track")).to_have_value(re.compile(r"kept\.bed"))
    seen = page.locator("#tf-scatter .xaxislayer-above .xtick").all_text_contents()
    with page.expect_download() as waiting:
        page.locator("button[data-figure='tf-scatter'][data-save='svg']").click()
    saved = waiting.value.path().read_text()
    assert seen  # the axes as they are seen, whatever else was moved away
    assert all(f">{tick}</text>" in saved for tick in seen)
    page.get_by_role("button", name="Delete this upload").click()
    expect(page.locator("#tf-track")).to_have_value("")
    assert watched.service("/tracks").json()["tracks"] == []
