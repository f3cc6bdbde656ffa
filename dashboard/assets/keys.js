/* What the keys do; `dashboard/keys.py` lists them. */
(function () {
  "use strict";
  const dash = window.dash_clientside, page = dash.bi2scope;
  const element = (id) => document.getElementById(id);
  const set = (id, props) => dash.set_props(id, props);
  const click = (id) => element(id) && element(id).click();
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  function mostK() {
    const thumb = document.querySelector("#top-k [role=slider]");
    return thumb ? Number(thumb.getAttribute("aria-valuemax")) : 10;
  }

  const cutNow = () => page.cutNow() || page.state().cut;

  function stepThreshold(by) {
    set("threshold", { value: clamp(Math.round(100 * (cutNow().threshold + by)) / 100, 0.5, 1) });
  }

  /* One by one up to 20, by fives beyond. */
  function stepK(up) {
    if (cutNow().top_k === null) return;
    const k = cutNow().top_k;
    const next = up ? (k < 20 ? k + 1 : 5 * Math.floor(k / 5) + 5) : k <= 20 ? k - 1 : 5 * Math.ceil(k / 5) - 5;
    set("top-k", { value: clamp(next, 1, mostK()) });
  }

  function reset() {
    set("threshold", { value: 0.5 });
    set("top-k-on", { checked: true });
    set("top-k", { value: Math.min(10, mostK()) });
  }

  function focusSearch() {
    const fields = [...document.querySelectorAll(".part input[type=text], .part input:not([type])")];
    const field = fields.find((one) => one.offsetParent && !one.readOnly) || fields.find((one) => one.offsetParent);
    if (field) { field.focus(); field.select(); }
  }

  function openView(number) {
    const tabs = document.querySelectorAll("#view [role=tab]");
    if (tabs[number - 1]) tabs[number - 1].click();
  }

  const keys = {
    "?": () => set("help", { opened: true }),
    n: () => page.state().view === "cell" && click("next-cell"),
    p: () => page.state().view === "cell" && click("previous-cell"),
    "/": focusSearch,
    t: () => stepThreshold(0.01),
    T: () => stepThreshold(-0.01),
    k: () => stepK(true),
    K: () => stepK(false),
    r: reset,
    d: () => click("light-or-dark"),
    u: page.goBack,
    c: () => click("copy-link"),
  };

  const TYPED = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable=true]";

  document.addEventListener("keydown", function (event) {
    const at = event.target, typing = at.closest && at.closest(TYPED);
    if (typing || !page.state() || document.querySelector("[role=dialog]")) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "z") {
      event.preventDefault();
      if (event.shiftKey) window.history.forward();
      else page.goBack();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const run = keys[event.key] || (/^[1-9]$/.test(event.key) ? () => openView(Number(event.key)) : null);
    if (!run) return;
    event.preventDefault();
    run();
  });
})();
