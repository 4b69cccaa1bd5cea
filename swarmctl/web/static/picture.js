// Nodes and tasks as SVG, kept up to date: every element stays with its id, so that a replica is
// seen to move. Used by the live view and by "what if".
import { cut, s, set } from './dom.js';
import { layout } from './layout.js';

const MANY = 300;
const CHARACTER = 6.6; // width of one at 12 px, roughly
export const STATE = {
  lost: 'lost with its node', stopping: 'shutting down', predicted: 'would start here', waiting: 'waits for a node',
  unknown: 'its node is not heard from',
};

const label = (task) => (task.slot ? `${task.service}.${task.slot}` : task.service);

export const describe = (task, node) =>
  `${label(task)}: ${STATE[task.state] || task.state}${node ? ` on ${node.name}` : ''}${task.why ? `. ${task.why}` : ''}`;

const summary = (node, count) =>
  [node.name, node.role, node.state, node.availability === 'active' ? '' : node.availability,
    node.zone, `${count} task${count === 1 ? '' : 's'}`].filter(Boolean).join(', ');

export class Picture {
  // chosen(id): a node was clicked, or Enter was pressed on it.
  constructor(root, { chosen, tip } = {}) {
    this.svg = s('svg', { class: 'swarm', role: 'group', 'aria-label': 'Nodes and their tasks' });
    this.layers = { zones: s('g'), cards: s('g'), boxes: s('g') };
    this.svg.append(...Object.values(this.layers));
    this.cards = new Map();
    this.boxes = new Map();
    this.zones = new Map();
    this.last = new Map(); // service and slot → where its task stood
    this.chosen = chosen;
    this.tip = tip;
    root.append(this.svg);
    this.svg.addEventListener('keydown', (event) => this.key(event));
  }

  draw(document, { keep, selected = new Set() } = {}) {
    const width = Math.max(300, this.svg.parentElement.clientWidth);
    const found = layout(document, width, keep);
    set(this.svg, 'viewBox', `0 0 ${width} ${found.height}`);
    set(this.svg, 'width', width);
    set(this.svg, 'height', found.height);
    this.drawZones(found);
    this.drawCards(found, document, selected);
    this.drawBoxes(found, document);
  }

  drawZones(found) {
    const rest = new Map(this.zones);
    for (const { zone, x, y, w } of found.zones) {
      let text = rest.get(zone);
      if (!text) {
        text = s('text', { class: 'zone' });
        this.layers.zones.append(text);
        this.zones.set(zone, text);
      }
      rest.delete(zone);
      set(text, 'x', x + 2);
      set(text, 'y', y + 15);
      const words = cut(zone || 'no zone', w / CHARACTER);
      if (text.textContent !== words) text.textContent = words;
    }
    for (const [zone, text] of rest) {
      text.remove();
      this.zones.delete(zone);
    }
  }

  drawCards(found, document, selected) {
    const counts = new Map();
    for (const task of Object.values(document.tasks)) {
      counts.set(task.node, (counts.get(task.node) || 0) + 1);
    }
    const rest = new Map(this.cards);
    for (const box of found.cards) {
      const node = box.waiting
        ? { name: 'waiting for a node', role: '', state: 'waiting', availability: 'active' }
        : document.nodes[box.id];
      const card = rest.get(box.id) || this.newCard(box);
      rest.delete(box.id);
      card.group.style.transform = `translate(${box.x}px, ${box.y}px)`;
      set(card.frame, 'width', box.w);
      set(card.frame, 'height', box.h);
      const lost = selected.has(box.id);
      set(card.group, 'class', `node ${node.state} ${node.availability} ${lost ? 'selected' : ''}`);
      set(card.group, 'aria-label', summary(node, counts.get(box.id) || 0));
      if (this.chosen && !box.waiting) set(card.group, 'aria-pressed', lost);
      this.words(card, node, box, found.density);
    }
    for (const [id, card] of rest) {
      card.group.remove();
      this.cards.delete(id);
    }
  }

  words(card, node, box, density) {
    const small = density.head < 30;
    const most = (box.w - 12) / (small ? 5.4 : CHARACTER + 0.4);
    const title = cut(small ? shortName(node.name) : node.name, most);
    if (card.title.textContent !== title) card.title.textContent = title;
    set(card.title, 'y', small ? 14 : 17);
    card.title.classList.toggle('small', small);
    const state = node.state === 'ready' || node.state === 'waiting' ? '' : node.state;
    const more = density.head < 40 ? [state, node.availability === 'active' ? '' : node.availability]
      : [node.role, node.availability === 'active' ? '' : node.availability, state,
        node.reachability === 'unreachable' ? 'unreachable' : ''];
    const line = small ? '' : cut(more.filter(Boolean).join(' · '), most);
    if (card.line.textContent !== line) card.line.textContent = line;
    set(card.line, 'y', density.head < 40 ? 29 : 34);
  }

