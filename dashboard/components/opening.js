(() => {
  if (location.pathname !== "/") return;
  const PATIENCE_MS = 20000;
  const isThere = () =>
    document.querySelector("[data-testid=stMetricValue]")?.innerText ||
    document.querySelector("[data-testid=stMain] [data-testid=stAlertContentError]") ||
    performance.now() > PATIENCE_MS;
  fetch("first-answer" + location.search)
    .then((answer) => answer.text())
    .then((text) => {
      if (!text || isThere()) return;
      const place = document.createElement("main");
      place.id = "first-answer";
      place.innerHTML = `<aside>Controls are loading …</aside><section><h1>Explore <i>Will it fit,
        and will it feel fast?</i></h1>${text}</section>`;
      document.body.append(place);
      const look = () => (isThere() ? place.remove() : requestAnimationFrame(look));
      look();
    });
})();
