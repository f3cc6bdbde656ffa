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

  /* ---- one link, in the map and in the table ---- */

  const plotOf = () => document.querySelector("#heatmap .js-plotly-plot");
  const same = (a, b) => Boolean(a && b && a.gene === b.gene && a.peak === b.peak);
  const NEAR = { genes: 15, peaks: 20 };

  page.linkOf = function (text) {
    const at = text ? text.lastIndexOf("@") : -1;
    return at < 0 ? null : { gene: text.slice(0, at), peak: text.slice(at + 1) };
  };

  /* Where a link lies on the axes of the map; null when the window does not name its gene or its peak. */
  function placeOf(link, data) {
    const read = JSON.parse(data.json);
    const gene = read.gene_names.indexOf(link.gene), peak = read.peak_names.indexOf(link.peak);
    return gene < 0 || peak < 0 ? null : { gene: gene + data.gene_start, peak: peak + data.peak_start };
  }

  function zoomTo(link, data) {
    const plot = plotOf(), place = data && placeOf(link, data.maps[0]);
    if (!plot || !plot._fullLayout) return;
    const x = plot._fullLayout.xaxis, y = plot._fullLayout.yaxis;
    const around = (at, by, axis) => [Math.max(axis.minallowed, at - by - 0.5), Math.min(axis.maxallowed, at + by + 0.5)];
    const across = place ? around(place.peak, NEAR.peaks, x) : [x.minallowed, x.maxallowed];
    const down = place ? around(place.gene, NEAR.genes, y) : [y.minallowed, y.maxallowed];
    window.Plotly.relayout(plot, { "xaxis.range": across, "yaxis.range": [down[1], down[0]] });
  }

  function selectRow(link) {
    window.dash_ag_grid.getApiAsync("links").then(function (grid) {
      grid.forEachNode(function (node) {
        if (node.data.gene_name !== link.gene || node.data.peak !== link.peak) return;
        node.setSelected(true, true);
        grid.ensureNodeVisible(node, "middle");
      });
    });
  }

  page.chooseLink = function (clicked, rows, data, chosen) {
    const by = window.dash_clientside.callback_context.triggered_id, none = window.dash_clientside.no_update;
    if (by === "links") {
      if (!rows || !rows.length) return none;
      const link = { gene: rows[0].gene_name, peak: rows[0].peak };
      if (same(link, chosen)) return none;
      zoomTo(link, data);
      return link;
    }
    const point = clicked && clicked.points && clicked.points[0], own = point && data && data.maps[point.curveNumber];
    const found = own ? page.linkAt(own, point.x, point.y) : undefined;
    if (found === undefined) return none;
    const bins = found.read.bins, link = {
      gene: found.read.gene_names[bins.gene[found.at] - own.gene_start],
      peak: found.read.peak_names[bins.peak[found.at] - own.peak_start],
    };
    selectRow(link);
    return link;
  };

  /* A box around the chosen link on every map, drawn again whenever the figure is. */
  page.markLink = function (chosen, _figure, data) {
    setTimeout(function () {
      const plot = plotOf();
      if (!plot || !plot.layout || !data) return;
      const others = (plot.layout.shapes || []).filter((shape) => shape.name !== "chosen");
      const place = chosen && placeOf(chosen, data.maps[0]);
      if (!place && others.length === (plot.layout.shapes || []).length) return;
      const first = data.maps[0], by = [Math.max(0.5, first.dx / 2), Math.max(0.5, first.dy / 2)];
      const color = getComputedStyle(document.body).color;
      const marks = !place ? [] : plot.data.map((trace) => ({
        type: "rect", name: "chosen", xref: trace.xaxis || "x", yref: trace.yaxis || "y", line: { width: 2, color: color },
        x0: place.peak - by[0] - 0.1, x1: place.peak + by[0] + 0.1, y0: place.gene - by[1] - 0.1, y1: place.gene + by[1] + 0.1,
      }));
      window.Plotly.relayout(plot, { shapes: [...others, ...marks] });
    }, 150);
    return window.dash_clientside.no_update;
  };
})();
