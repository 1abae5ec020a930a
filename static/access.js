/* A link that was just made gets the address that this browser itself uses, ready to be copied. */
(() => {
  "use strict";
  const link = document.getElementById("made-link");
  if (link) link.textContent = location.origin + link.textContent.trim();
})();
