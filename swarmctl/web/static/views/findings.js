// What would keep this Swarm from failing over.
import { ask, h, name, problem } from '../dom.js';

export const title = 'Findings';

export function create(root) {
  const place = h('div', {});
  const button = h('button', { type: 'button', onclick: load }, 'Look again');
  root.append(h('h2', {}, 'Will it fail over at night?'), button, place);
  let over = false;

  async function load() {
    button.disabled = true;
    place.replaceChildren(h('p', { role: 'status' }, 'looking at every node …'));
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

function shown(found) {
  const bad = found.checks.filter((check) => !check.ok);
  const rows = [...bad, ...found.checks.filter((check) => check.ok)].map((check) => h('tr', {},
    h('th', { scope: 'row' }, name(check.name)),
    h('td', { class: check.ok ? 'good' : 'bad' }, check.ok ? 'ok' : 'no'),
    h('td', {}, name(check.detail), check.remedy ? h('p', {}, h('code', {}, name(check.remedy))) : null)));
  return [
    h('p', { class: bad.length ? 'bad' : 'good' }, bad.length ? `${bad.length} of ${found.checks.length} checks fail.` : `All ${found.checks.length} checks pass.`),
    h('div', { class: 'scroll' }, h('table', {}, h('tbody', {}, ...rows))),
  ];
}
