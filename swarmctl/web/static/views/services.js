// What should run, what serves, where, and under which names and addresses.
import { ask, h, name, table } from '../dom.js';

export const title = 'Services';

const HEADS = ['service', 'serving', 'where', 'names and URLs', 'ports', 'image', 'update'];
const AGAIN_MS = 3000;
const NOTHING = { endpoints: [], urls: {}, targets: {}, problems: [], fault: '' };

export function create(root, store) {
  const note = h('p', { class: 'warn', role: 'status', hidden: true });
  const place = h('div', {});
  root.append(h('h2', { class: 'hidden' }, 'Services'), note, place);
  let discovery = NOTHING;
  let timer = 0;
  let over = false;
  let before = '';

  // Names and URLs need more than the page's stream: they are asked for while this view is open.
  async function load() {
    try {
      discovery = await ask('api/discovery');
    } catch (fault) {
      discovery = { ...discovery, fault: `names and URLs may be old: ${fault.message}` };
    }
    if (over) return;
    timer = setTimeout(load, AGAIN_MS);
    update();
  }

  function update() {
    const { services, tasks, nodes } = store.document;
    const where = {};
    for (const task of Object.values(tasks)) {
      if (task.state !== 'running') continue;
      const node = nodes[task.node]?.name || task.node;
      where[task.service] = where[task.service] || {};
      where[task.service][node] = (where[task.service][node] || 0) + 1;
    }
    const text = JSON.stringify([services, where, discovery]);
    if (text === before) return;
    before = text;
    note.textContent = discovery.fault;
    note.hidden = !discovery.fault;
    const all = Object.values(services).sort((a, b) => (a.name < b.name ? -1 : 1));
    place.replaceChildren(table(HEADS, all.map((service) => row(service, where[service.name] || {}, discovery))));
  }
  load();
  return { update, end() { over = true; clearTimeout(timer); } };
}

function row(service, where, discovery) {
  const places = Object.entries(where).sort().map(([node, count]) => (count > 1 ? `${node} ${count}` : node));
  const ports = service.ports.map((port) =>
    `${port.node || '*'}:${port.published}→${port.target}${port.protocol === 'tcp' ? '' : `/${port.protocol}`}`);
  const reasons = service.missing && !service.reasons.length
    ? [`${service.missing} not created yet`] : service.reasons;
  return { cells: [
    { class: `c${service.colour}`, parts: [h('i', { 'aria-hidden': 'true' }), name(service.name)] },
    { class: service.missing ? 'bad' : 'good', parts: [`${service.running}/${service.wanted}`,
      ...reasons.map((reason) => h('p', { class: 'bad' }, name(reason)))] },
    name(places.join(', ')),
    { parts: reached(service, discovery) },
    name(few(ports)),
    name(service.image),
    service.update.replaceAll('_', ' ')] };
}

function reached(service, { endpoints, urls, targets, problems }) {
  const names = {};
  for (const each of endpoints) if (each.service === service.name) names[each.name] = (names[each.name] || 0) + 1;
  const health = targets[service.name] || {};
  const found = Object.values(health).reduce((all, one) => all + one, 0);
  const states = Object.entries(health).map(([state, count]) => `${count} ${state}`).join(', ');
  return [
    ...Object.entries(names).sort().map(([each, count]) =>
      h('p', {}, name(each), ` (${count} endpoint${count > 1 ? 's' : ''})`)),
    ...(urls[service.name] || []).map((url) => h('p', {}, link(url))),
    found ? h('p', { class: health.healthy === found ? 'good' : 'bad' }, `load balancer: ${states}`) : null,
    ...problems.filter((each) => each.service === service.name).map((each) => h('p', { class: 'warn' }, name(each.text))),
  ];
}

// Labels are other people's texts: only a web address becomes a link.
const link = (url) => (/^https?:\/\//.test(url)
  ? h('a', { href: url, rel: 'noreferrer noopener', target: '_blank' }, name(url)) : name(url));

const few = (texts) => (texts.length > 4 ? `${texts.slice(0, 3).join(', ')}, ${texts.length - 3} more` : texts.join(', '));
