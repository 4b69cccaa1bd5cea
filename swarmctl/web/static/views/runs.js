// The runs of swarmctl chaos; one in progress is followed, two can be seen side by side.
import { ask, cut, h, name, problem, s, table } from '../dom.js';

export const title = 'Runs';

const AGAIN_MS = 1000;
const seconds = (value) => (value == null ? '–' : `${value.toFixed(1)} s`);

export function create(root) {
  const list = h('div', {});
  const shown = h('div', { class: 'side' });
  root.append(
    h('h2', { class: 'hidden' }, 'Runs'),
    h('p', {}, 'A run is started from the command line: ', h('code', {}, 'swarmctl chaos run instance-stop --target wkr1')),
    shown, list);
  let ids = [];
  let timer = 0;
  let over = false;

  async function load() {
    clearTimeout(timer);
    try {
      const found = await ask('api/runs');
      if (over) return;
      list.replaceChildren(...listed(found, ids));
      const runs = await Promise.all(ids.map((id) => ask(`api/runs/${encodeURIComponent(id)}`)));
      if (over) return;
      const frame = { services: names(runs), limits: limits(runs) };
      shown.replaceChildren(...runs.map((run) => drawn(run, frame)));
    } catch (fault) {
      if (!over) list.replaceChildren(problem(fault));
    }
    timer = setTimeout(load, AGAIN_MS);
  }
  return {
    update() {},
    route(rest) {
      ids = rest.slice(0, 2);
      load();
    },
    end() {
      over = true;
      clearTimeout(timer);
    },
  };
}

const HEADS = ['run', 'fault', 'targets', 'outcome', 'Down', 'healthy', 'probes lost', 'compare'];

function listed(found, ids) {
  const rows = found.runs.map((run) => ({ cells: [
    h('a', { href: `#runs/${run.id}` }, run.id), run.fault, name(run.targets.join(', ')),
    { class: { held: 'good', refuted: 'bad' }[run.outcome] || 'warn', parts: [run.outcome || 'in progress'] },
    seconds(run.phases.t_down), seconds(run.phases.t_healthy),
    run.probes ? `${run.lost}/${run.probes}` : '–',
    ids.length && ids[0] !== run.id ? h('a', { href: `#runs/${ids[0]}/${run.id}` }, `beside ${ids[0]}`) : ''] }));
  const parts = [table(HEADS, rows)];
  if (!found.runs.length) parts.unshift(h('p', {}, 'There is no run in ', name(found.directory), '.'));
  return [...parts, ...found.left_out.map((text) => h('p', { class: 'warn' }, name(text)))];
}

const names = (runs) => [...new Set(runs.flatMap((run) => Object.keys(run.colours)))].sort();

function limits(runs) {
  const at = (run) => run.fault_s ?? 0;
  const times = runs.flatMap((run) => run.samples.map((one) => one.at_s - at(run)));
  const counts = runs.flatMap((run) => run.samples.flatMap((one) => Object.values(one.services)));
  return { left: Math.min(0, ...times), right: Math.max(1, ...times), most: Math.max(1, ...counts) };
}

function drawn(run, frame) {
  const { summary } = run;
  const running = !summary.outcome;
  return h('section', {},
    h('h3', {}, summary.id),
    h('p', { class: { held: 'good', refuted: 'bad' }[summary.outcome] || 'warn' },
      name(run.verdict?.sentence || (running ? 'in progress' : summary.outcome))),
    chart(run, frame),
    h('dl', {},
      ...pair('hypothesis', text(run.hypothesis)), ...pair('undo plan', `${run.undo.state} ${run.undo.detail}`),
      ...run.undo.steps.flatMap((step) => pair(step.action, `${step.node}: ${step.by_hand}`)),
      ...run.probes.flatMap((probe) =>
        pair(`probes of ${probe.service}`, `${probe.lost} of ${probe.sent} lost, median ${probe.median_ms.toFixed(0)} ms`)),
      ...run.marks.slice(-12).flatMap((mark) => pair(since(run, mark.at_s), mark.text))));
}

// As in the report: seconds since the fault; before there is one, since the run began.
function since(run, at) {
  const passed = at - (run.fault_s ?? 0);
  return `${passed < 0 ? '' : '+'}${passed.toFixed(1)} s`;
}
const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
const pair = (term, words) => [h('dt', {}, name(term)), h('dd', {}, name(words))];

// A strip for each service: how many of its replicas served.
function chart(run, { services, limits: { left, right, most } }) {
  const [width, high, label] = innerWidth < 640 ? [340, 30, 110] : [560, 30, 150];
  const x = (at) => label + ((at - left) / (right - left)) * (width - label - 8);
  const fault = run.fault_s ?? 0;
  const found = s('svg', { viewBox: `0 0 ${width} ${services.length * (high + 8) + 40}`, class: 'chart', role: 'img',
    'aria-label': `Serving replicas during ${run.summary.id}` });
  services.forEach((service, row) => {
    const base = (row + 1) * (high + 8);
    const y = (count) => base - (count / most) * high;
    const points = run.samples.flatMap((one, i) => {
      const until = run.samples[i + 1]?.at_s ?? one.at_s;
      const level = y(one.services[service] || 0);
      return [[x(one.at_s - fault), level], [x(until - fault), level]];
    });
    if (points.length) {
      const path = points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join(' ');
      const end = points.at(-1)[0].toFixed(1);
      found.append(s('polygon', { class: `area c${run.colours[service]}`,
        points: `${points[0][0].toFixed(1)},${base} ${path} ${end},${base}` }));
    }
    found.append(s('text', { x: 0, y: base - 8 }, cut(service, label / 7)));
  });
  const bottom = services.length * (high + 8);
  const moments = [['fault', run.fault_s == null ? null : 0], ['Down', run.phases.t_down], ['healthy', run.phases.t_healthy]];
  let free = 0; // from here to the right the line of words is free
  for (const [word, at] of moments) {
    if (at == null) continue;
    const [middle, half] = [x(at), word.length * 3.5];
    const line = middle - half < free ? 1 : 0;
    if (!line) free = middle + half + 6;
    found.append(
      s('line', { class: `moment ${word}`, x1: middle, x2: middle, y1: 0, y2: bottom + 14 * line }),
      s('text', { x: Math.min(middle, width - half), y: bottom + 16 + 14 * line, 'text-anchor': 'middle' }, word));
  }
  return found;
}
