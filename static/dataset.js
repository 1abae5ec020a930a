/* The caption editor: saves while one types, appends pages while one scrolls, shows pictures at full
   size. Without this file every form and link does the same, a page at a time. */
(() => {
  "use strict";
  const grid = document.getElementById("grid");
  const WAIT = 700;

  // A save that is on its way, or has to be; by tile.
  const timers = new WeakMap();
  const dirty = new Set();
  const say = (tile, text, look = "") => {
    const place = tile.querySelector("[role=status]");
    if (place.textContent !== text) place.textContent = text;  // else it is read out at each key
    place.className = look;
  };
  const post = (address, data) => fetch(address, {
    method: "POST", body: new URLSearchParams(data), keepalive: true, headers: { Accept: "application/json" },
  });
  const area = (tile) => tile.querySelector("textarea");
  const version = (tile) => tile.querySelector("input[name=version]");

  const undoer = (tile, edit) => {
    tile.querySelector(".foot .undo")?.remove();
    if (!edit) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet undo";
    button.textContent = "Undo";
    button.setAttribute("aria-label", `Undo the edit of ${area(tile).getAttribute("aria-label")}`);
    button.addEventListener("click", () => undo(tile, edit));
    tile.querySelector(".foot").append(button);
  };
  const undo = async (tile, edit) => {
    await save(tile);
    const answer = await post(`${location.pathname}/edits/${edit}/undo`, {}).catch(() => null);
    if (!answer?.ok) return say(tile, "could not be undone: it was changed since", "fail");
    const told = await answer.json();
    area(tile).value = told.caption;
    version(tile).value = told.version;
    undoer(tile, 0);
    say(tile, "undone", "done");
    area(tile).focus();
  };

  const save = async (tile) => {
    clearTimeout(timers.get(tile));
    if (!dirty.has(tile) || tile.querySelector(".conflict") || tile.saving) return tile.saving;
    tile.saving = send(tile);
    await tile.saving;
    tile.saving = null;
    if (dirty.has(tile) && !tile.failed) return save(tile);
  };
  const send = async (tile) => {
    const form = tile.querySelector("form.caption");
    const text = area(tile).value;
    dirty.delete(tile);
    tile.failed = false;
    say(tile, "saving…");
    let answer;
    try { answer = await post(form.action, { caption: text, version: version(tile).value }); }
    catch { return failed(tile, "not saved: no connection, trying again"); }
    const json = answer.headers.get("Content-Type")?.includes("json");
    const told = json ? await answer.json() : {};
    if (told.version && answer.status === 409) return conflict(tile, told);
    if (!answer.ok || !json) return failed(tile, `not saved: ${told.error ?? "the dashboard did not answer, trying again"}`);
    version(tile).value = told.version;
    if (told.edit) undoer(tile, told.edit);
    say(tile, "saved", "done");
  };
  const failed = (tile, text) => {
    dirty.add(tile);
    tile.failed = true;
    say(tile, text, "fail");
    timers.set(tile, setTimeout(() => save(tile), 5000));
  };
  // Somebody else wrote another caption meanwhile: both are shown, nothing is overwritten.
  const conflict = (tile, told) => {
    say(tile, "changed elsewhere", "fail");
    const box = document.createElement("div");
    box.className = "conflict";
    box.setAttribute("role", "alert");
    const note = document.createElement("strong");
    note.textContent = told.version ? "Saved elsewhere meanwhile:" : told.error;
    const theirs = document.createElement("p");
    theirs.textContent = told.theirs || "(no caption)";
    const row = document.createElement("div");
    const choose = (label, act) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", () => { box.remove(); version(tile).value = told.version; act(); area(tile).focus(); });
      row.append(button);
    };
    choose("Keep mine", () => { dirty.add(tile); save(tile); });
    choose("Take theirs", () => { area(tile).value = told.theirs; dirty.delete(tile); say(tile, "theirs kept", "done"); });
    box.append(note, theirs, row);
    tile.querySelector("form.caption").append(box);
  };

  const tileOf = (element) => element.closest?.(".tile");
  document.addEventListener("input", (event) => {
    const tile = event.target.matches("textarea[name=caption]") && tileOf(event.target);
    if (!tile) return;
    dirty.add(tile);
    say(tile, "…");
    clearTimeout(timers.get(tile));
    timers.set(tile, setTimeout(() => save(tile), WAIT));
  });
  document.addEventListener("focusout", (event) => { const tile = tileOf(event.target); if (tile) save(tile); });
  document.addEventListener("submit", (event) => {
    const tile = event.target.matches(".tile form.caption") && tileOf(event.target);
    if (tile) { event.preventDefault(); dirty.add(tile); save(tile); }
  });
  addEventListener("beforeunload", (event) => {
    dirty.forEach((tile) => save(tile));
    if ([...document.querySelectorAll(".tile")].some((tile) => tile.saving || dirty.has(tile))) event.preventDefault();
  });
  // A thumbnail that cannot be made leaves its place as it is.
  document.addEventListener("error", (event) => { if (event.target.matches?.(".tile img")) event.target.classList.add("lost"); }, true);

  // From tile to tile by keyboard.
  const tiles = () => [...document.querySelectorAll(".tile")];
  const go = (tile, by, part) => {
    const all = tiles();
    const next = all[all.indexOf(tile) + by];
    next?.querySelector(part)?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  document.addEventListener("keydown", (event) => {
    const tile = tileOf(event.target);
    if (!tile) return;
    if (event.target.matches("textarea")) {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        save(tile);
        go(tile, event.shiftKey ? -1 : 1, "textarea");
      } else if (event.key === "Escape") tile.querySelector(".shot").focus();
    } else if (event.target.matches("a.shot")) {
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
      if (by) { event.preventDefault(); go(tile, by, ".shot"); }
      else if (event.key === "x") tile.querySelector("[name=ticked]").click();
      else if (event.key === "e") { event.preventDefault(); area(tile).focus(); }
    }
  });

  // Pages are appended while one scrolls towards the end.
  const watcher = new IntersectionObserver((seen) => seen.forEach(({ isIntersecting, target }) => {
    if (isIntersecting) { watcher.unobserve(target); more(target); }
  }), { rootMargin: "1500px" });
  const more = async (place) => {
    const link = place.querySelector("a");
    const answer = await fetch(link.dataset.next).catch(() => null);
    if (!answer?.ok || answer.redirected) return; // the link still leads to the page itself
    place.insertAdjacentHTML("beforebegin", await answer.text());
    place.remove();
    watch();
  };
  // A clip in sight shows its first frame in place of the sign.
  const frames = new IntersectionObserver((seen) => seen.forEach(({ isIntersecting, target }) => {
    if (!isIntersecting) return;
    frames.unobserve(target);
    target.addEventListener("loadeddata", () => target.removeAttribute("poster"), { once: true });
    target.preload = "metadata";
  }));
  const watch = () => {
    grid?.querySelectorAll(".next").forEach((place) => watcher.observe(place));
    grid?.querySelectorAll("video[poster]").forEach((clip) => frames.observe(clip));
  };
  if (grid) watch();

  document.addEventListener("change", (event) => { if (event.target.matches("[data-submit]")) event.target.form.requestSubmit(); });
})();
