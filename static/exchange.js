/* Files dropped anywhere on the New job page go to its import form. Without this file the form's own
   input does the same. */
(() => {
  "use strict";
  const MOST_BYTES = 2 * 1024 * 1024;
  const form = () => document.querySelector("form[data-drop]");
  const root = document.documentElement;
  const holdsFiles = (event) => form() && [...(event.dataTransfer?.types ?? [])].includes("Files");

  const fits = (input) => {
    const size = [...input.files].reduce((sum, file) => sum + file.size, 0);
    input.setCustomValidity(size > MOST_BYTES ? "That is more than 2 MB, and no training config is." : "");
    return input.reportValidity();
  };

  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    root.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) root.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    root.classList.remove("dropping");
    if (!holdsFiles(event)) return;
    event.preventDefault();
    const input = form().querySelector("input[type=file]");
    input.files = event.dataTransfer.files;
    input.closest("details").open = true;
    if (fits(input)) form().requestSubmit();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("form[data-drop] input[type=file]")) fits(event.target);
  });
})();
