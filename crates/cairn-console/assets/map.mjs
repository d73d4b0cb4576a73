// The map of a page: draws the cells that the server has summed up, and shows what it says of them.
//
// It asks this site alone, computes no number, and loads what draws maps only where a map is looked at. `data-map-state`
// of its element says how it stands: asleep, loading, idle, failed, or none where the browser cannot draw it.
(() => {
  const STEPS = [0, 1, 2, 3, 4];
  // Where the operator has no base map, there are the outlines of the world alone.
  const NO_BASE = { open: () => {}, source: () => ({}), layers: () => [] };

  // Land and borders come as whole steps of 1e-2 degree.
  function line(steps) {
    const points = [];
    let [x, y] = [0, 0];
    for (let at = 0; at < steps.length; at += 2) {
      [x, y] = [x + steps[at], y + steps[at + 1]];
      points.push([x / 100, y / 100]);
    }
    return points;
  }

  function feature(type, coordinates) {
    return { type: "Feature", properties: {}, geometry: { type, coordinates } };
  }

  // Stripes that are denser the higher the step, so that steps are told apart without colours.
  function pattern(step, [red, green, blue]) {
    const size = 12;
    const data = new Uint8Array(size * size * 4);
    for (let y = 0; y < size; y += 1) {
      for (let x = 0; x < size; x += 1) {
        const on = [
          false,
          x % 12 < 2 && y % 12 < 2,
          (x + y) % 12 < 1,
          (x + y) % 6 < 1,
          (x + y) % 6 < 1 || (x - y + size) % 6 < 1,
        ][step];
        if (on) data.set([red, green, blue, 150], (y * size + x) * 4);
      }
    }
    return { width: size, height: size, data };
  }

  class CairnMap {
    constructor(element) {
      this.element = element;
      this.says = element.querySelector(".map-says");
      this.panel = element.querySelector(".map-panel");
      this.legend = element.querySelector(".map-legend");
      this.dark = matchMedia("(prefers-color-scheme: dark)");
      this.asked = null;
      this.cells = { type: "FeatureCollection", features: [] };
      this.chosen = "";
    }

    // Colours are the style sheet's.
    colour(name) {
      return getComputedStyle(this.element).getPropertyValue(`--map-${name}`).trim();
    }

    state(state, words) {
      this.element.dataset.mapState = state;
      if (words !== undefined) this.says.textContent = words;
    }

    async start() {
      const probe = document.createElement("canvas").getContext("webgl2");
      if (probe === null) {
        this.state("none", "This browser cannot draw the map: it has no WebGL 2. The table of cells says the same.");
        return;
      }
      probe.getExtension("WEBGL_lose_context")?.loseContext();
      this.state("loading", "Loading the map.");
      const { library, worker, world, base } = this.element.dataset;
      const drawsBase = base === undefined ? NO_BASE : import(base);
      const [maplibre, drawn, answer] = await Promise.all([import(library), drawsBase, fetch(world), this.bound()]);
      maplibre.setWorkerUrl(new URL(worker, location.href).href);
      this.base = drawn;
      this.base.open(maplibre, this.baseSays());
      this.draw(maplibre, await answer.json());
    }

    // What the page says of the operator's base map.
    baseSays() {
      const { baseKind: kind, baseTiles: tiles, baseZooms: zooms, baseBounds: bounds } = this.element.dataset;
      return { kind, tiles, zooms, bounds };
    }

    // Where the devices are, unless the page says it.
    async bound() {
      const { bounds, epoch } = this.element.dataset;
      if (bounds !== "" || epoch === "") return;
      const answer = await fetch(`/map/cells.json?epoch=${epoch}`);
      if (answer.ok) this.element.dataset.bounds = (await answer.json()).around ?? "";
    }

    // West, south, east and north of them; most of the earth where there are none.
    bounds() {
      const [west, south, east, north] = (this.element.dataset.bounds || "-170,-55,190,75").split(",").map(Number);
      return [[west, south], [east, north]];
    }

    draw(maplibre, world) {
      this.map = new maplibre.Map({
        container: this.element.querySelector(".map-canvas"),
        style: this.style(world),
        bounds: this.bounds(),
        fitBoundsOptions: { padding: 40, maxZoom: 10 },
        maxZoom: 16,
        attributionControl: false,
        dragRotate: false,
        pitchWithRotate: false,
        touchPitch: false,
        cooperativeGestures: true,
        locale: { "Map.Title": "Map of cells. Arrow keys move, plus and minus zoom, Enter chooses the cell in the middle." },
      });
      this.map.touchZoomRotate.disableRotation();
      this.map.keyboard.disableRotation();
      this.map.on("error", (event) => this.fail(event));
      this.map.on("load", () => this.ask());
      this.map.on("moveend", () => this.ask());
      this.map.on("idle", () => this.settle());
      this.map.on("click", "cells", (event) => this.choose(event.features[0].properties.cell));
      this.map.on("mouseenter", "cells", () => { this.map.getCanvas().classList.add("over-cell"); });
      this.map.on("mouseleave", "cells", () => { this.map.getCanvas().classList.remove("over-cell"); });
      this.map.getCanvas().addEventListener("keydown", (event) => this.key(event));
      this.dark.addEventListener("change", () => this.recolour());
      this.controls();
    }

    // Without the operator's base map there are still the outlines of the world.
    fail(event) {
      if (event.sourceId === "base") this.element.dataset.baseState = "failed";
      else this.state("failed", `The map failed: ${event.error?.message ?? "no reason is known"}.`);
    }

    style(world) {
      const land = feature("MultiPolygon", world.land.map((polygon) => polygon.map(line)));
      const borders = feature("MultiLineString", world.borders.map(line));
      return {
        version: 8,
        sources: {
          land: { type: "geojson", data: land },
          borders: { type: "geojson", data: borders },
          ...this.base.source(this.baseSays()),
          cells: { type: "geojson", data: this.cells, promoteId: "cell" },
        },
        layers: [
          { id: "sea", type: "background", paint: {} },
          { id: "land", type: "fill", source: "land", paint: {} },
          { id: "coast", type: "line", source: "land", paint: { "line-width": 0.75 } },
          { id: "borders", type: "line", source: "borders", paint: { "line-width": 0.75 } },
          ...this.base.layers(this.baseSays()),
          { id: "cells", type: "fill", source: "cells", paint: {} },
          { id: "stripes", type: "fill", source: "cells", filter: [">", ["coalesce", ["get", "step"], 0], 0], paint: {} },
          { id: "edges", type: "line", source: "cells", paint: {} },
          { id: "chosen", type: "line", source: "cells", filter: ["==", ["get", "cell"], this.chosen], paint: { "line-width": 3 } },
        ].map((layer) => ({ ...layer, paint: { ...layer.paint, ...this.paint(layer.id) } })),
      };
    }

    paint(layer) {
      if (layer.startsWith("base-")) return this.base.paint(layer, (name) => this.colour(name), this.dark.matches);
      const none = this.colour("none");
      const step = ["coalesce", ["get", "step"], -1];
      switch (layer) {
        case "sea": return { "background-color": this.colour("sea") };
        case "land": return { "fill-color": this.colour("land"), "fill-antialias": false };
        case "coast": case "borders": return { "line-color": this.colour("border") };
        case "cells": return {
          "fill-color": ["match", step, ...STEPS.flatMap((number) => [number, this.colour(`step-${number}`)]), none],
          "fill-opacity": 0.85,
        };
        case "stripes": return { "fill-pattern": ["concat", "stripes-", ["to-string", ["get", "step"]]] };
        case "edges": return { "line-color": this.colour("edge"), "line-width": 0.75 };
        default: return { "line-color": this.colour("chosen") };
      }
    }

    stripes() {
      const ink = this.colour("stripe").match(/\d+/g).slice(0, 3).map(Number);
      for (const step of STEPS) {
        const name = `stripes-${step}`;
        if (this.map.hasImage(name)) this.map.updateImage(name, pattern(step, ink));
        else this.map.addImage(name, pattern(step, ink), { pixelRatio: 1 });
      }
    }

    recolour() {
      for (const { id } of this.map.getStyle().layers) {
        for (const [name, value] of Object.entries(this.paint(id))) this.map.setPaintProperty(id, name, value);
      }
      this.stripes();
    }

    // The cells of what is seen, in the layer that is chosen.
    async ask() {
      this.asked?.abort();
      const asked = new AbortController();
      this.asked = asked;
      this.state("loading");
      if (!this.map.hasImage("stripes-0")) this.stripes();
      const box = this.map.getBounds();
      const turn = Math.min(Math.max(Math.round(box.getCenter().lng / 360), -1), 1) * 360;
      const lat = (value) => Math.min(Math.max(value, -90), 90).toFixed(5);
      const lng = (value) => Math.min(Math.max(value - turn, -540), 540).toFixed(5);
      const { layer, epoch } = this.element.dataset;
      const query = new URLSearchParams({
        layer,
        bbox: [lng(box.getWest()), lat(box.getSouth()), lng(box.getEast()), lat(box.getNorth())].join(","),
        zoom: String(Math.min(Math.max(Math.floor(this.map.getZoom()), 0), 24)),
      });
      if (epoch !== "") query.set("epoch", epoch);
      try {
        const answer = await fetch(`/map/cells.json?${query}`, { signal: asked.signal });
        if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
        this.cells = await answer.json();
        if (this.asked !== asked) return;
        this.asked = null;
        this.map.getSource("cells").setData(this.cells);
        this.tell();
      } catch (error) {
        if (error.name === "AbortError") return;
        this.asked = null;
        this.state("failed", `The cells could not be loaded: ${error.message}.`);
      }
    }

    // All is drawn, and nothing is asked for.
    settle() {
      if (this.asked !== null || this.element.dataset.mapState === "failed") return;
      this.element.dataset.features = String(this.cells.features.length);
      this.element.dataset.shown = this.cells.layer;
      this.state("idle");
    }

    tell() {
      const { features, source } = this.cells;
      const cells = features.length === 1 ? "1 cell" : `${features.length} cells`;
      const epoch = source.as_of === null ? "no epoch has closed yet" : `as of epoch ${source.as_of.number}`;
      this.says.textContent = `${cells} in this view, ${epoch}. Choose a cell, or move with the arrow keys and press Enter.`;
      const title = document.createElement("h2");
      title.textContent = this.element.querySelector(`label[for="layer-${this.cells.layer}"]`).textContent;
      const list = document.createElement("ul");
      for (const { step, words, cells: count } of this.cells.legend) {
        list.append(this.entry(`swatch step-${step}`, words, count));
      }
      const without = features.filter(({ properties }) => properties.step === null);
      if (without.length > 0) list.append(this.entry("swatch step-none", without[0].properties.words, without.length));
      this.legend.replaceChildren(title, list);
      if (this.chosen !== "") this.show();
    }

    entry(swatch, words, count) {
      const item = document.createElement("li");
      const mark = document.createElement("span");
      mark.className = swatch;
      item.append(mark, `${words}: ${count === 1 ? "1 cell" : `${count} cells`}`);
      return item;
    }

    choose(cell) {
      this.chosen = cell;
      this.map.setFilter("chosen", ["==", ["get", "cell"], cell]);
      this.show();
    }

    // What the server says of the cell that is chosen.
    show() {
      const found = this.cells.features.find(({ properties }) => properties.cell === this.chosen);
      if (found === undefined) return;
      const { cell, devices, judged, untested, words, pay, score } = found.properties;
      const rows = [
        [this.legend.querySelector("h2").textContent, words],
        ["Devices", devices],
        ["Judged", judged],
        ["Mean score", score],
        ["Not compared, at least once", untested],
        ["Earned together", pay],
      ];
      const title = document.createElement("h2");
      title.textContent = `Cell ${cell}`;
      const list = document.createElement("dl");
      for (const [name, value] of rows) {
        const [row, term, told] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
        term.textContent = name;
        told.textContent = value;
        row.append(term, told);
        list.append(row);
      }
      const link = document.createElement("a");
      const { asOf } = this.element.dataset;
      link.href = `/cells/${cell}${asOf === "" ? "" : `?as_of=${asOf}`}`;
      link.textContent = "Who is there, and what a newcomer would have earned";
      const isAtLink = this.panel.contains(document.activeElement);
      this.panel.replaceChildren(title, list, link);
      if (isAtLink) link.focus({ preventScroll: true });
      this.panel.dataset.cell = cell;
    }

    key(event) {
      if (event.key !== "Enter") return;
      const { clientWidth: width, clientHeight: height } = this.map.getCanvas();
      const [found] = this.map.queryRenderedFeatures([width / 2, height / 2], { layers: ["cells"] });
      if (found === undefined) this.says.textContent = "There is no cell with devices in the middle of the map.";
      else this.choose(found.properties.cell);
    }

    controls() {
      const bar = document.createElement("div");
      bar.className = "map-controls";
      const button = (label, does) => {
        const made = document.createElement("button");
        made.type = "button";
        made.textContent = label;
        made.addEventListener("click", does);
        bar.append(made);
      };
      button("Zoom in", () => this.map.zoomIn());
      button("Zoom out", () => this.map.zoomOut());
      button("All devices", () => this.map.fitBounds(this.bounds(), { padding: 40, maxZoom: 10 }));
      this.element.querySelector(".map-canvas").before(bar);
    }

    // The form switches the layer here instead of leading to its table.
    layers() {
      const form = this.element.querySelector(".map-layers");
      const button = form.querySelector("button");
      // Who is at the button keeps it until they have left it.
      const hide = () => { button.hidden = document.activeElement !== button; };
      button.addEventListener("blur", hide);
      hide();
      form.addEventListener("change", (event) => {
        this.element.dataset.layer = event.target.value;
        this.ask();
      });
    }
  }

  const element = document.getElementById("map");
  if (element !== null) {
    const map = new CairnMap(element);
    const start = () => map.start().then(
      () => { if (map.map !== undefined) map.layers(); },
      (error) => map.state("failed", `The map could not be loaded: ${error.message}. The table of cells says the same.`),
    );
    // A page that is about the map says where its devices are, and has it at once; others when it comes into sight.
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      start();
    }, { rootMargin: "200px" });
    if (element.dataset.bounds !== "") start();
    else seen.observe(element);
  }
})();
