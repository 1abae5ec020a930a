/* Ticking, the preview of an operation on many captions, and a picture at full size with its crop. */
(() => {
  "use strict";
  const grid = document.getElementById("grid");
  const bulk = document.getElementById("bulk-form");
  const boxes = () => [...document.querySelectorAll("[name=ticked][form=bulk-form]")];

  // Ticks: shift takes all between; the number stands beside the choice.
  let last = null;
  const count = () => {
    const ticked = boxes().filter((box) => box.checked);
    document.getElementById("ticked-count").textContent = `the ${ticked.length} ticked`;
    boxes().forEach((box) => box.closest(".tile").classList.toggle("ticked", box.checked));
  };
  const choose = (scope) => { bulk.elements.scope.value = scope; };
  if (bulk) {
    document.addEventListener("click", (event) => {
      if (!event.target.matches("[name=ticked][form=bulk-form]")) return;
      const all = boxes();
      if (event.shiftKey && last) {
        const [from, to] = [all.indexOf(last), all.indexOf(event.target)].sort((a, b) => a - b);
        all.slice(from, to + 1).forEach((box) => { box.checked = event.target.checked; });
      }
      last = event.target;
      count();
      choose(all.some((box) => box.checked) ? "ticked" : "shown");
    });
    const every = document.getElementById("tick-all");
    every.hidden = false;
    every.addEventListener("click", () => {
      const on = boxes().some((box) => !box.checked);
      boxes().forEach((box) => { box.checked = on; });
      count();
      choose(on ? "ticked" : "shown");
    });
    // Only the fields that an operation has.
    const fields = () => {
      const { label, other } = bulk.elements.kind.selectedOptions[0].dataset;
      for (const [name, text] of [["text", label], ["other", other]]) {
        bulk.elements[name].closest(".field").hidden = !text;
        document.getElementById(`${name}-label`).textContent = text;
      }
      if (bulk.elements.kind.value === "trigger" && !bulk.elements.text.value) bulk.elements.text.value = document.getElementById("trigger_word").value;
    };
    bulk.elements.kind.addEventListener("change", fields);
    fields();
    count();
    bulk.addEventListener("submit", async (event) => {
      event.preventDefault();
      // What is still being typed belongs into the preview; the focus comes back where it was.
      const from = document.activeElement;
      from?.blur();
      const answer = await fetch(bulk.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(bulk)) }).catch(() => null);
      const dialog = document.getElementById("preview");
      if (!answer || ![200, 422].includes(answer.status)) { bulk.submit(); return; }
      dialog.innerHTML = await answer.text();
      mark(dialog);
      dialog.showModal();
      dialog.addEventListener("close", () => from?.focus(), { once: true });
    });
  }
  // What differs between before and after, by word.
  const mark = (dialog) => dialog.querySelectorAll("tr:has(del):has(ins)").forEach((row) => {
    const [old, fresh] = [row.querySelector("del"), row.querySelector("ins")];
    const [a, b] = [old, fresh].map((side) => side.textContent.split(/(\s+|,)/).filter((part) => part !== ""));
    let head = 0, tail = 0;
    while (head < Math.min(a.length, b.length) && a[head] === b[head]) head += 1;
    while (tail < Math.min(a.length, b.length) - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
    for (const [side, parts] of [[old, a], [fresh, b]]) {
      const changed = document.createElement("mark");
      changed.textContent = parts.slice(head, parts.length - tail).join("");
      side.replaceChildren(parts.slice(0, head).join(""), ...(changed.textContent ? [changed] : []), parts.slice(parts.length - tail).join(""));
    }
  });
  document.addEventListener("click", (event) => {
    const back = event.target.closest("#preview a[data-close]");
    if (back) event.preventDefault();
  });

  // Files that are dropped show how they come in.
  document.addEventListener("drop", () => { const add = document.getElementById("add"); if (add) add.open = true; }, true);

  // A picture at full size.
  const viewer = document.getElementById("viewer");
  const shots = () => [...document.querySelectorAll(".tile a[data-view]")];
  let shown = null;
  const open = async (link) => {
    const answer = await fetch(link.href.replace(/\?|$/, "/view?")).catch(() => null);
    if (!answer?.ok) { location.href = link.href; return; }
    shown = link;
    viewer.innerHTML = await answer.text();
    viewer.querySelectorAll("[data-close], [data-step]").forEach((button) => { button.hidden = false; });
    if (!viewer.open) viewer.showModal();
    viewer.querySelector("[data-close]").focus();
    crop(viewer);
  };
  const step = (by) => { const all = shots(); const next = all[all.indexOf(shown) + by]; if (next) open(next); };
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".tile a[data-view]");
    if (link && !event.ctrlKey && !event.metaKey) { event.preventDefault(); open(link); }
    const by = event.target.closest("#viewer [data-step]");
    if (by) step(Number(by.dataset.step));
    if (event.target === viewer) viewer.close();
  });
  viewer?.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by && !event.target.matches("input")) { event.preventDefault(); step(by); }
  });
  viewer?.addEventListener("close", () => { viewer.innerHTML = ""; shown?.focus(); });

  // A rectangle drawn on the picture fills the numbers, and numbers draw the rectangle.
  const crop = (root) => {
    const canvas = root.querySelector(".canvas"), form = root.querySelector("form.crop");
    if (!canvas || !form) return;
    const image = canvas.querySelector("img"), frame = document.createElement("div");
    frame.className = "frame";
    const field = (name) => form.elements[name];
    const draw = () => {
      const scale = image.clientWidth / image.naturalWidth;
      const [left, top, width, height] = ["left", "top", "width", "height"].map((name) => Number(field(name).value) * scale);
      if (!Number.isFinite(left + top + width + height)) return;
      canvas.append(frame);
      Object.assign(frame.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    };
    let from = null;
    const spot = (event) => {
      const box = image.getBoundingClientRect(), scale = image.naturalWidth / box.width;
      const inside = (value, most) => Math.round(Math.max(0, Math.min(most, value * scale)));
      return [inside(event.clientX - box.left, image.naturalWidth), inside(event.clientY - box.top, image.naturalHeight)];
    };
    canvas.addEventListener("pointerdown", (event) => { event.preventDefault(); from = spot(event); canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      const to = spot(event);
      field("left").value = Math.min(from[0], to[0]);
      field("top").value = Math.min(from[1], to[1]);
      field("width").value = Math.abs(from[0] - to[0]);
      field("height").value = Math.abs(from[1] - to[1]);
      draw();
    });
    canvas.addEventListener("pointerup", () => { from = null; });
    form.addEventListener("input", draw);
  };
  if (!grid) crop(document);
})();
