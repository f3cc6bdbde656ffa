/* The cell view in the browser: what its maps show, as rows. */
(function () {
  "use strict";
  const page = window.dash_clientside.bi2scope;
  page.rowsOf = page.rowsOf || {};

  const COLUMNS = ["n_links", "distance_to_tss", "logit", "score", "rank", "weight"];
  const OF_TYPE = { n_links: "n_pairs", score: "mean_score", weight: "mean_weight" };

  /* Every dot of the maps with its best link; of a type's mean, with its best pair. */
  page.rowsOf.heatmap = function () {
    const maps = window.dash_component_api.getLayout("bins").props.data.maps, first = maps[0];
    const rows = maps.flatMap(function (data) {
      const read = JSON.parse(data.json), bins = read.bins, mean = bins.mean_score !== undefined;
      const whose = [data.title, mean ? "" : data.cell, data.cell_type];
      const column = (name) => bins[mean ? OF_TYPE[name] || name : name];
      return bins.gene.map((gene, i) => [
        ...whose, read.gene_names[gene - data.gene_start], read.peak_names[bins.peak[i] - data.peak_start],
        ...COLUMNS.map((name) => (column(name) ? column(name)[i] : null)),
      ]);
    });
    const notes = [
      "each dot, " + first.dy + " genes by " + first.dx + " peaks, with the number of its links and the best of them",
      "genes " + first.gene_start + " to " + first.gene_stop + " and peaks " + first.peak_start + " to " + first.peak_stop +
      " of the axes, counted from 0, half-open",
    ];
    if (maps.some((data) => data.json.includes("mean_score")))
      notes.push("mean of a type: n_links counts pairs; score and weight are means over the cells with the link");
    return { names: ["map", "cell_id", "cell_type", "gene_name", "peak", ...COLUMNS], rows: rows, notes: notes };
  };
})();
