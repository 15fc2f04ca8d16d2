// The gallery: filters, order, and the view in 3D.
(() => {
  const source = document.getElementById("gallery-data");
  if (!source) return;
  const gallery = JSON.parse(source.textContent);
  const byId = (id) => document.getElementById(id);
  const [filters, list, viewer, view] = ["filters", "cards", "viewer", "hand-3d"].map(byId);
  const cards = [...list.children];
  const shown = () => [...list.children].filter((card) => !card.hidden);

  // An unknown error is below no limit and comes last in any order.
  const orders = {
    "": (a, b) => a.dataset.number - b.dataset.number,
    hand: (a, b) => a.dataset.hand.localeCompare(b.dataset.hand),
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
  };
  const value = (card, key) => (card.dataset[key] === "" ? Infinity : Number(card.dataset[key]));
  const byNumber = (key, sign) => (a, b) => {
    const [x, y] = [value(a, key), value(b, key)];
    return x === y ? 0 : x === Infinity ? 1 : y === Infinity ? -1 : sign * (x - y);
  };

  const update = () => {
    const { hand, why, error, confidence, order } = filters.elements;
    for (const slider of [error, confidence]) slider.nextElementSibling.value = Number(slider.value).toFixed(slider.step.split(".")[1].length);
    const all = error.value === error.max;
    for (const card of cards) {
      const { dataset } = card;
      card.hidden = (hand.value && dataset.hand !== hand.value) || (why.value && dataset.why !== why.value)
        || (!all && value(card, "error") > Number(error.value)) || Number(dataset.confidence) < Number(confidence.value);
    }
    const key = order.value.replace("-", "");
    const compare = orders[order.value] ?? byNumber(key, order.value === key ? 1 : -1);
    list.append(...cards.toSorted((a, b) => compare(a, b) || orders[""](a, b)));
    byId("count").textContent = `${shown().length} of ${cards.length} shown`;
  };
  filters.addEventListener("input", update);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(update));

  // Keypoint sets are switched for all cards at once.
  byId("sets").addEventListener("change", ({ target }) => {
    for (const set of document.querySelectorAll(`g.set.${target.name}`)) set.style.display = target.checked ? "" : "none";
  });

  // Numbers as shapes.py packs them; points become an array for each axis, in centimetres.
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const thirds = (numbers) => [0, 1, 2].map((axis) => Array.from(numbers).filter((_, n) => n % 3 === axis));
  const points = ({ step, data }) => thirds(new Int16Array(bytes(data).buffer)).map((axis) => axis.map((n) => n * step));
  const faces = thirds(new Uint16Array(bytes(gallery.faces).buffer));
  const edges = (() => {
    const [i, j, k] = faces;
    const pairs = i.flatMap((_, n) => [[i[n], j[n]], [j[n], k[n]], [k[n], i[n]]].map((pair) => pair.sort((a, b) => a - b).join()));
    return [...new Set(pairs)].map((pair) => pair.split(",").map(Number));
  })();

  // Lines between pairs of points, as one trace with gaps.
  const segments = (axes, pairs) => {
    const [x, y, z] = axes.map((axis) => pairs.flatMap(([a, b]) => [axis[a], axis[b], null]));
    return { type: "scatter3d", mode: "lines", x, y, z, hoverinfo: "skip" };
  };

  const surface = (shape) => {
    const [x, y, z] = points(shape.vertices);
    const [r, g, b] = thirds(bytes(shape.colors));
    const [i, j, k] = shape.left ? [faces[0], faces[2], faces[1]] : faces; // a mirrored mesh is inside out
    const light = { ambient: 0.75, diffuse: 0.35, specular: 0.05, roughness: 0.9, fresnel: 0 };
    return {
      type: "mesh3d", x, y, z, i, j, k, vertexcolor: r.map((_, n) => `rgb(${r[n]},${g[n]},${b[n]})`),
      lighting: light, lightposition: { x: -100, y: -200, z: -300 }, hoverinfo: "skip",
    };
  };

  const joints = (shape) => {
    const lines = segments(points(shape.joints), gallery.bones);
    const style = { mode: "lines+markers", line: { color: "#d6006c", width: 5 }, marker: { color: "#d6006c", size: 4, symbol: "diamond" } };
    return { ...lines, ...style };
  };

  // The true mesh as wires; where only the true joints are known, the bones between them.
  const truth = (shape) => {
    const lines = shape.truth ? segments(points(shape.truth), edges) : segments(points(shape.true_joints), gallery.bones);
    return { ...lines, line: { color: page.colour("--text"), width: shape.truth ? 1 : 5 } };
  };

  const hasTruth = (shape) => Boolean(shape.truth ?? shape.true_joints);
  const drawn = (shape) => [surface(shape), joints(shape), ...(hasTruth(shape) ? [truth(shape)] : [])];

  // The camera in Plotly's units: first it looks at the hand from where the photograph was taken, y down.
  const DISTANCE = 1.6;
  const times = (vector, factor) => vector.map((n) => n * factor);
  const dot = (a, b) => a.reduce((sum, n, axis) => sum + n * b[axis], 0);
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const unit = (vector) => times(vector, 1 / Math.hypot(...vector));
  const vector = ({ x, y, z }) => [x, y, z];
  const place = ([x, y, z]) => ({ x, y, z });
  const turned = (point, axis, angle) => {
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const across = cross(axis, point);
    return point.map((n, at) => n * c + across[at] * s + axis[at] * dot(axis, point) * (1 - c));
  };
  const farthest = (traces) => Math.max(...traces.flatMap(({ x, y, z }) => [...x, ...y, ...z].map(Math.abs)));
  // Plotly's unit is the whole scene, in which the truth may reach further than the hand; and it fits heights only.
  const photographed = (shape) => {
    const [own, all] = [farthest([surface(shape)]), farthest(drawn(shape))];
    const distance = DISTANCE * (own / all) * Math.max(1, view.clientHeight / view.clientWidth);
    return { eye: place(times(shape.seen, -distance)), up: { x: 0, y: -1, z: 0 }, center: { x: 0, y: 0, z: 0 } };
  };
  const camera = () => view.layout.scene.camera;
  const look = (next) => Plotly.relayout(view, { "scene.camera": { ...camera(), ...next } });
  const turn = (right, down) => {
    const eye = vector(camera().eye);
    const side = unit(cross(times(eye, -1), vector(camera().up)));
    const up = unit(cross(eye, side));
    const move = (point) => turned(turned(point, up, right), side, down);
    look({ eye: place(move(eye)), up: place(move(up)) });
  };
  // Faces from the farthest on: where all are see-through, the last one drawn is the one in front.
  const fromFarthest = (mesh, { eye }) => {
    const depth = mesh.x.map((x, n) => dot([x, mesh.y[n], mesh.z[n]], vector(eye)));
    const near = mesh.i.map((corner, n) => depth[corner] + depth[mesh.j[n]] + depth[mesh.k[n]]);
    const order = [...near.keys()].sort((a, b) => near[a] - near[b]);
    return Object.fromEntries(["i", "j", "k"].map((corner) => [corner, order.map((n) => mesh[corner][n])]));
  };
  const nearer = (factor) => look({ eye: place(times(vector(camera().eye), factor)) });

  let current = null;
  const parts = ["surface", "joints", "truth"].map((name) => viewer.querySelector(`[name=${name}]`));
  const shape = () => gallery.hands[Number(current.dataset.number)];

  const draw = (from) => {
    const traces = drawn(shape());
    traces.forEach((trace, n) => { trace.visible = parts[n].checked; trace.showlegend = false; });
    if (parts[1].checked) Object.assign(traces[0], { opacity: 0.6 }, fromFarthest(traces[0], from));
    const reach = farthest(traces);
    const axis = { range: [-reach, reach], visible: false, title: { text: "" }, showticklabels: false };
    const layout = {
      paper_bgcolor: page.colour("--back"), margin: { l: 0, r: 0, t: 0, b: 0 },
      scene: { xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "cube", camera: from, dragmode: "orbit", hovermode: false },
    };
    return Plotly.react(view, traces, layout, { responsive: true, displayModeBar: false });
  };

  const open = (card) => {
    current = card;
    byId("viewer-title").textContent = card.dataset.name;
    view.setAttribute("aria-label", `The reconstructed ${card.dataset.hand} hand ${card.dataset.name} in 3D, with its joints${hasTruth(shape()) ? " and the truth" : ""}`);
    byId("seen").replaceChildren(...[".tiles", ".numbers"].map((part) => card.querySelector(part).cloneNode(true)));
    parts[2].disabled = !hasTruth(shape());
    if (!viewer.open) viewer.showModal();
    draw(photographed(shape())).then(() => {
      view.removeAllListeners("plotly_relayout");
      view.on("plotly_relayout", () => draw(camera()));
    });
  };
  const step = (by) => {
    const among = shown();
    open(among[(among.indexOf(current) + by + among.length) % among.length]);
  };

  list.addEventListener("click", ({ target }) => { const card = target.closest(".card"); if (card) open(card); });
  viewer.addEventListener("close", () => { Plotly.purge(view); current.querySelector("button").focus(); });
  viewer.addEventListener("click", ({ target }) => { if (target === viewer) viewer.close(); });
  for (const part of parts) part.addEventListener("change", () => draw(camera()));
  const buttons = {
    close: () => viewer.close(),
    previous: () => step(-1),
    next: () => step(1),
    front: () => look(photographed(shape())),
    side: () => { look(photographed(shape())).then(() => turn(Math.PI / 2, 0)); },
  };
  for (const [name, act] of Object.entries(buttons)) viewer.querySelector(`[name=${name}]`).addEventListener("click", act);

  const keys = {
    ArrowLeft: () => turn(0.15, 0), ArrowRight: () => turn(-0.15, 0), ArrowUp: () => turn(0, 0.15), ArrowDown: () => turn(0, -0.15),
    "+": () => nearer(0.9), "=": () => nearer(0.9), "-": () => nearer(1.1), Home: buttons.front,
  };
  view.addEventListener("keydown", (event) => {
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  document.documentElement.addEventListener("themechange", () => { if (viewer.open) draw(camera()); });
})();
