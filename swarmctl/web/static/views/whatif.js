// The predictor's answer, drawn into the same picture: choose nodes or a zone to lose.
import { ask, h, name, problem, table } from '../dom.js';
import { Picture } from '../picture.js';

export const title = 'What if';

export function create(root, store) {
  const lost = new Set();
  const zones = h('span', { class: 'zones' });
  const words = h('div', { class: 'answer', role: 'status' });
  const place = h('div', { class: 'picture' });
  const risks = h('div', {});
  root.append(
    h('h2', {}, 'What happens if these nodes die?'),
    h('p', {}, 'Choose nodes in the picture, or a zone: ', zones,
      h('button', { type: 'button', onclick: () => choose([]) }, 'none')),
    words, place,
    h('h2', {}, 'Which node can this Swarm not afford to lose?'),
    h('button', { type: 'button', onclick: each }, 'Lose each node in turn'), risks);
  const picture = new Picture(place, { chosen: toggle });
  let prediction = null;
  let asked = 0;
  let known = '';

  function toggle(id) {
    if (lost.has(id)) lost.delete(id);
    else lost.add(id);
    predict();
  }

  function choose(ids) {
    lost.clear();
    for (const id of ids) lost.add(id);
    predict();
  }

  async function predict() {
    prediction = null;
    asked += 1;
    const mine = asked;
    update();
    if (!lost.size) {
      words.replaceChildren();
      return;
    }
    words.replaceChildren(h('p', {}, 'predicting …'));
    try {
      const query = [...lost].map((id) => `lose=${encodeURIComponent(id)}`).join('&');
      const found = await ask(`api/predict?${query}`);
      if (mine !== asked) return;
      prediction = found;
      words.replaceChildren(...sentences(found));
    } catch (fault) {
      if (mine === asked) words.replaceChildren(problem(fault));
    }
    update();
  }

  async function each() {
    risks.replaceChildren(h('p', {}, 'predicting …'));
    try {
      const found = await ask('api/each');
      risks.replaceChildren(riskTable(found.nodes));
    } catch (fault) {
      risks.replaceChildren(problem(fault));
    }
  }

  function update() {
    const names = [...new Set(Object.values(store.document.nodes).map((node) => node.zone).filter(Boolean))].sort();
    if (names.join() !== known) {
      known = names.join();
      zones.replaceChildren(...names.map((zone) =>
        h('button', { type: 'button', onclick: () => choose(inZone(store.document, zone)) }, name(zone))));
    }
    picture.draw(prediction ? afterwards(store.document, prediction, lost) : store.document, { selected: lost });
  }
  return { update };
}

const inZone = (document, zone) =>
  Object.entries(document.nodes).filter(([, node]) => node.zone === zone).map(([id]) => id);

// The document as the first predicted outcome has it.
export function afterwards(document, prediction, lost) {
  const outcome = prediction.outcomes[0];
  const nodes = { ...document.nodes };
  for (const id of lost) if (nodes[id]) nodes[id] = { ...nodes[id], state: 'down' };
  const tasks = {};
  const counted = {};
  for (const [id, task] of Object.entries(document.tasks)) {
    const gone = lost.has(task.node);
    tasks[id] = gone ? { ...task, state: 'lost' } : task;
    if (!gone && task.state === 'running') {
      const key = `${task.service} ${task.node}`;
      counted[key] = (counted[key] || 0) + 1;
    }
  }
  if (!prediction.quorum || !outcome) return { ...document, nodes, tasks };
  const ids = Object.fromEntries(Object.entries(nodes).map(([id, node]) => [node.name, id]));
  for (const [service, counts] of Object.entries(outcome.counts)) {
    for (const [node, count] of Object.entries(counts)) {
      const have = counted[`${service} ${ids[node]}`] || 0;
      for (let n = have; n < count; n += 1) add(tasks, service, ids[node], 'predicted', '', n);
    }
  }
  for (const [service, count] of Object.entries(outcome.pending)) {
    for (let n = 0; n < count; n += 1) add(tasks, service, '', 'waiting', prediction.reasons[service] || '', n);
  }
  return { ...document, nodes, tasks };
}

function add(tasks, service, node, state, why, n) {
  tasks[`${state} ${service} ${node} ${n}`] = { service, slot: 0, node, state, why, since: '' };
}

function sentences(found) {
  const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);
  const pending = found.outcomes.length ? sum(found.outcomes[0].pending) : 0;
  const first = !found.quorum
    ? 'The managers lose their majority: nothing is replaced until they have it again.'
    : `${sum(found.moved)} replicas would start elsewhere` +
      (pending ? `, ${pending} would find no node` : '') + '.';
  const several = found.outcomes.length > 1 || !found.exhaustive
    ? 'Swarm breaks ties at random: the picture shows one of the possible outcomes.' : '';
  return [
    h('p', { class: pending || !found.quorum ? 'bad' : 'good' }, first), several && h('p', {}, several),
    ...Object.entries(found.reasons).map(([service, why]) => h('p', {}, name(service), ': ', name(why))),
    ...found.warnings.map((each) => h('p', { class: 'warn' }, name(each.text))),
  ].filter(Boolean);
}

const HEADS = ['node', 'role', 'tasks', 'replaced', 'no node for', 'not replaced', 'only here', 'data stays'];

function riskTable(risks) {
  const list = (counts) => Object.entries(counts).map(([service, count]) => `${service} ${count}`).join(', ');
  return table(HEADS, risks.map((risk) => ({ class: risk.affordable ? '' : 'bad', cells: [
    name(risk.node),
    risk.quorum ? risk.role : `${risk.role}: no majority without it`,
    ...[risk.tasks, risk.moved, list(risk.pending), list(risk.gone), risk.down.join(', '), risk.left_behind.join(', ')]
      .map((cell) => name(String(cell)))] })));
}
