// Draws every panel in the page's colours: by day, by night, and on paper. A colour in a panel is the name of a CSS
// variable, so page.css alone decides what it is.
"use strict";
(() => {
  const unpack = (id) => {
    const { textContent, dataset } = document.getElementById(id);
    const packed = Uint8Array.from(atob(textContent), (letter) => letter.charCodeAt(0));
    return new TextDecoder().decode(inflate(packed, Number(dataset.size)));
  };
  // As a script of the page, Plotly's code runs at once.
  const script = document.createElement("script");
  script.textContent = unpack("plotly");
  document.head.append(script);

  const panels = JSON.parse(unpack("panels"));
  const root = document.documentElement;
  const config = { responsive: true, displayModeBar: false, scrollZoom: false, doubleClick: false };

  const coloured = (value, key, style) => {
    if (typeof value === "string") {
      const named = /color/.test(key) && /^var\((--[a-z0-9]+)\)$/.exec(value);
      return named ? style.getPropertyValue(named[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => coloured(item, key, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, coloured(item, name, style)]));
  };

  const drawn = new Set();
  const draw = (id) => {
    const style = getComputedStyle(root);
    const layout = coloured(panels[id].layout, "", style);
    layout.font.family = style.fontFamily;
    drawn.add(id);
    Plotly.react(id, coloured(panels[id].data, "", style), layout, config);
  };

  // What is far below waits until it is nearly in sight, or nothing else is to be done; on paper everything is in sight.
  const nearby = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting && !drawn.has(target.id)) draw(target.id);
    },
    { rootMargin: "1200px" },
  );
  for (const id in panels) nearby.observe(document.getElementById(id));
  const drawNext = () => {
    const id = Object.keys(panels).find((panel) => !drawn.has(panel));
    if (id === undefined) return;
    draw(id);
    setTimeout(drawNext, 50);
  };
  addEventListener("load", () => setTimeout(drawNext, 1000));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));

  // What is drawn again keeps its size, which on paper is another one.
  const drawToSize = (id) => {
    draw(id);
    Plotly.relayout(id, { autosize: true });
  };
  addEventListener("beforeprint", () => {
    root.classList.add("paper");
    Object.keys(panels).forEach(drawToSize);
  });
  addEventListener("afterprint", () => {
    root.classList.remove("paper");
    drawn.forEach(drawToSize);
  });
})();
