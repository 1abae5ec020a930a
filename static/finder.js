/* A long select opens as a list that is searched while one types; the select itself stays what the form
   sends. Without this file, or in a browser without popovers, it is the browser's own select. */
(() => {
  "use strict";
  if (!HTMLElement.prototype.showPopover) return;
  const PATIENCE = 10;  // a finger that moved further was scrolling
  const make = (name, attributes = {}, ...inner) => {
    const node = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    node.append(...inner);
    return node;
  };
  const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "");

  const input = make("input", { role: "combobox", "aria-expanded": "true", "aria-controls": "finder-list", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", placeholder: "Type to filter" });
  const list = make("div", { id: "finder-list", role: "listbox" });
  const [told, none] = [make("p", { role: "status", class: "hidden" }), make("p", { class: "none", "aria-hidden": "true" })];
  const leave = make("button", { type: "button", class: "quiet", popovertarget: "finder", popovertargetaction: "hide" }, "Close");
  const panel = make("div", { id: "finder", popover: "auto", role: "dialog", tabindex: "-1" }, make("div", { class: "top" }, input, leave, told), list, none);
  document.body.append(panel);
  const isOpen = () => panel.matches(":popover-open");
  let select = null, rows = [], at = -1;

  const draw = () => {
    const words = input.value.split(/\s+/).map(plain).filter(Boolean);
    list.replaceChildren();
    rows = [];
    for (const group of select.querySelectorAll("optgroup")) {
      const fitting = [...group.children].filter((option) => {
        const text = plain([option.text, option.value, option.dataset.foundBy ?? "", group.label].join(" "));
        return words.every((word) => text.includes(word));
      });
      if (!fitting.length) continue;
      const box = make("div", { role: "group", "aria-label": group.label }, make("div", { class: "group", "aria-hidden": "true" }, group.label));
      fitting.forEach((option) => {
        const [label, ...against] = option.text.trim().split(" · ");
        const row = make("div", { role: "option", id: `finder-${rows.length}`, "aria-selected": "false" }, label);
        if (against.length) row.append(" ", make("small", {}, against.join(", ")));
        if (option.selected) row.dataset.chosen = "";
        rows.push({ row, option });
        box.append(row);
      });
      list.append(box);
    }
    list.hidden = !rows.length;
    none.textContent = rows.length ? "" : select.dataset.finder;
    told.textContent = rows.length ? `${rows.length} of ${select.length}` : select.dataset.finder;
    const chosen = rows.findIndex(({ option }) => option.selected);
    stand(words.length ? 0 : Math.max(chosen, 0), "center");
  };

  // Where Enter would choose: told to a screen reader, the focus stays in the input.
  const stand = (place, block = "nearest") => {
    rows[at]?.row.classList.remove("on");
    rows[at]?.row.setAttribute("aria-selected", "false");
    at = rows.length ? Math.min(Math.max(place, 0), rows.length - 1) : -1;
    const row = rows[at]?.row;
    if (!row) return input.removeAttribute("aria-activedescendant");
    row.classList.add("on");
    row.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block });
  };

  const place = () => {
    const box = select.getBoundingClientRect(), page = document.documentElement;
    const width = Math.min(Math.max(box.width, 380), page.clientWidth - 16);
    const above = innerHeight - box.bottom < 340 && box.top > innerHeight - box.bottom;
    panel.style.width = `${width}px`;
    panel.style.left = `${scrollX + Math.max(8, Math.min(box.left, page.clientWidth - width - 8))}px`;
    panel.style.top = `${scrollY + (above ? Math.max(8, box.top - panel.offsetHeight - 4) : box.bottom + 4)}px`;
  };

  const open = (of, { typed = "", byTouch = false } = {}) => {
    select = of;
    select.focus();
    const name = select.labels[0]?.textContent.trim() ?? "";
    [panel, list].forEach((node) => node.setAttribute("aria-label", name));
    input.setAttribute("aria-label", `Find: ${name}`);
    input.value = typed;
    panel.showPopover();
    draw();
    place();
    (byTouch ? panel : input).focus({ preventScroll: true });  // a finger that wants its keyboard touches the input
  };
  const close = () => { panel.hidePopover(); select.focus(); };
  const choose = () => {
    const option = rows[at]?.option;
    close();
    if (!option || option.selected) return;
    select.value = option.value;
    ["input", "change"].forEach((type) => select.dispatchEvent(new Event(type, { bubbles: true })));
  };

  input.addEventListener("input", draw);
  panel.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) stand(at + step);
    else if (event.key === "Enter") choose();
    else if (event.key === "Tab") return close();  // and on from the select
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const found = rows.findIndex(({ row }) => row.contains(event.target));
    if (found >= 0) { stand(found); choose(); }
  });

  const longSelect = (event) => event.target.closest?.("select[data-finder]");
  let wasOpen = false, touched = null;
  document.addEventListener("mousedown", (event) => {
    if (event.button || !longSelect(event)) return;
    wasOpen = isOpen();
    event.preventDefault();
  });
  // Not before the click: a popover that opens earlier is closed again when the button comes up.
  document.addEventListener("click", (event) => {
    if (longSelect(event) && !wasOpen) open(longSelect(event));
    wasOpen = false;
  });
  document.addEventListener("touchstart", (event) => { touched = longSelect(event) ? event.touches[0] : null; }, { passive: true });
  document.addEventListener("touchend", (event) => {
    const [end, of] = [event.changedTouches[0], longSelect(event)];
    if (!of || !touched || Math.hypot(end.clientX - touched.clientX, end.clientY - touched.clientY) > PATIENCE) return;
    event.preventDefault();
    if (isOpen()) close(); else open(of, { byTouch: true });
  }, { passive: false });
  document.addEventListener("keydown", (event) => {
    if (!longSelect(event) || event.ctrlKey || event.metaKey) return;
    const letter = event.key.length === 1 && event.key !== " " && !event.altKey;
    if (!letter && !["Enter", " ", "ArrowDown", "ArrowUp", "F4"].includes(event.key)) return;
    event.preventDefault();
    open(longSelect(event), { typed: letter ? event.key : "" });
  });
})();