  newCard(box) {
    const frame = s('rect', { rx: 6, class: 'card' });
    const title = s('text', { x: 8, class: 'title' });
    const line = s('text', { x: 8, class: 'line' });
    const group = s('g', { tabindex: box.waiting ? -1 : 0, role: this.chosen && !box.waiting ? 'button' : 'group' },
      frame, title, line);
    if (!box.waiting && this.chosen) group.addEventListener('click', () => this.chosen(box.id));
    group.dataset.id = box.id;
    this.layers.cards.append(group);
    const card = { group, frame, title, line };
    this.cards.set(box.id, card);
    return card;
  }

  drawBoxes(found, document) {
    const rest = new Map(this.boxes);
    // Where there are many, only what comes from another node is seen to move: the rest makes room.
    this.svg.classList.toggle('many', found.boxes.size > MANY);
    for (const [id, box] of found.boxes) {
      const task = document.tasks[id];
      const part = rest.get(id) || this.newBox(id, task, box);
      rest.delete(id);
      const transform = `translate(${box.x}px, ${box.y}px)`;
      if (part.transform !== transform) {
        part.transform = transform;
        if (part.fresh) requestAnimationFrame(() => { part.group.style.transform = part.transform; });
        else part.group.style.transform = transform;
      }
      part.fresh = false;
      if (moves(task)) this.last.set(slotOf(task, id), transform);
      const node = document.nodes[task.node];
      const place = document.services[task.service]?.colour ?? 6;
      // The store keeps what has not changed: then nothing has to be written.
      if (part.task === task && part.node === node && part.place === place && part.w === box.w && part.h === box.h) continue;
      Object.assign(part, { task, node, place, w: box.w, h: box.h });
      set(part.group, 'class', `task ${task.state} c${place} ${part.moving ? 'moving' : ''}`);
      set(part.group, 'aria-label', describe(task, node));
      set(part.frame, 'width', box.w);
      set(part.frame, 'height', box.h);
      const words = box.h >= 18 ? cut(label(task), (box.w - 10) / CHARACTER) : '';
      if (part.text.textContent !== words) part.text.textContent = words;
    }
    for (const [id, part] of rest) {
      part.group.remove();
      this.boxes.delete(id);
    }
    if (this.last.size > 4 * this.boxes.size + 1000) this.last.clear();
  }

  newBox(id, task, box) {
    const frame = s('rect', { rx: box.h > 12 ? 4 : 2 });
    const text = s('text', { x: 6, y: 14 });
    const group = s('g', { role: 'img' }, frame, text);
    const part = { group, frame, text, task: null, transform: '', fresh: false, moving: false };
    group.dataset.id = id;
    // It begins where the task before it in this slot stood, and moves to its own place.
    const from = moves(task) && this.last.get(slotOf(task, id));
    part.fresh = part.moving = Boolean(from);
    if (part.fresh) group.style.transform = from;
    else group.style.transform = `translate(${box.x}px, ${box.y}px)`;
    group.addEventListener('transitionend', () => {
      part.moving = false;
      group.classList.remove('moving');
    });
    if (this.chosen) group.addEventListener('click', () => this.chosen(part.task.node));
    if (this.tip) {
      group.addEventListener('pointerenter', (event) => this.tip(id, event));
      group.addEventListener('pointerleave', () => this.tip(null));
    }
    this.layers.boxes.append(group);
    this.boxes.set(id, part);
    return part;
  }

  // Arrow keys go from node to node, Enter and Space choose.
  key(event) {
    const cards = [...this.layers.cards.querySelectorAll('[tabindex="0"]')];
    const at = cards.indexOf(event.target);
    if (at < 0) return;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) cards[(at + step + cards.length) % cards.length].focus();
    else if ((event.key === 'Enter' || event.key === ' ') && this.chosen) this.chosen(event.target.dataset.id);
    else return;
    event.preventDefault();
  }
}

// What has failed stays where it failed, and a task without a slot has no successor.
const moves = (task) => task.slot && task.state !== 'failed';
const slotOf = (task, id) => (task.slot ? `${task.service} ${task.slot}` : id);
const shortName = (text) => text.slice(text.lastIndexOf('_') + 1);
