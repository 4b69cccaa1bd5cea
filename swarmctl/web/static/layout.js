// Where everything stands: pure, from a document and a width to places. Density follows size.
const GAP = 10;
const DENSITIES = [
  // at most so many nodes; card width; box height; box width (0: the card's); header
  { nodes: 16, card: 176, boxHeight: 20, boxWidth: 0, head: 46, gap: 4 },
  { nodes: 48, card: 128, boxHeight: 16, boxWidth: 16, head: 34, gap: 3 },
  { nodes: Infinity, card: 84, boxHeight: 10, boxWidth: 10, head: 20, gap: 2 },
];
const WAITING = '';

// wkr2 before wkr10.
const { compare } = new Intl.Collator('en', { numeric: true });
const byName = (a, b) => compare(a.name, b.name) || (a.id < b.id ? -1 : 1);

function density(count, tasks) {
  const most = tasks / Math.max(1, count);
  if (most > 30) return DENSITIES[1];
  return DENSITIES.find((each) => count <= each.nodes);
}

export function layout(document, width, keep = () => true) {
  const nodes = Object.entries(document.nodes).map(([id, node]) => ({ id, ...node }));
  const tasks = new Map(nodes.map((node) => [node.id, []]));
  tasks.set(WAITING, []);
  let count = 0;
  for (const [id, task] of Object.entries(document.tasks)) {
    if (!keep(task) || !tasks.has(task.node)) continue;
    tasks.get(task.node).push([id, task]);
    count += 1;
  }
  for (const list of tasks.values()) {
    list.sort(([one, a], [other, b]) =>
      a.service < b.service ? -1 : a.service > b.service ? 1 : a.slot - b.slot || (one < other ? -1 : 1));
  }
  const chosen = density(nodes.length, count);
  const groups = new Map();
  for (const node of nodes.sort(byName)) {
    const zone = node.zone || '';
    if (!groups.has(zone)) groups.set(zone, []);
    groups.get(zone).push(node);
  }
  const zones = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return place(zones, tasks, chosen, width);
}

function place(zones, tasks, chosen, width) {
  // On a phone two cards stand beside each other.
  const card = Math.min(chosen.card, Math.floor((width - 3 * GAP) / 2));
  const found = { cards: [], boxes: new Map(), zones: [], density: chosen, height: 0, width };
  const waiting = tasks.get(WAITING);
  let top = GAP;
  if (waiting.length) {
    const box = { id: WAITING, x: GAP, y: top, w: width - 2 * GAP, h: 0, waiting: true };
    box.h = fillCard(box, waiting, { ...chosen, boxWidth: chosen.boxWidth || 150, head: 26 }, found);
    found.cards.push(box);
    top += box.h + GAP;
  }
  const titled = zones.length > 1 || (zones[0] && zones[0][0] !== '');
  let left = GAP;
  let rowHeight = 0;
  for (const [zone, members] of zones) {
    const fits = Math.max(1, Math.floor((width - GAP) / (card + GAP)));
    const columns = Math.min(members.length, fits);
    const wide = columns * (card + GAP) - GAP;
    if (left > GAP && left + wide > width - GAP) {
      top += rowHeight + GAP;
      left = GAP;
      rowHeight = 0;
    }
    const heading = titled ? 22 : 0;
    if (titled) found.zones.push({ zone, x: left, y: top, w: wide });
    let y = top + heading;
    for (let at = 0; at < members.length; at += columns) {
      const row = members.slice(at, at + columns).map((node, column) => ({
        id: node.id, x: left + column * (card + GAP), y, w: card, h: 0,
      }));
      const high = Math.max(...row.map((box) => fillCard(box, tasks.get(box.id), chosen, found)));
      for (const box of row) box.h = high;
      found.cards.push(...row);
      y += high + GAP;
    }
    rowHeight = Math.max(rowHeight, y - GAP - top);
    left += wide + GAP * 2;
  }
  found.height = top + rowHeight + GAP;
  return found;
}

function fillCard(card, tasks, chosen, found) {
  const pad = chosen.gap + 3;
  const inner = card.w - 2 * pad;
  const w = chosen.boxWidth ? Math.min(chosen.boxWidth, inner) : inner;
  const columns = Math.max(1, Math.floor((inner + chosen.gap) / (w + chosen.gap)));
  tasks.forEach(([id], index) => {
    found.boxes.set(id, {
      x: card.x + pad + (index % columns) * (w + chosen.gap),
      y: card.y + chosen.head + Math.floor(index / columns) * (chosen.boxHeight + chosen.gap),
      w, h: chosen.boxHeight,
    });
  });
  const rows = Math.ceil(tasks.length / columns);
  return chosen.head + Math.max(1, rows) * (chosen.boxHeight + chosen.gap) + pad;
}
