/* The browser's tab tells how far the job is, in its title and its icon. Fed by attributes of the
   polled status, so that it asks for nothing of its own. */
(() => {
  "use strict";
  const COLOURS = { succeeded: "#1b8a4b", failed: "#c9342b", cancelled: "#6b7584", stopping: "#b3730a" };
  const ring = (percent, state) => {
    const colour = COLOURS[state] || "#1f5fd0";
    const mark = { succeeded: "M8 12.5l3 3 5-6.5", failed: "M9 9l6 6M15 9l-6 6" }[state] || "";
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke-width="4">` +
      `<circle cx="12" cy="12" r="9.5" stroke="#9aa4b2" stroke-opacity=".45"/>` +
      `<circle cx="12" cy="12" r="9.5" stroke="${colour}" pathLength="100" stroke-dasharray="${percent} 100" transform="rotate(-90 12 12)"/>` +
      `<path d="${mark}" stroke="${colour}" stroke-width="2.6" stroke-linecap="round"/></svg>`;
  };
  const link = document.querySelector("link[rel='icon']");
  const plain = link?.href;
  let shown = "";
  const tell = () => {
    const box = document.querySelector("[data-tab]");
    if (!box) return;
    const title = `${box.dataset.tab} · Vast LoRA`;
    if (document.title !== title) document.title = title;
    const { progress = "", tabState = "" } = box.dataset;
    if (!link || shown === progress + tabState) return;
    shown = progress + tabState;
    link.href = progress === "" ? plain : `data:image/svg+xml,${encodeURIComponent(ring(progress, tabState))}`;
  };
  document.addEventListener("htmx:after:swap", tell);
  // A new icon keeps the browser busy: not before it has drawn the page.
  (window.painted ?? Promise.resolve()).then(tell);
})();
