/* The frame around the views: the address and its history, which store is asked, and whether it answers. */
(function () {
  "use strict";
  const dash = window.dash_clientside, page = dash.bi2scope;
  const element = (id) => document.getElementById(id);
  const set = (id, props) => dash.set_props(id, props);

  /* ---- which store is asked, and whether anything answers ---- */

  let asked = 0, away = null;
  const plainFetch = window.fetch.bind(window);

  window.fetch = function (target, options) {
    const address = typeof target === "string" ? target : target.url || "";
    if (!address.includes("_dash-update-component")) return plainFetch(target, options);
    const store = new URLSearchParams(window.location.search).get("store");
    const given = Object.assign({}, options);
    if (store) given.headers = Object.assign({}, given.headers, { "X-Bi2scope-Store": encodeURIComponent(store) });
    asked += 1;
    return plainFetch(target, given).catch(function (error) {
      if (error && error.name !== "AbortError") lost();
      throw error;
    }).finally(() => { asked -= 1; });
  };

  /* Ask the dashboard past Dash. What it refuses comes as a notice; when nothing answers, the page says so. */
  page.ask = async function (address, signal) {
    const store = new URLSearchParams(window.location.search).get("store");
    const headers = store ? { "X-Bi2scope-Store": encodeURIComponent(store) } : {};
    let answer;
    try {
      answer = await plainFetch(address, { headers: headers, signal: signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      lost();
      throw Object.assign(new Error(error.message), { name: "Unanswered" });
    }
    if (answer.ok) return answer.json();
    const props = { title: "The service answered with status " + answer.status + ".", children: "Try again in a moment.",
      color: "red", variant: "light", className: "notice" };
    return { notice: { namespace: "dash_mantine_components", type: "Alert", props: props } };
  };

  /* Set the data of a store once no question is under way, and after 400 ms in any case; of values that come faster
     than answers the last one counts. */
  const waiting = {};
  page.whenAnswered = function (id, data) {
    const under = id in waiting;
    waiting[id] = data;
    if (under) return;
    const until = Date.now() + 400;
    (function look() {
      if (asked > 0 && Date.now() < until) return setTimeout(look, 10);
      const last = waiting[id];
      delete waiting[id];
      set(id, { data: last });
      page.zoomed(id, last);
    })();
  };

  function lost() {
    if (away) return;
    away = { wait: 1000 };
    banner("The service does not answer. Trying again …");
    probe();
  }

  function probe() {
    plainFetch("api/v1/health", { cache: "no-store" }).then(
      (answer) => { if (!answer.ok) throw new Error(answer.status); back(); }
    ).catch(function () {
      setTimeout(probe, away.wait);
      away.wait = Math.min(2 * away.wait, 15000);
    });
  }

  function back() {
    away = null;
    banner("");
    wanted.clear();
    if (!element("cut-controls")) return set("boot", { data: Date.now() });
    if (!state) return;
    page.askAgain(state.cut);
  }

  function banner(text) {
    const box = element("connection");
    if (!box) return;
    box.textContent = text;
    box.hidden = !text;
  }

  /* ---- views: each is fetched when it is first opened ---- */

  const wanted = new Set();
  let openedWith = "";  /* the address that the page opened with */
  let fresh = true;  /* the page comes with the view that its address asks for */
  page.opened = function (query) {
    openedWith = query;
    fresh = true;
    wanted.clear();
  };
  page.mounted = (view) => Boolean(element("view-panel-" + view) && element("view-panel-" + view).childElementCount);

  page.mount = function (view, query) {
    const known = fresh || page.mounted(view) || wanted.has(view);
    fresh = false;
    wanted.add(view);
    if (known) return;
    set("opened", { data: { view: view, query: query || openedWith } });
  };

  /* Show a view as an address has it; for views that were not opened before. */
  page.openView = function (view, query) {
    page.mount(view, query);
    set("view", { value: view });
  };

  page.toCell = function (cell) {
    if (page.mounted("cell")) set("cell", { value: cell, data: [{ value: cell, label: cell }] });
    page.openView("cell", "?view=cell&cell=" + encodeURIComponent(cell));
  };

  /* ---- the address: everything that is shown, and the history of it ---- */

  let state = null, late = false, writing = null, restoring = 0;
  const depth = () => (window.history.state && window.history.state.depth) || 0;

  function query(now) {
    const text = new URLSearchParams(), before = new URLSearchParams(window.location.search);
    if (before.get("store")) text.set("store", before.get("store"));
    text.set("view", now.view);
    if (now.view === "locus") page.locusQuery(text, now.locus);
    else if (now.cell) text.set("cell", now.cell);
    if (now.view === "celltype") page.typeQuery(text, now);
    if (now.view === "overview" && now.by && now.by !== "type") text.set("by", now.by);
    if (now.view === "overview" && windows["lasso-window"]) text.set("lasso", windows["lasso-window"]);
    if (now.view === "tf") page.tfQuery(text, now.tf);
    text.set("threshold", String(now.cut.threshold));
    if (now.cut.top_k !== null) text.set("k", String(now.cut.top_k));
    if (now.cut.layer) text.set("layer", String(now.cut.layer));
    if (now.cut.head) text.set("head", String(now.cut.head));
    if (now.view === "cell" && now.colouring && now.colouring !== "score") text.set("colour", now.colouring);
    if (now.view === "cell" && now.scale === "log") text.set("scale", "log");
    if (now.view === "cell" && now.filter) text.set("only", now.filter);
    if (now.view === "cell" && now.beside && now.beside !== "alone") text.set("beside", now.beside);
    if (now.view === "cell" && now.beside === "cell" && now.other) text.set("other", now.other);
    if (now.view === "cell" && now.link) text.set("link", now.link.gene + "@" + now.link.peak);
    const w = now.view === "cell" && windows.window;
    if (w) text.set("window", [w.gene_start, w.gene_stop, w.peak_start, w.peak_stop].join("-"));
    const part = now.view === "celltype" && now.kinds && now.kinds.part;
    if (part === "map" && windows["pairs-window"]) text.set("window", windows["pairs-window"].join("-"));
    const span = part === "peaks" ? windows["track-window"] : now.view === "tf" ? windows["tf-window"] : null;
    if (span) text.set("span", span.join("-"));
    return "?" + text.toString();
  }

  page.writeAddress = function (
    view, cut, cell_, types, definition, tf, locus, colouring, scale, filter, kinds, beside, other, link, by, opened
  ) {
    if (!view || !cut) return dash.no_update;
    const cell = cell_ || (page.mounted("cell") ? null : new URLSearchParams(openedWith).get("cell"));
    const gene = (of) => of && of.gene;
    const part = (of) => of && of.part;
    const moved = state && (state.view !== view || state.cell !== cell || gene(state.locus) !== gene(locus) ||
      part(state.kinds) !== part(kinds));
    const unopened = state && state.view !== view && !page.mounted(view);
    state = { view, cell, cut, types, definition, tf, locus, colouring, scale, filter, kinds, beside, other, link, by };
    late = late || unopened;
    if (unopened) return dash.no_update;  /* it has yet to come, and then tells what it shows */
    writeSoon(moved || late || !window.history.state ? 0 : 350);
    late = false;
    if (!opened) return dash.no_update;
    zoomTo(opened);
    return null;
  };

  /* The windows of the figures, as the scripts that watch them tell. */
  const windows = {};
  page.zoomed = function (id, window_) {
    if (!id.endsWith("window") || windows[id] === window_) return;
    windows[id] = window_;
    if (state) writeSoon(350);
  };

  function writeSoon(wait) {
    clearTimeout(writing);
    writing = setTimeout(write, wait);
  }

  function write() {
    const text = query(state);
    if (Date.now() < restoring) return window.history.replaceState({ depth: depth() }, "", text), buttons();
    if (text === window.location.search && window.history.state) return;
    const first = !window.history.state;  /* what the page opened with becomes what it says */
    window.history[first ? "replaceState" : "pushState"]({ depth: first ? 0 : depth() + 1 }, "", text);
    buttons();
  }

  function buttons() {
    if (element("undo")) set("undo", { disabled: depth() === 0 });
  }

  /* Set the controls to what an address says; false when only a fresh page can show it. */
  function restore(text) {
    if (!state || !element("cut-controls")) return false;
    const given = new URLSearchParams(text), now = new URLSearchParams(query(state));
    if ((given.get("store") || "") !== (now.get("store") || "")) return false;
    const view = given.get("view");
    if (!view || !page.mounted(view)) return false;
    restoring = Date.now() + 1500;
    const changed = (name) => given.getAll(name).join("\n") !== now.getAll(name).join("\n");
    if (changed("threshold")) set("threshold", { value: Number(given.get("threshold")) });
    if (changed("k")) {
      set("top-k-on", { checked: given.has("k") });
      if (given.has("k")) set("top-k", { value: Number(given.get("k")) });
    }
    for (const name of ["layer", "head"]) if (changed(name)) set(name, { value: given.get(name) || "0" });
    if (view === "locus") return page.locusRestore(given) && shown(view);
    const cell = given.get("cell");
    if (cell && changed("cell") && page.mounted("cell")) set("cell", { value: cell, data: [{ value: cell, label: cell }] });
    if (view === "cell") {
      if ((given.get("colour") || "score") !== state.colouring) set("colouring", { value: given.get("colour") || "score" });
      if ((given.get("scale") || "linear") !== state.scale) set("scale", { value: given.get("scale") || "linear" });
      const other = given.get("other"), beside = given.get("beside") || "alone";
      if (other && changed("other")) set("other-cell", { value: other, data: [{ value: other, label: other }] });
      if (beside !== state.beside) set("beside", { value: beside });
      if (changed("link")) set("link-chosen", { data: page.linkOf(given.get("link")) });
      zoom("heatmap", given.get("window"), ["cell", "beside", "other"].some(changed) ? 900 : 0);
    }
    if (view === "overview") {
      page.colourCellsBy(given.get("by") || "type");
      page.lassoRestore(given.get("lasso"));
    }
    if (view === "celltype") {
      page.typeRestore(given);
      if ((given.get("part") || "peaks") === "peaks") zoom("tracks", given.get("span"), 0);
      if (given.get("part") === "map") zoom("pairs-map", given.get("window"), changed("chromosome") ? 900 : 0);
    }
    if (view === "tf") {
      page.tfRestore(given, state.tf || {});
      zoom("tf-tracks", given.get("span"), 0);
    }
    return shown(view);
  }

  function shown(view) {
    if (view !== state.view) set("view", { value: view });
    buttons();
    return true;
  }

  window.addEventListener("popstate", function () {
    clearTimeout(writing);
    if (restore(window.location.search)) return;
    page.opened(window.location.search);
    set("address", { data: { query: window.location.search, at: Date.now() } });
  });

  /* Show a window of a figure, or all of it, once the figure is there. */
  function zoom(id, text, wait) {
    const numbers = text && /^[0-9]+(-[0-9]+)+$/.test(text) ? text.split("-").map(Number) : null;
    (function attempt(left) {
      const plot = document.querySelector("#" + id + " .js-plotly-plot");
      const full = plot && plot._fullLayout && plot.data && plot.data.length && plot._fullLayout.xaxis;
      if (!full || wait > 0) {
        wait -= 100;
        return left && setTimeout(() => attempt(left - 1), 100);
      }
      const move = {};
      if (id === "heatmap") {
        if (numbers && numbers.length === 4) {
          move["xaxis.range"] = [numbers[2] - 0.5, numbers[3] - 0.5];
          move["yaxis.range"] = [numbers[1] - 0.5, numbers[0] - 0.5];
        } else if (windows.window) {
          const y = plot._fullLayout.yaxis;
          move["xaxis.range"] = [full.minallowed, full.maxallowed];
          move["yaxis.range"] = [y.maxallowed, y.minallowed];
        }
      } else if (id === "pairs-map") {
        const y = plot._fullLayout.yaxis, mega = (text_) => text_ / 1e6;
        const whole = [full.minallowed, full.maxallowed, y.minallowed, y.maxallowed];
        const to = numbers && numbers.length === 4 ? numbers.map(mega) : windows["pairs-window"] ? whole : null;
        if (to) Object.assign(move, { "xaxis.range": to.slice(0, 2), "yaxis.range": to.slice(2) });
      } else if (numbers && numbers.length === 2) {
        move["xaxis.range"] = [numbers[0] - 0.5, numbers[1] - 0.5];
      } else if (windows[id === "tracks" ? "track-window" : "tf-window"]) {
        move["xaxis.range"] = [full.minallowed, full.maxallowed];
      }
      if (Object.keys(move).length) window.Plotly.relayout(plot, move);
    })(100);
  }

  /* What an address names beyond the controls: the window of the figure in view. */
  function zoomTo(shown) {
    if (shown.view === "overview" && shown.lasso) page.lassoRestore(shown.lasso);
    if (shown.view === "cell" && shown.window) zoom("heatmap", shown.window, 0);
    if (shown.view === "celltype" && shown.span) zoom("tracks", shown.span, 0);
    if (shown.view === "celltype" && shown.window) zoom("pairs-map", shown.window, 0);
    if (shown.view === "tf" && shown.span) zoom("tf-tracks", shown.span, 0);
  }

  page.goBack = () => depth() > 0 && window.history.back();

  page.undo = function () {
    if (dash.callback_context.triggered_id) page.goBack();
  };

  /* What the controls say; null until the page has been told once. */
  page.state = () => state;
  page.cutMoves = () => Boolean(state && page.cutNow() && JSON.stringify(page.cutNow()) !== JSON.stringify(state.cut));

  /* The address of what is shown now. */
  page.address = function () {
    if (state) { clearTimeout(writing); write(); }
    return window.location.href;
  };

  page.say = function (text) {
    set("said", { children: text });
    setTimeout(() => set("said", { children: "" }), 2500);
  };

  page.copyLink = function (clicks) {
    if (!clicks) return dash.no_update;
    const address = page.address(), done = page.say;
    const byHand = function () {
      const box = document.createElement("textarea");
      box.value = address;
      document.body.append(box);
      box.select();
      const good = document.execCommand("copy");
      box.remove();
      done(good ? "Link copied" : "Copy the link from the address bar");
    };
    if (navigator.clipboard) navigator.clipboard.writeText(address).then(() => done("Link copied"), byHand);
    else byHand();
    return dash.no_update;
  };

  page.showKeys = (clicks) => Boolean(clicks);

  page.openStore = function (slug) {
    const now = new URLSearchParams(window.location.search).get("store");
    if (slug && slug !== now) window.location.search = "?store=" + encodeURIComponent(slug);
  };
})();
