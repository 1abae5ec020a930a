/* A link that was just made gets the address that this browser itself uses, ready to be copied. */
(() => {
  "use strict";
  document.addEventListener("DOMContentLoaded", () => {
    const link = document.getElementById("made-link");
    if (link) link.textContent = location.origin + link.textContent.trim();
  });
})();
