// What would keep this Swarm from failing over: swarmctl audit.
import { ask, h, name, problem, table } from '../dom.js';

export const title = 'Findings';

const HEADS = ['check', 'result', 'found'];

export function create(root) {
  const place = h('div', { 'aria-live': 'polite' });
  const button = h('button', { type: 'button', onclick: load }, 'Look again');
  root.append(h('h2', {}, 'Would it still fail over at 3 a.m.?'),
    h('p', {}, 'The same as text: ', h('code', {}, 'swarmctl audit'), '. ', button), place);
  let over = false;

  async function load() {
    button.disabled = true;
    place.replaceChildren(h('p', {}, 'looking at every node …'));
    try {
      const found = await ask('api/findings');
      if (!over) place.replaceChildren(...shown(found));
    } catch (fault) {
      if (!over) place.replaceChildren(problem(fault));
    }
    button.disabled = false;
  }
  load();
  return { update() {}, end() { over = true; } };
}

// As the command: what is ok but has a remedy is advice.
function result(check) {
  if (check.ok === false) return { rank: 0, class: 'bad', word: '✗ fails' };
  if (check.ok === null) return { rank: 1, class: 'warn', word: '? not known' };
  return check.remedy ? { rank: 2, class: 'warn', word: '! advice' } : { rank: 3, class: 'good', word: '✓ ok' };
}

function shown({ checks, as_of: asOf }) {
  const rated = checks.map((check) => ({ ...check, result: result(check) })).sort((a, b) => a.result.rank - b.result.rank);
  const bad = rated.filter((check) => check.ok === false).length;
  const unknown = rated.filter((check) => check.ok === null).length;
  const words = bad ? `${bad} would keep it from failing over` : 'Nothing found that would keep it from failing over';
  return [
    h('p', { class: bad ? 'bad' : 'good' }, `${words}${unknown ? `; ${unknown} could not be checked` : ''}.`,
      h('span', { class: 'soft' }, ` As of ${new Date(asOf * 1000).toLocaleTimeString()}.`)),
    table(HEADS, rated.map((check) => ({ cells: [
      name(check.name),
      { class: check.result.class, parts: [check.result.word] },
      { parts: [name(check.detail), check.remedy ? h('p', {}, h('code', {}, name(check.remedy))) : null] }] }))),
  ];
}
