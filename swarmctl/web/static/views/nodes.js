// Nodes as columns, tasks as boxes; a replica moves visibly from one node to the other.
import { h, name, s } from '../dom.js';
import { Picture, STATE } from '../picture.js';
import { hideTip, tipFor } from '../tip.js';

export const title = 'Nodes';

const STATES = ['running', 'starting', 'waiting', 'stopping', 'failed', 'lost', 'unknown', 'complete'];

export function create(root, store) {
  const stack = h('select', { id: 'stack', onchange: () => update() });
  const service = h('input', { id: 'service', type: 'search', placeholder: 'any', oninput: () => update() });
  const state = h('select', { id: 'state', onchange: () => update() },
    h('option', { value: '' }, 'any'), ...STATES.map((each) => h('option', {}, each)));
  const legend = h('ul', { class: 'legend', 'aria-label': 'Colours of the services' });
  const key = h('ul', { class: 'legend key', 'aria-label': 'Shapes of the states' });
  const place = h('div', { class: 'picture' });
  root.append(
    h('h2', { class: 'hidden' }, 'Nodes and tasks'),
    h('form', { class: 'filters', onsubmit: (event) => event.preventDefault() },
      h('label', {}, 'stack ', stack), h('label', {}, 'service ', service), h('label', {}, 'state ', state)),
    legend, key, place);
  const picture = new Picture(place, { tip: tipFor(store) });
  const legends = new Map();

  function keep(task) {
    if (state.value && task.state !== state.value) return false;
    const known = store.document.services[task.service];
    if (stack.value && (known?.stack || '') !== (stack.value === '–' ? '' : stack.value)) return false;
    return task.service.toLowerCase().includes(service.value.trim().toLowerCase());
  }

  function stacks() {
    const names = [...new Set(Object.values(store.document.services).map((each) => each.stack || '–'))].sort();
    const wanted = ['any', ...names];
    if (stack.children.length === wanted.length && wanted.every((each, i) => stack.children[i].textContent === each)) return;
    const before = stack.value;
    stack.replaceChildren(...wanted.map((each) => h('option', { value: each === 'any' ? '' : each }, each)));
    if (names.includes(before)) stack.value = before;
  }

  function drawLegend() {
    const all = Object.values(store.document.services).sort((a, b) => (a.name < b.name ? -1 : 1));
    const rest = new Map(legends);
    for (const each of all) {
      let item = rest.get(each.name);
      if (!item) {
        item = h('li', { class: `c${each.colour}` }, h('i', { 'aria-hidden': 'true' }), name(each.name), ' ', h('b', {}));
        legend.append(item);
        legends.set(each.name, item);
      }
      rest.delete(each.name);
      item.className = `c${each.colour} ${each.missing ? 'bad' : ''}`;
      const words = `${each.running}/${each.wanted}`;
      if (item.lastChild.textContent !== words) item.lastChild.textContent = words;
    }
    for (const [key, item] of rest) {
      item.remove();
      legends.delete(key);
    }
  }

  // What a shape means, of those that are there.
  function drawKey() {
    const there = new Set(Object.values(store.document.tasks).map((task) => task.state));
    const wanted = STATES.filter((each) => each !== 'running' && there.has(each));
    if (key.dataset.shown === wanted.join()) return;
    key.dataset.shown = wanted.join();
    key.replaceChildren(...wanted.map((each) => h('li', {},
      s('svg', { width: 26, height: 14, 'aria-hidden': 'true' },
        s('g', { class: `task ${each} c6` }, s('rect', { x: 1, y: 1, width: 24, height: 12, rx: 3 }))),
      STATE[each] || each)));
  }

  function update() {
    stacks();
    drawLegend();
    drawKey();
    picture.draw(store.document, { keep });
  }

  return { update, end: hideTip };
}
