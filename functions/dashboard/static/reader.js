// Shows times in the reader's zone, with UTC as the tooltip, and numbers as the reader writes them.
(() => {
  const times = new Intl.DateTimeFormat(undefined, {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
    timeZoneName: "short",
  });
  // The server writes 1,234.5 and no other number with a comma or a point; names are in <bdi>.
  const NUMBER = /(?<![\w.,\/#-])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+)(?![\w\/-]|[.,]\d)/g;
  const NOT_IN = "bdi, code, kbd, pre, time, script, style, textarea, option, [role=log]";
  const asWritten = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1 }).format(1234.5) === "1,234.5";
  const done = new WeakMap();

  const number = (text) => {
    const digits = text.split(".")[1]?.length ?? 0;
    const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(undefined, format).format(Number(text.replaceAll(",", "")));
  };

  const show = () => {
    for (const time of document.querySelectorAll("time[datetime]:not([title])")) {
      time.title = time.textContent;
      time.textContent = times.format(new Date(time.dateTime));
    }
    const main = document.querySelector("main");
    if (asWritten || !main) return;
    const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      if (done.get(text) === text.data || text.parentElement.closest(NOT_IN)) continue;
      const shown = text.data.replace(NUMBER, number);
      if (shown !== text.data) text.data = shown;
      done.set(text, text.data);
    }
  };
  document.addEventListener("page:changed", show);
  show();
})();
