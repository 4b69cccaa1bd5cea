// What should run, what serves, where, and under which address.
import { h, name } from '../dom.js';

export const title = 'Services';

const HEADS = ['service', 'serving', 'where', 'ports', 'image', 'update'];

export function create(root, store) {
  const body = h('tbody');
  root.append(
    h('h2', { class: 'hidden' }, 'Services'),
    h('div', { class: 'scroll' },
      h('table', {}, h('thead', {}, h('tr', {}, ...HEADS.map((head) => h('th', { scope: 'col' }, head)))), body)));
  let before = '';

  function update() {
    const { services, tasks, nodes } = store.document;
    const where = {};
    for (const task of Object.values(tasks)) {
      if (task.state !== 'running') continue;
      const node = nodes[task.node]?.name || task.node;
      where[task.service] = where[task.service] || {};
      where[task.service][node] = (where[task.service][node] || 0) + 1;
    }
    const text = JSON.stringify([services, where]);
    if (text === before) return;
    before = text;
    const all = Object.values(services).sort((a, b) => (a.name < b.name ? -1 : 1));
    body.replaceChildren(...all.map((service) => row(service, where[service.name] || {})));
  }
  return { update };
}

function row(service, where) {
  const places = Object.entries(where).sort().map(([node, count]) => (count > 1 ? `${node} ${count}` : node));
  const ports = service.ports.map((port) =>
    `${port.node || '*'}:${port.published}→${port.target}${port.protocol === 'tcp' ? '' : `/${port.protocol}`}`);
  const reasons = service.missing && !service.reasons.length
    ? [`${service.missing} not created yet`] : service.reasons;
  return h('tr', {},
    h('th', { scope: 'row', class: `c${service.colour}` }, h('i', { 'aria-hidden': 'true' }), name(service.name)),
    h('td', { class: service.missing ? 'bad' : 'good' }, `${service.running}/${service.wanted}`,
      ...reasons.map((reason) => h('p', { class: 'bad' }, name(reason)))),
    h('td', {}, name(places.join(', '))),
    h('td', {}, name(few(ports))),
    h('td', {}, name(service.image)),
    h('td', {}, service.update.replaceAll('_', ' ')));
}

const few = (texts) => (texts.length > 4 ? `${texts.slice(0, 3).join(', ')}, ${texts.length - 3} more` : texts.join(', '));
