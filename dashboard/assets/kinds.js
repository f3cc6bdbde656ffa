/* The cell-type view in the browser: its three parts in the address, moves of its figures, and what a click opens. */
(function () {
  "use strict";
  const dash = window.dash_clientside, own = dash.bi2scope;
  const set = (id, props) => dash.set_props(id, props);
  const whole = (value) => value.toLocaleString("en-US");
  const element = (type, children) => ({
    namespace: "dash_html_components", type: type, props: { children: children },
  });
  const plot = (id) => document.querySelector("#" + id + " .js-plotly-plot");
  const PARTS = ["peaks", "difference", "map"];
  const AROUND = 50000;  /* bases shown to either side of a peak */
  let last = 0;

  /* Show a place, or a gene, in the gene / locus view, with the links of a cell type. */
  function open(kind, place, gene, name) {
    if (Date.now() - last < 400) return;  /* one click may be told twice */
    last = Date.now();
    const query = new URLSearchParams();
    if (gene) query.set("gene", gene);
    if (place) query.set("region", place);
    if (kind) query.append("cell_type", kind);
    if (!own.mounted("locus")) return own.openView("locus", "?view=locus&" + query);
    own.locusRestore(query);
    if (gene) set("locus-find", { data: [{ value: "gene:" + gene, label: name || gene }], value: "gene:" + gene });
    set("view", { value: "locus" });
  }

  const bases = (peak) => {
    const found = /^(.+):(\d+)-(\d+)$/.exec(peak || "");
    return found && { chrom: found[1], start: Number(found[2]), end: Number(found[3]) };
  };

  const around = (peak) => {
    const at = bases(peak);
    return at && at.chrom + ":" + Math.max(0, at.start - AROUND) + "-" + (at.end + AROUND);
  };

  /* A window that holds both ends of a pair. */
  function openPair(kind, gene, name, peak, tss) {
    const at = bases(peak);
    if (!at) return;
    const low = Math.min(at.start, tss), high = Math.max(at.end, tss), margin = Math.max(AROUND, 0.1 * (high - low));
    open(kind, at.chrom + ":" + Math.max(0, Math.round(low - margin)) + "-" + Math.round(high + margin), gene, name);
  }

  const openKey = (kind, key, name) => (bases(key) ? open(kind, around(key)) : open(kind, null, key, name));

  function square(point, drawn) {
    if (!point || !drawn || point.x === undefined) return -1;
    const column = Math.round((point.x - drawn.x0) / drawn.dx), row = Math.round((point.y - drawn.y0) / drawn.dy);
    return drawn.place.indexOf(row * drawn.squares + column);
  }

  Object.assign(own, {
    showPart: function (part) {
      const style = (shown) => ({ display: shown ? "flex" : "none" });
      setTimeout(() => window.dispatchEvent(new Event("resize")), 50);  /* what was drawn out of sight has no width */
      return [...PARTS.map((name) => style(name === part)), { display: part === "peaks" ? "none" : "block" }];
    },

    typeState: (part, kind, against, feature, chromosome, panels) => ({ part, kind, against, feature, chromosome, panels }),

    typeQuery: function (query, now) {
      const kinds = now.kinds || { part: "peaks" };
      if (kinds.part !== "peaks") query.set("part", kinds.part);
      const types = kinds.part === "peaks" ? now.types || [] : [kinds.kind];
      types.filter(Boolean).forEach((kind) => query.append("cell_type", kind));
      if (kinds.part === "peaks") query.set("quantity", now.definition);
      if (kinds.part === "peaks" && kinds.panels === "each") query.set("panels", "each");
      if (kinds.part === "difference") {
        if (kinds.against) query.set("against", kinds.against);
        query.set("feature", kinds.feature);
      }
      if (kinds.part === "map" && kinds.chromosome) query.set("chromosome", kinds.chromosome);
    },

    typeRestore: function (given) {
      const part = given.get("part") || "peaks", types = given.getAll("cell_type");
      set("part", { value: part });
      if (part === "peaks") {
        set("types", { value: types });
        set("definition", { value: given.get("quantity") || given.get("definition") || "lift" });
        set("panels", { value: given.get("panels") || "one" });
        return;
      }
      if (types.length) set("kind", { value: types[0] });
      if (part === "difference") {
        set("against", { value: given.get("against") || "" });
        set("feature", { value: given.get("feature") || "peaks" });
      }
      if (part === "map" && given.get("chromosome")) set("map-chromosome", { value: given.get("chromosome") });
    },

    goToChromosome: function (span) {
      const gd = plot("tracks"), axis = gd && gd._fullLayout && gd._fullLayout.xaxis;
      if (!axis || axis.fixedrange) return;
      const at = span && span.split("-").map(Number);
      const to = at ? [at[0] - 0.5, at[1] - 0.5] : [axis.minallowed, axis.maxallowed];
      const same = (a, b) => Math.abs(a - b) < 0.6;
      if (same(axis.range[0], to[0]) && same(axis.range[1], to[1])) return;
      if (!at && !own.onChromosome) return;  /* the name went because the window moved on */
      window.Plotly.relayout(gd, { "xaxis.range": to });
    },

    nameChromosome: function (window_, options) {
      const text = window_ ? window_[0] + "-" + window_[1] : null;
      const found = (options || []).find((one) => one.value === text);
      own.onChromosome = Boolean(found);
      return found ? found.value : null;
    },

    pairsWindow: function (event) {
      if (dash.callback_context.triggered_id === "map-chromosome") {
        own.zoomed("pairs-window", null);
        return null;
      }
      if (!event || !Object.keys(event).some((key) => /^[xy]axis\.(range|autorange)/.test(key))) return dash.no_update;
      const layout = plot("pairs-map")._fullLayout, mega = (value) => Math.max(0, Math.round(value * 1e6));
      const [x, y] = [layout.xaxis, layout.yaxis];
      const all = [[x, 0], [x, 1], [y, 0], [y, 1]].every(
        ([axis, i]) => Math.abs(axis.range[i] - (i ? axis.maxallowed : axis.minallowed)) < 1e-6);
      own.whenAnswered("pairs-window", all ? null : [...x.range, ...y.range].map(mega));
      return dash.no_update;
    },

    openPoint: function (event, kind, types) {
      const point = event && event.points && event.points[0];
      if (!point || point.customdata === undefined) return;
      if (!Array.isArray(point.customdata)) return openKey(types[point.curveNumber % types.length], point.customdata.split("<br>")[0]);
      openKey(kind, point.customdata[0], point.customdata[1]);
    },

    openRow: function (clicked, rows, kind) {
      const field = clicked && clicked.colId;
      if (!["peak", "nearest", "key", "label", "gene_name"].includes(field)) return;
      const row = rows && rows[clicked.rowIndex];
      if (!row) return;
      if (row.gene_id) return openPair(kind, row.gene_id, row.gene_name, row.peak, row.tss);
      openKey(row.cell_type || kind, row.peak || row.key, row.label);
    },

    openSquare: function (event, drawn, kind) {
      const i = square(event && event.points && event.points[0], drawn);
      if (i >= 0) openPair(kind, drawn.gene_id[i], drawn.gene_name[i], drawn.peak[i], drawn.gene_tss[i]);
    },

    squareTooltip: function (hover, drawn) {
      const point = hover && hover.points && hover.points[0], i = square(point, drawn);
      if (i < 0 || !point.bbox) return [false, dash.no_update, dash.no_update, dash.no_update];
      const line = (name, value) => element("Tr", [element("Td", name), element("Td", value)]);
      const away = drawn.distance_to_tss[i];
      const lines = [
        line("Cells with the link", whole(drawn.n_cells[i]) + " of " + whole(drawn.n_both[i]) + " with both"),
        line("Mean score", drawn.mean_score[i].toFixed(4)),
        line("Distance to TSS", (away > 0 ? "+" : "") + whole(away) + " bp"),
      ];
      const many = drawn.n_pairs[i] > 1 ? [element("Div", "best of " + whole(drawn.n_pairs[i]) + " pairs here")] : [];
      const box = document.getElementById("pairs-map").getBoundingClientRect();
      const head = element("B", drawn.gene_name[i] + " – " + drawn.peak[i]);
      const table = element("Table", element("Tbody", lines));
      return [true, point.bbox, point.bbox.x0 > box.width / 2 ? "left" : "right", element("Div", [head, table, ...many])];
    },
  });

  /* What the figures show, for their CSV. */
  own.rowsOf = own.rowsOf || {};
  const points = (plot) => ({
    names: ["name", "label", "effect", "fdr", "effect_of_counts"],
    rows: plot._fullData.flatMap((trace) => (trace.mode === "markers" && trace.customdata) || []),
    notes: ["the points drawn: of those that fall on one place, the first; the whole table is another download"],
  });
  own.rowsOf.volcano = own.rowsOf["beside-open"] = points;
  own.rowsOf["pairs-map"] = function () {
    const drawn = window.dash_component_api.getLayout("pairs-drawn").props.data;
    const names = ["gene_id", "gene_name", "gene_tss", "peak", "distance_to_tss", "n_cells", "n_both", "mean_score", "n_pairs"];
    return {
      names: names,
      rows: drawn.place.map((_, i) => names.map((name) => drawn[name][i])),
      notes: ["each square of the map with the number of its pairs and the one linked in most cells"],
    };
  };
})();
