/* Figures as files: SVG and PNG at print size on white, whatever the page looks like, and CSV of what is drawn. */
(function () {
  "use strict";
  const page = window.dash_clientside.bi2scope;
  const element = (id) => document.getElementById(id);
  const DOUBLE_COLUMN = 680, SINGLE_COLUMN = 340, TALLEST = 850;  /* 180, 90 and 225 mm in CSS pixels, 96 an inch */
  const PER_INCH = 300, PER_METRE = Math.round(PER_INCH / 0.0254);
  const FONT = "Arial, Helvetica, sans-serif";
  const MOST_RECTANGLES = 300000;

  /* What a file says of itself: program, data set, model, the address that shows the same again, further lines. */
  function comments(name, more) {
    return [...JSON.parse(element("origin").dataset.lines), "figure: " + name, "page: " + page.address(), ...more];
  }

  /* Name of a file: data set, view, what it shows, the cut. */
  function fileName(name, ending) {
    const shown = new URL(page.address()).searchParams, view = shown.get("view") || "cell";
    const of = { cell: ["cell", "link"], locus: ["gene", "region"], celltype: ["cell_type"], tf: ["cell_type"] }[view] || [];
    const cut = [["score-above-", "threshold"], ["k-", "k"], ["layer-", "layer"], ["head-", "head"]]
      .filter(([, key]) => shown.get(key)).map(([before, key]) => before + shown.get(key));
    const subject = of.map((key) => shown.getAll(key).join("+")).filter(Boolean);
    const parts = [element("origin").dataset.name, view, ...subject, name, ...(view === "overview" ? [] : cut)];
    return parts.map((part) => part.replace(/[\s/\\:*?"<>|]+/g, "-").slice(0, 80)).join("_") + "." + ending;
  }

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  /* ---- CSV ---- */

  const quoted = (value) => {
    if (value === null || value === undefined || (typeof value === "number" && !Number.isFinite(value))) return "";
    const text = String(value).replace(/<br>/g, "; ").replace(/<[^>]*>/g, "");
    const safe = typeof value === "string" && /^[=+@\t\r]|^-(?![0-9.])/.test(text) ? "'" + text : text;
    return /[",\n\r]/.test(safe) ? '"' + safe.replace(/"/g, '""') + '"' : safe;
  };

  const title = (axis) => (axis && axis.title && axis.title.text ? axis.title.text.replace(/<br>/g, " ") : "");
  const within = (value, axis) => {
    const [low, high] = [Math.min(...axis.range), Math.max(...axis.range)];
    return axis.type === "linear" && typeof value === "number" ? value >= low && value <= high : true;
  };

  /* The points of every trace in view, with the titles of its axes. */
  function tracePoints(plot) {
    const rows = [];
    plot._fullData.forEach(function (trace) {
      if (trace.visible !== true || !trace.x || !trace.y) return;
      const layout = plot._fullLayout, key = (id, letter) => layout[letter + "axis" + id.slice(1)];
      const x = key(trace.xaxis || "x", "x"), y = key(trace.yaxis || "y", "y");
      if (trace.type === "heatmap") {
        trace.z.forEach((row, j) => Array.from(row).forEach((z, i) =>
          rows.push([z, title(x), trace.x[i], title(y), trace.y[j], null])));
        return;
      }
      const notes = Array.isArray(trace.text) ? trace.text : trace.customdata;
      Array.from(trace.x).forEach(function (at, i) {
        if (at === null || trace.y[i] === null || trace.y[i] === undefined || !within(at, x)) return;
        const note = notes && notes[i] !== undefined && typeof notes[i] !== "object" ? notes[i] : null;
        rows.push([trace.name, title(x), at, title(y), trace.y[i], note]);
      });
    });
    const cells = plot._fullData.some((trace) => trace.type === "heatmap" && trace.x);
    return { names: [cells ? "value" : "series", "x_axis", "x", "y_axis", "y", "note"], rows: rows };
  }

  /* What a figure shows, by its name, where points of traces are not what a reader wants; views add theirs. */
  page.rowsOf = page.rowsOf || {};

  function saveCsv(plot, id, name) {
    const table = (page.rowsOf[id] || tracePoints)(plot);
    const lines = comments(name, table.notes || ["what the figure draws, within its window"]).map((line) => "# " + line);
    const rows = [table.names, ...table.rows].map((row) => row.map(quoted).join(","));
    save(new Blob([[...lines, ...rows].join("\n") + "\n"], { type: "text/csv" }), fileName(name, "csv"));
  }

  /* A table of the API, with the address of the page among its first lines; nothing else in it changes. */
  async function saveTable(link) {
    const answer = await window.fetch(link.href);
    if (!answer.ok) throw new Error("the service answered with status " + answer.status);
    const said = answer.headers.get("Content-Disposition") || "";
    const name = /filename\*=UTF-8''([^;]+)/.exec(said) || /filename="([^"]+)"/.exec(said);
    const text = await answer.text(), first = text.startsWith("#") ? text.indexOf("\n") + 1 : 0;
    const whole = first ? [text.slice(0, first), "# page: " + page.address() + "\n", text.slice(first)] : [text];
    save(new Blob(whole, { type: "text/csv" }), name ? decodeURIComponent(name[1]) : link.pathname.split("/").pop());
  }

  /* ---- pictures ---- */

  const rgb = (text) => {
    const hex = /^#([0-9a-f]{6})$/i.exec(text);
    if (hex) return [0, 2, 4].map((i) => parseInt(hex[1].slice(i, i + 2), 16));
    const numbers = /^rgb\((.+)\)$/.exec(text);
    return numbers ? numbers[1].split(",").map(Number) : null;
  };
  const mixed = (a, b, share) => a.map((value, i) => value + share * (b[i] - value));
  const written = (colour) => "rgb(" + colour.map(Math.round).join(",") + ")";

  /* The colour at a place of a scale, a list of [place, colour]. */
  function colourAt(scale, place) {
    const next = Math.max(1, scale.findIndex(([at]) => at >= place));
    const [[low, a], [high, b]] = [scale[next - 1], scale[next]];
    return mixed(rgb(a), rgb(b), high > low ? Math.min(1, Math.max(0, (place - low) / (high - low))) : 0);
  }

  /* Where on a scale a colour lies; null when it is none of it. */
  function placeOf(scale, colour) {
    for (let i = 1; i < scale.length; i++) {
      const a = rgb(scale[i - 1][1]), b = rgb(scale[i][1]), way = b.map((value, k) => value - a[k]);
      const square = way.reduce((sum, value) => sum + value * value, 0);
      const share = way.reduce((sum, value, k) => sum + value * (colour[k] - a[k]), 0) / square;
      const near = mixed(a, b, Math.min(1, Math.max(0, share)));
      if (near.every((value, k) => Math.abs(value - colour[k]) < 1.6))
        return scale[i - 1][0] + Math.min(1, Math.max(0, share)) * (scale[i][0] - scale[i - 1][0]);
    }
    return null;
  }

  /* A text that is a colour of the dark page, as the light page has it; all else as it is. */
  function lightened(text, map) {
    if (map.plain[text]) return map.plain[text];
    const colour = rgb(text);
    const place = colour && placeOf(map.dark, colour);
    return place === null || place === undefined ? text : written(colourAt(map.light, place));
  }

  /* A copy of a figure in which colours are the light page's, in texts too. Numbers that come as bytes are left. */
  function inLight(value, map) {
    if (typeof value === "string") {
      if (value.length < 24) return lightened(value, map);
      return value.includes("color:#") ? value.replace(/#[0-9a-f]{6}/g, (one) => map.plain[one] || one) : value;
    }
    if (Array.isArray(value)) return value.map((one) => inLight(one, map));
    if (!value || typeof value !== "object" || ArrayBuffer.isView(value) || value.bdata) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inLight(one, map)]));
  }

  /* Steps of colour of a map as outlines, so that its cells stay sharp at any size; null when there are too many. */
  function outlines(trace, full) {
    const steps = new Map(), scale = trace.colorscale, n = 100;
    let count = 0;
    full.z.forEach(function (row, j) {
      const y = full.y0 + (j - 0.5) * full.dy;
      for (let i = 0; i < row.length; i++) {
        const level = levelOf(row[i]);
        if (level === null) continue;
        const first = i;
        while (i + 1 < row.length && levelOf(row[i + 1]) === level) i += 1;
        const left = full.x0 + (first - 0.5) * full.dx, right = full.x0 + (i + 0.5) * full.dx;
        if (!steps.has(level)) steps.set(level, []);
        steps.get(level).push("M" + left + "," + y + "H" + right + "V" + (y + full.dy) + "H" + left + "Z");
        count += 1;
      }
    });
    function levelOf(z) {
      if (z === null || z === undefined || !Number.isFinite(z)) return null;
      const share = Math.min(1, Math.max(0, (z - full.zmin) / (full.zmax - full.zmin)));
      return Math.round(n * (full.reversescale ? 1 - share : share));
    }
    if (count > MOST_RECTANGLES) return null;
    return [...steps].map(([level, paths]) => ({
      type: "path", path: paths.join(""), fillcolor: written(colourAt(scale, level / n)), line: { width: 0 },
      xref: full.xaxis, yref: full.yaxis, layer: "above",
    }));
  }

  /* The figure as it is printed. */
  function printed(plot) {
    const map = JSON.parse(element("origin").dataset.colours);
    const dark = document.documentElement.getAttribute("data-mantine-color-scheme") === "dark";
    const copy = (value) => (dark ? inLight(value, map) : Object.assign(Array.isArray(value) ? [] : {}, value));
    const data = copy(plot.data).map((trace) => Object.assign({}, trace)), layout = copy(plot.layout);
    layout.shapes = [...(layout.shapes || [])];
    plot._fullData.forEach(function (full, i) {
      const drawn = full.type === "heatmap" && full.visible === true && !full.x && outlines(data[i], full);
      if (!drawn) return;
      layout.shapes.push(...drawn);
      Object.assign(data[i], { z: [[full.zmin]], x0: -1e7, y0: -1e7 });  /* out of sight: its colour bar stays */
    });
    Object.keys(plot._fullLayout).filter((key) => /^[xy]axis\d*$/.test(key)).forEach(function (key) {
      const { range } = plot._fullLayout[key];  /* as seen: what was moved out of sight would widen it */
      layout[key] = Object.assign({}, layout[key], { range: [...range], autorange: false });
    });
    const { width, height } = plot.getBoundingClientRect();
    layout.width = Math.round(Math.min(DOUBLE_COLUMN, Math.max(SINGLE_COLUMN, width)));
    layout.height = Math.round(Math.min(TALLEST, height));
    Object.assign(layout, { autosize: false, paper_bgcolor: "#ffffff", uirevision: undefined });
    layout.font = Object.assign({}, layout.font, { family: FONT });
    return { data: data, layout: layout, config: { staticPlot: true } };
  }

  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  async function saveSvg(plot, name) {
    const given = await window.Plotly.toImage(printed(plot), { format: "svg" });
    const text = decodeURIComponent(given.slice(given.indexOf(",") + 1));
    const said = "<desc>" + escaped(comments(name, []).join("\n")) + "</desc>";
    const whole = text.replace(/(<svg[^>]*>)/, (start) => start + said);
    save(new Blob([whole], { type: "image/svg+xml" }), fileName(name, "svg"));
  }

  async function savePng(plot, name) {
    const given = await window.Plotly.toImage(printed(plot), { format: "png", scale: PER_INCH / 96 });
    const bytes = Uint8Array.from(atob(given.slice(given.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
    const size = new DataView(new ArrayBuffer(9));
    size.setUint32(0, PER_METRE);
    size.setUint32(4, PER_METRE);
    size.setUint8(8, 1);  /* pixels a metre */
    const text = new TextEncoder().encode("Description\0\0\0\0\0" + comments(name, []).join("\n"));
    const header = 33;  /* signature and the first chunk */
    const whole = [bytes.slice(0, header), chunk("pHYs", new Uint8Array(size.buffer)), chunk("iTXt", text), bytes.slice(header)];
    save(new Blob(whole, { type: "image/png" }), fileName(name, "png"));
  }

  /* A chunk of a PNG: length, name, data, and the CRC-32 of name and data. */
  function chunk(name, data) {
    const whole = new Uint8Array(12 + data.length), view = new DataView(whole.buffer);
    view.setUint32(0, data.length);
    whole.set(new TextEncoder().encode(name), 4);
    whole.set(data, 8);
    let crc = ~0;
    for (const byte of whole.subarray(4, 8 + data.length)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    view.setUint32(8 + data.length, ~crc);
    return whole;
  }

  /* ---- buttons and links ---- */

  const FORMS = { csv: (plot, id, name) => saveCsv(plot, id, name), svg: (plot, _, name) => saveSvg(plot, name), png: (plot, _, name) => savePng(plot, name) };

  const LOADING = "[data-dash-is-loading=true]";

  /* Until the figure is that of the cut which its file will name. */
  async function atRest(figure) {
    do await new Promise((done) => setTimeout(done, 50));
    while (page.cutMoves() || figure.matches(LOADING) || figure.querySelector(LOADING));
  }

  async function saveFigure(button) {
    const figure = button.closest(".figure");
    if (figure) await atRest(figure);
    if (figure && figure.querySelector(".sketch")) await page.replot();
    const plot = figure && figure.querySelector(".js-plotly-plot");
    if (!plot || !plot.data || !plot.data.length) return page.say("Nothing is drawn yet");
    await FORMS[button.dataset.save](plot, button.dataset.figure, button.dataset.name);
  }

  async function tried(work) {
    try {
      await work();
    } catch (error) {
      page.say("Not saved: " + error.message);
    }
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("button[data-save]");
    if (button) tried(() => saveFigure(button));
    const link = event.target.closest("a[download]"), plain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (link && plain && link.origin === window.location.origin && /\/api\/v1\/.*\.(csv|bedpe)$/.test(link.pathname)) {
      event.preventDefault();
      tried(() => saveTable(link));
    }
  });
})();
