// Shows the numbers under the pointer at once; without it, the browser shows the same titles after a while.
(() => {
  const tip = document.getElementById("tip");
  const move = (event) => {
    const hit = event.target.closest && event.target.closest("[data-tip]");
    tip.hidden = !hit;
    if (!hit) return;
    tip.textContent = hit.dataset.tip;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const top = event.clientY + 16 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = top + "px";
  };
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerdown", move);
  for (const hit of document.querySelectorAll("[data-tip] > title")) hit.remove();
})();
