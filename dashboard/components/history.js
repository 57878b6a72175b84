(() => {
  const SETTLED_MS = 1500; // what is done to one control without such a rest is one gesture
  const replace = history.replaceState.bind(history);
  const push = history.pushState.bind(history);
  let gesture = 0;
  let touchedAt = -Infinity;
  let control = null;
  let recorded = 0; // the gesture whose change is an entry already
  const touched = (event) => {
    if (event.target !== control || event.timeStamp - touchedAt > SETTLED_MS) gesture += 1;
    touchedAt = event.timeStamp;
    control = event.target;
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, touched, { capture: true });
  addEventListener("popstate", () => (recorded = gesture), { capture: true });
  const record = (plain) => (state, unused, url) => {
    const to = new URL(url ?? location.href, location.href);
    if (to.pathname !== location.pathname || to.search === location.search)
      return plain(state, unused, url);
    const isNew = recorded !== gesture;
    recorded = gesture;
    return isNew ? push(state, unused, url) : replace(state, unused, url);
  };
  history.replaceState = record(replace);
  history.pushState = record(push);
})();
