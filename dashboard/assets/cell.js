/* The cell view in the browser: what its map shows, as rows. */
(function () {
  "use strict";
  const page = window.dash_clientside.bi2scope;
  page.rowsOf = page.rowsOf || {};

  const COLUMNS = ["n_links", "distance_to_tss", "logit", "score", "rank", "weight"];

  /* Every dot of the map with its best link. */
  page.rowsOf.heatmap = function () {
    const data = window.dash_component_api.getLayout("bins").props.data, read = JSON.parse(data.json), bins = read.bins;
    const rows = bins.gene.map((gene, i) => [
      data.cell, read.gene_names[gene - data.gene_start], read.peak_names[bins.peak[i] - data.peak_start],
      ...COLUMNS.map((name) => bins[name][i]),
    ]);
    const notes = [
      "each dot of the map, " + data.dy + " genes by " + data.dx + " peaks, with the number of its links and the best of them",
      "genes " + data.gene_start + " to " + data.gene_stop + " and peaks " + data.peak_start + " to " + data.peak_stop +
      " of the cell's own, counted from 0, half-open",
    ];
    return { names: ["cell_id", "gene_name", "peak", ...COLUMNS], rows: rows, notes: notes };
  };
})();
