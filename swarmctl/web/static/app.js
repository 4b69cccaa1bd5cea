// The frame around the views: tabs, what is true of all, and how old it is.
import { h } from './dom.js';
import { Store } from './store.js';
import * as nodes from './views/nodes.js';
import * as services from './views/services.js';
import * as whatif from './views/whatif.js';
import * as runs from './views/runs.js';
import * as findings from './views/findings.js';

const VIEWS = { nodes, services, whatif, runs, findings };
// Older than this, the page is not live any more, and looks so.
const FROZEN_S = 5;

const element = (id) => document.getElementById(id);
const root = element('view');
const store = new Store(update);
let shown = null;
let view = null;

function route() {
  const name = location.hash.slice(1).split('/')[0];
  const chosen = Object.hasOwn(VIEWS, name) ? name : 'nodes';
  if (shown !== chosen) {
    view?.end?.();
    root.replaceChildren();
    root.className = chosen;
    view = VIEWS[chosen].create(root, store);
    shown = chosen;
  }
  for (const tab of element('tabs').children) {
    if (tab.dataset.view === chosen) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  view.route?.(location.hash.slice(1).split('/').slice(1).map(decodeURIComponent));
  update();
}

function update() {
  if (!view) return;
  health();
  age();
  if (store.loaded) view.update();
}

function health() {
  const { nodes: all, services: wanted, strangers } = store.document;
  const down = Object.values(all).filter((node) => node.state !== 'ready');
  const missing = Object.values(wanted)
    .filter((service) => !service.mode.endsWith('-job'))
    .reduce((sum, service) => sum + service.missing, 0);
  const outside = Object.keys(strangers).length;
  const words = [];
  if (down.length) words.push(`${down.length} ${down.length > 1 ? 'nodes are' : 'node is'} not ready`);
  if (outside) words.push(`${outside} ${outside > 1 ? 'machines are no nodes' : 'machine is no node'} of the Swarm`);
  if (missing) words.push(`${missing} ${missing > 1 ? 'replicas are' : 'replica is'} missing`);
  const text = !store.loaded ? 'reading the Swarm …' : words.join(', ') || 'healthy';
  const place = element('health');
  if (place.textContent !== text) place.textContent = text;
  place.className = words.length ? 'bad' : store.loaded ? 'good' : '';
  document.title = words.length ? `(!) Swarm: ${text}` : 'Swarm';
}

function age() {
  const seconds = store.age();
  const frozen = !store.connected || store.status.fault !== '' || (seconds ?? 0) > FROZEN_S;
  document.body.classList.toggle('frozen', store.loaded && frozen);
  const since = store.status.as_of ? new Date(store.status.as_of * 1000) : null;
  element('age').textContent = since
    ? `as of ${since.toLocaleTimeString()} (${Math.max(0, seconds).toFixed(0)} s ago), from ${store.status.manager || 'no manager'}`
    : '';
  const fault = element('fault');
  const words = !store.connected
    ? 'The connection to swarmctl web is lost; this page tries again.'
    : store.status.fault;
  const clock = store.loaded && since ? ` Frozen since ${since.toLocaleTimeString()}.` : '';
  const text = frozen && (words || store.loaded) ? `${words}${clock}` : '';
  if (fault.textContent !== text) fault.textContent = text;
  fault.hidden = text === '';
}

element('tabs').append(
  ...Object.entries(VIEWS).map(([key, each]) =>
    h('a', { href: `#${key}`, 'data-view': key }, each.title)),
);
addEventListener('hashchange', route);
addEventListener('resize', () => store.soon());
setInterval(age, 1000);
route();
store.connect();
