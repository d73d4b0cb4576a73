// What changes, while it does: the numbers of a page that are as the log stands now, told by /events.
//
// Only fields with `data-live` are written, and none of them is a statement's: when an epoch has closed, a link to it is
// offered, and the numbers of the page stay those of the statement that it names. Without this script the page says the same
// and stays as it was made.
"use strict";

(() => {
  const state = document.querySelector('[data-live="state"]');
  if (!state || !("EventSource" in window)) return;

  // The epoch that was open when the page was made.
  const open = Number(state.dataset.open);
  // A gateway that is full or drains is asked again after so long; a lost connection the browser takes up by itself.
  const AGAIN_MS = 30_000;
  let source = null;
  let later = 0;

  const show = (name, text) => {
    for (const field of document.querySelectorAll(`[data-live="${name}"]`)) {
      if (field.textContent !== text) field.textContent = text;
    }
  };

  const stand = (word, isLive) => {
    show("state", word);
    state.classList.toggle("is-live", isLive);
  };

  const offer = (epoch) => {
    const news = document.querySelector('[data-live="news"]');
    if (!news || news.dataset.epoch === String(epoch)) return;
    news.dataset.epoch = String(epoch);
    const link = document.createElement("a");
    link.setAttribute("href", "/network");
    link.textContent = "show";
    const isAtLink = news.contains(document.activeElement);
    news.replaceChildren(`Epoch ${epoch} has closed: `, link);
    if (isAtLink) link.focus({ preventScroll: true });
  };

  const told = {
    entry: (data) => show("entries", String(data.entries)),
    checkpoint: (data) => {
      show("checkpoint", String(data.entries));
      show("checkpoint-root", data.root);
    },
    epoch: (data) => {
      if (data.closed && data.open > open) offer(data.closed.number);
    },
  };

  const listen = () => {
    clearTimeout(later);
    source?.close();
    source = new EventSource("/events");
    source.onopen = () => stand("live", true);
    source.onerror = () => {
      stand("not connected", false);
      if (source.readyState === EventSource.CLOSED) later = setTimeout(listen, AGAIN_MS);
    };
    for (const [name, tell] of Object.entries(told)) {
      source.addEventListener(name, (event) => tell(JSON.parse(event.data)));
    }
  };

  // A page that nobody looks at does not listen: there are only so many places.
  const look = () => {
    if (document.visibilityState === "visible") {
      listen();
    } else {
      clearTimeout(later);
      source?.close();
      stand("not connected", false);
    }
  };
  document.addEventListener("visibilitychange", look);
  look();
})();
