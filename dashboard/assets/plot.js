/* The cell's map on the screen: at once as a picture (sketch.js), and by plotly.js, which takes longer, once nothing moves. */
(function () {
  "use strict";
  const dash = window.dash_clientside, page = dash.bi2scope;
  const element = (id) => document.getElementById(id);
  const plotOf = () => document.querySelector("#heatmap .js-plotly-plot");

  let plotted = null;  /* which map plotly.js has drawn */
  let held = null;  /* what only the picture shows so far */
  let noticed = false;
  page.bins = null;  /* what the tooltip reads of the maps that are shown */

  page.plotted = () => plotted;
  page.forgetPlot = () => { plotted = null; };

  page.drawMap = async function (now, answer) {
    say(answer.notice);
    if (answer.notice) return;
    page.bins = answer.bins;
    element("heatmap-caption").textContent = answer.caption;
    if (answer.figure) page.hideTip();
    if (pictured(now, answer)) held = { now, answer };
    else await plot(now, answer);
  };

  /* What the picture shows, drawn by plotly.js. */
  page.settleMap = async function () {
    if (held) await plot(held.now, held.answer);
  };

  function say(notice) {
    if (!notice && !noticed) return;
    noticed = Boolean(notice);
    dash.set_props("heatmap-notice", { children: notice || null });
  }

  /* A map that is new is drawn whole; of one that plotly.js has drawn, only the dots, if nothing else is another. */
  function pictured(now, answer) {
    const box = element("heatmap");
    if (answer.figure) return !now.window && page.sketch(box, answer, now);
    if (now.beside !== "alone") return false;
    const { traces, layout } = changed(plotOf(), answer.changes);
    return !Object.keys({ ...traces, ...layout }).length && page.cover(box, plotOf(), answer, now);
  }

  async function plot(now, answer) {
    const shown = await ready();
    const values = now.beside === "alone" ? laid(answer.bins.maps[0], now) : null;
    held = null;
    if (answer.figure) {
      if (values) answer.figure.data[0].z = values;
      await window.Plotly.react(shown, answer.figure.data, answer.figure.layout, answer.config);
      if (!shown.heard) listen(shown);
    } else {
      const { traces, layout } = changed(shown, answer.changes);
      if (values) traces.z = [values];
      await window.Plotly.update(shown, traces, layout);
    }
    if (!held) page.unsketch(element("heatmap"));
    plotted = now.frame;
    page.markLink();
  }

  /* The place of the plot, once there is what draws it. */
  async function ready() {
    await page.plotly();
    const box = element("heatmap");
    if (!box.querySelector(":scope > div")) {
      const place = box.insertBefore(document.createElement("div"), box.firstChild);
      place.style.height = "100%";
      new ResizeObserver(() => place._fullLayout && box.offsetParent && window.Plotly.Plots.resize(place)).observe(box);
    }
    return box.querySelector(":scope > div");
  }

  function listen(shown) {
    shown.heard = true;
    shown.on("plotly_relayouting", () => page.unsketch(element("heatmap")));
    shown.on("plotly_relayout", page.windowMoved);
    shown.on("plotly_hover", (event) => page.showTip(event.points[0]));
    shown.on("plotly_unhover", () => page.hideTip());
    shown.on("plotly_click", (event) => page.clickLink(event.points[0]));
  }

  /* Rows of values, from the bins that have one. */
  function laid(data, now) {
    const { bins } = page.readOf(data), rows = Math.ceil((data.gene_stop - data.gene_start) / data.dy);
    const flat = new Float32Array(rows * data.columns).fill(NaN), values = page.valuesOf(data, now);
    bins.row.forEach((row, i) => { flat[row * data.columns + bins.column[i]] = values[i]; });
    return Array.from({ length: rows }, (_, row) => flat.subarray(row * data.columns, (row + 1) * data.columns));
  }

  const same = (a, b) => a === b || (!(b && b.bdata) && JSON.stringify(a) === JSON.stringify(b));

  /* Assignments to places of a figure, as what Plotly.update takes; those that say nothing new are left out, for
     the axes are what takes long to draw. */
  function changed(shown, changes) {
    const traces = {}, layout = {};
    for (const { location, params } of changes) {
      const [part, ...path] = location, value = params.value;
      if (part === "data") {
        const all = traces[path[1]] = traces[path[1]] || shown.data.map((trace) => trace[path[1]]);
        all[path[0]] = value;
      } else {
        const before = path.reduce((at, name) => (at === undefined || at === null ? undefined : at[name]), shown.layout);
        if (!same(before, value)) layout[path.map((name, i) => (typeof name === "number" ? "[" + name + "]" : (i ? "." : "") + name)).join("")] = value;
      }
    }
    for (const name of Object.keys(traces)) if (traces[name].every((value, i) => same(shown.data[i][name], value))) delete traces[name];
    return { traces, layout };
  }
})();
