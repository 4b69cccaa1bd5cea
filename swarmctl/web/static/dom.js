// Elements. Texts of the Swarm go through textContent and setAttribute only: they are never markup.
const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export const h = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);

export const s = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

// A name of somebody else: its direction changes nothing around it.
export const name = (text) => h('bdi', {}, text);

// As many characters as fit, cut by characters and not by halves of them.
export function cut(text, most) {
  const all = Array.from(text);
  return all.length <= most ? text : all.slice(0, Math.max(1, most - 1)).join('') + '…';
}

// Set what differs: writing to the document is what costs.
export function set(element, attribute, value) {
  if (element.getAttribute(attribute) !== String(value)) element.setAttribute(attribute, value);
}

export async function ask(address) {
  const answer = await fetch(address, { headers: { Accept: 'application/json' } });
  const body = await answer.json().catch(() => ({ error: `the server answers ${answer.status}` }));
  if (!answer.ok) throw new Error(body.hint ? `${body.error} (${body.hint})` : body.error);
  return body;
}

// A table whose first column names the row. On a phone each row becomes a card (style.css); then the
// roles say that it still is a table. A cell is a text, an element, or {class, parts}.
export function table(heads, rows) {
  const head = h('tr', { role: 'row' }, ...heads.map((each) => h('th', { scope: 'col', role: 'columnheader' }, each)));
  const cell = (content, column) => {
    const { class: kind = null, parts = [content] } = content?.parts ? content : {};
    const found = h(column ? 'td' : 'th', { class: kind, role: column ? 'cell' : 'rowheader', 'data-head': heads[column] }, ...parts);
    if (!column) found.setAttribute('scope', 'row');
    return found;
  };
  return h('div', { class: 'scroll' }, h('table', { role: 'table' },
    h('thead', { role: 'rowgroup' }, head),
    h('tbody', { role: 'rowgroup' }, ...rows.map((row) =>
      h('tr', { role: 'row', class: row.class || null }, ...row.cells.map(cell))))));
}

export const problem = (fault) => h('p', { class: 'problem', role: 'alert' }, fault.message);
