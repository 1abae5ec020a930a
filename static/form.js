/* The New job form: the lines that a field makes are lit beside it, and fields that are drawn anew keep
   what a person opened and typed. */
(() => {
  "use strict";
  const KEEP = 300;  // browsers take so many changes of their history and no more
  // The lines made by the field under the pointer, else by the one with the focus.
  const light = (event) => {
    const preview = document.getElementById("job-preview");
    const field = [event.target, document.activeElement].map((spot) => spot?.closest?.("#job-fields .field")).find(Boolean);
    const input = field?.querySelector("[name]");
    preview?.querySelectorAll(".lit").forEach((line) => line.classList.remove("lit"));
    if (input) preview?.querySelectorAll(`[data-of="${CSS.escape(input.id)}"]`).forEach((line) => line.classList.add("lit"));
  };
  document.addEventListener("focusin", light);
  document.addEventListener("mouseover", light);

  // What is told of a field lies over its neighbours: Escape takes it away until the focus comes back.
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") event.target.closest?.("#job-fields > details .field")?.setAttribute("data-hush", ""); });
  document.addEventListener("focusout", (event) => event.target.closest?.(".field[data-hush]")?.removeAttribute("data-hush"));

  // Whether every field is explained is remembered in this browser.
  const explain = () => document.getElementById("explain");
  try {
    if (localStorage.getItem("explain")) explain().checked = true;
    document.addEventListener("change", (event) => { if (event.target === explain()) localStorage.setItem("explain", explain().checked ? "1" : ""); });
  } catch { /* a private window */ }

  // Fields drawn anew: what was opened stays open, what the server changed is shown even where a
  // person had typed, and what was typed while it was on its way stays.
  const inputs = () => [...document.querySelectorAll("#job-fields :is(input, select, textarea)[name]")];
  const drawn = (input) => input.tagName === "SELECT" ? [...input.options].find((o) => o.defaultSelected)?.value ?? "" : input.defaultValue;
  let sent = new Map(), opened = [], asked = null;
  const note = () => { sent = new Map(inputs().map((input) => [input.name, input.value])); };
  const unfold = (id) => { const box = document.getElementById(id); if (box) box.open = true; };
  const openOnes = () => [...document.querySelectorAll("#job-fields details[open]")].map((box) => box.id);
  // What is told of the base model stands among the fields and touches none of them.
  const aside = (event) => event.target.closest?.("#base-model-state, [hx-target='#base-model-state']");
  const ours = (event) => event.target.closest?.("#job-fields") && !aside(event) && event.detail?.ctx;
  document.addEventListener("htmx:before:request", (event) => {
    if (!ours(event)) return;
    note();
    asked = event.target.closest("button.leave")?.value ?? null;
  });
  document.addEventListener("htmx:before:swap", (event) => {
    if (ours(event)) opened = openOnes();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.target.id !== "job-fields" && !ours(event)) return;
    opened.forEach(unfold);
    inputs().forEach((input) => {
      if (sent.get(input.name) === input.value && input.type !== "hidden") input.value = drawn(input);
    });
    const left = asked && document.getElementById(asked);
    if (left) (left.disabled ? left.closest("details")?.querySelector("summary") : left)?.focus();
    asked = null;
  });

  // Who leaves the form, to install an engine say, and comes back to it finds what they typed: it is kept
  // with this place in the browser's history, so that a new form begins empty.
  const form = document.getElementById("job-form");
  let timer = 0;
  const keep = () => {
    clearTimeout(timer);
    timer = 0;
    history.replaceState({ ...history.state, draft: Object.fromEntries(new FormData(form)), opened: openOnes() }, "");
  };
  ["input", "change"].forEach((type) => form.addEventListener(type, () => { clearTimeout(timer); timer = setTimeout(keep, KEEP); }));
  form.addEventListener("focusout", () => { if (timer) keep(); });
  if (history.state?.draft) {
    note();
    history.state.opened.forEach(unfold);
    window.htmx?.ajax("POST", "/jobs/fields", { target: "#job-fields", swap: "outerMorph", values: history.state.draft });
  } else if (document.body.dataset.answer) keep();
})();
