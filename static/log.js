/* The log panel: it follows its end, stops following when somebody scrolls up, says how much is new,
   and gives way to a stretch of the log that a search found. */
(() => {
  "use strict";
  const MOST = 1_000_000, MOST_PAUSED = 4_000_000;  // characters kept in the page
  const PIECE = 200;  // lines that are added and removed together
  const box = () => document.getElementById("log");
  const card = () => document.querySelector(".log-card");
  let atEnd = true, fresh = 0;

  const button = document.createElement("button");
  button.type = "button";
  button.className = "log-new main";
  button.addEventListener("click", () => { atEnd = true; follow(); box().focus({ preventScroll: true }); });
  const tell = () => {
    button.hidden = atEnd;
    button.textContent = fresh ? `${fresh.toLocaleString("en")} new line${fresh === 1 ? "" : "s"} · follow` : "Follow";
    if (!button.isConnected) box()?.parentElement.append(button);
  };
  const follow = () => {
    const log = box();
    if (!log) return;
    if (atEnd) { log.scrollTop = log.scrollHeight; fresh = 0; }
    tell();
  };
  document.addEventListener("scroll", (event) => {
    const log = box();
    if (event.target !== log) return;
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    if (atEnd) fresh = 0;
    tell();
  }, true);

  // A page that stays open for days keeps the newest pieces only.
  let held = 0;
  const trim = () => {
    const log = box(), most = atEnd ? MOST : MOST_PAUSED;
    while (log && held > most && log.querySelectorAll(".piece").length > 1) {
      const oldest = log.querySelector(".piece");
      held -= oldest.textContent.length;
      while (log.firstChild !== oldest) log.firstChild.remove();
      oldest.remove();
    }
  };
  // What a poll brings is a line or two: small pieces are joined, so that hours of them are few nodes.
  const join = (piece) => {
    const before = piece.previousElementSibling;
    const lines = Number(before?.dataset.lines) + Number(piece.dataset.lines);
    if (!before?.matches(".piece") || lines > PIECE) return;
    before.append(...piece.childNodes);
    before.normalize();
    before.dataset.lines = lines;
    piece.remove();
  };
  const count = () => {
    for (const piece of box()?.querySelectorAll(".piece:not([data-counted])") ?? []) {
      piece.dataset.counted = "";
      held += piece.textContent.length;
      if (!atEnd) fresh += Number(piece.dataset.lines);
      join(piece);
    }
  };

  // A stretch of the log stands in the panel's place until it is closed.
  const reading = () => {
    const part = document.getElementById("log-part");
    if (!part || part.classList.contains("page")) return;
    const shown = part.childElementCount > 0;
    card().classList.toggle("reading", shown);
    if (!shown || part.querySelector(".back")) return;
    const back = document.createElement("a");
    back.href = "#log";
    back.className = "edge back";
    back.textContent = "Back to the end of the log";
    back.addEventListener("click", (event) => { event.preventDefault(); part.replaceChildren(); reading(); follow(); box().focus({ preventScroll: true }); });
    part.append(back);
  };
  const toMark = () => {
    const mark = document.getElementById("mark"), part = document.getElementById("log-part");
    if (!mark || !part) return;
    if (part.classList.contains("page")) mark.scrollIntoView({ block: "center" });
    else part.scrollTop = mark.offsetTop - part.offsetTop - part.clientHeight / 2;
    mark.focus({ preventScroll: true });
  };

  let lastPart = null;
  document.addEventListener("click", (event) => {
    const hit = event.target.closest(".hits a");
    if (!hit) return;
    document.querySelectorAll(".hits a[aria-current]").forEach((old) => old.removeAttribute("aria-current"));
    hit.setAttribute("aria-current", "true");
  });
  let end = "";
  document.addEventListener("htmx:after:swap", () => {
    const next = document.getElementById("log-next")?.dataset.shown ?? "over";
    if (next !== end) { end = next; count(); trim(); follow(); }  // other regions poll, too
    reading();
    const mark = document.getElementById("mark");
    if (mark !== lastPart) { lastPart = mark; if (mark) toMark(); }
    // The first error is gone to at once: that is what was asked.
    const only = document.querySelector("#log-found[data-jump] .hits a");
    if (only) { delete document.getElementById("log-found").dataset.jump; only.click(); }
  });
  document.addEventListener("submit", (event) => {
    const form = event.target, found = document.getElementById("log-found");
    if (form.id !== "log-tools" || !window.htmx) return;
    event.preventDefault();
    const words = new URLSearchParams(new FormData(form, event.submitter));
    window.htmx.ajax("GET", `${form.dataset.search}?${words}`, { target: "#log-found", swap: "innerHTML" });
    if (event.submitter?.value === "error") found.dataset.jump = ""; else delete found.dataset.jump;
  }, true);
  count();
  follow();
  if (location.hash === "#mark") toMark();
  lastPart = document.getElementById("mark");
})();
