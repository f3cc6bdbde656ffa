/* The cell view in the browser: what its maps show, as rows. */
(function () {
  "use strict";
  const page = window.dash_clientside.bi2scope;
  page.rowsOf = page.rowsOf || {};

  const whole = (value) => value.toLocaleString("en-US");
  const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + whole(Math.abs(value));

  const readOf = page.readOf;

  function linkAt(data, x, y) {
    const row = Math.round((y - data.y0) / data.dy), column = Math.round((x - data.x0) / data.dx), read = readOf(data);
    const at = read.bins.row.findIndex((each, i) => each === row && read.bins.column[i] === column);
    return at < 0 ? undefined : { at: at, read: read };
  }

  const COLUMNS = ["n_links", "distance_to_tss", "logit", "score", "rank", "weight"];
  const OF_TYPE = { n_links: "n_pairs", score: "mean_score", weight: "mean_weight" };

  /* Every dot of the maps with its best link; of a type's mean, with its best pair. */
  page.rowsOf.heatmap = function () {
    const maps = page.bins.maps, first = maps[0];
    const rows = maps.flatMap(function (data) {
      const read = page.readOf(data), bins = read.bins, mean = bins.mean_score !== undefined;
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
    const read = page.readOf(data);
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

  page.chooseLink = function (rows, chosen) {
    if (!rows || !rows.length) return window.dash_clientside.no_update;
    const link = { gene: rows[0].gene_name, peak: rows[0].peak };
    if (same(link, chosen)) return window.dash_clientside.no_update;
    zoomTo(link, page.bins);
    return link;
  };

  /* The map that a point of the plot belongs to, its best link there, and what that is called. */
  function under(point) {
    const own = point && page.bins && page.bins.maps[point.curveNumber], found = own ? linkAt(own, point.x, point.y) : undefined;
    if (found === undefined) return undefined;
    const { at, read } = found, bins = read.bins;
    const link = { gene: read.gene_names[bins.gene[at] - own.gene_start], peak: read.peak_names[bins.peak[at] - own.peak_start] };
    return { at, bins, link };
  }

  page.clickLink = function (point) {
    const found = under(point);
    if (!found) return;
    selectRow(found.link);
    window.dash_clientside.set_props("link-chosen", { data: found.link });
  };

  /* ---- the tooltip of the map ---- */

  const tip = () => document.getElementById("heatmap-tooltip");

  function tag(name, inside) {
    const made = document.createElement(name);
    made.append(...[].concat(inside));
    return made;
  }

  page.hideTip = function () {
    if (tip()) tip().hidden = true;
  };

  page.showTip = function (point) {
    const found = under(point);
    if (!found || !point.bbox) return page.hideTip();
    const { at, bins: b, link } = found, mean = b.mean_score !== undefined;
    const line = (name, value) => tag("tr", [tag("td", name), tag("td", value)]);
    const count = (mean ? b.n_pairs : b.n_links)[at], noun = mean ? " pairs here" : " links here";
    const rows = [line("Distance to TSS", signed(b.distance_to_tss[at]) + " bp"), ...(mean ? [
      line("Mean score", b.mean_score[at].toFixed(4)),
      line("Mean weight", b.mean_weight[at].toFixed(4)),
      line("Cells with the link", whole(b.n_cells[at]) + " of " + whole(b.n_both[at]) + " with both"),
    ] : [
      line("Score", b.score[at].toFixed(4)),
      line("Logit", b.logit[at].toFixed(3)),
      line("Rank", whole(b.rank[at])),
      line("Weight", b.weight[at].toFixed(4)),
    ])];
    const many = count > 1 ? [tag("div", "best of " + whole(count) + noun)] : [];
    tip().replaceChildren(tag("b", link.gene + " – " + link.peak), tag("table", tag("tbody", rows)), ...many);
    tip().hidden = false;
    const box = document.getElementById("heatmap"), to = point.bbox, left = to.x0 > box.offsetWidth / 2;
    const x = left ? to.x0 - tip().offsetWidth - 10 : to.x1 + 10, y = (to.y0 + to.y1 - tip().offsetHeight) / 2;
    tip().style.transform = "translate(" + Math.round(x) + "px, " + Math.round(Math.max(0, y)) + "px)";
  };

  /* A box around the chosen link on every map, drawn again whenever the figure is. */
  let marked = null;

  page.markLink = function (chosen) {
    if (chosen !== undefined) marked = chosen;
    setTimeout(function () {
      const plot = plotOf(), data = page.bins, chosen = marked;
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
