// The document as the server has it: a snapshot, then differences (swarmctl/web/changes.py).
export const empty = () => ({ nodes: {}, strangers: {}, services: {}, tasks: {} });

export function applied(document, changes) {
  const after = { ...document };
  for (const [kind, part] of Object.entries(changes)) {
    after[kind] = { ...after[kind], ...part.set };
    for (const id of part.gone) delete after[kind][id];
  }
  return after;
}

// What the views read; `changed` is called at most once a frame.
export class Store {
  constructor(changed) {
    this.document = empty();
    this.status = { as_of: 0, manager: '', fault: '', failing_since: 0 };
    this.loaded = false;
    this.connected = false;
    this.received = 0; // when the status came, on this machine's clock
    this.changed = changed;
    this.waiting = false;
  }

  connect() {
    const source = new EventSource('api/events');
    const on = (kind, take) =>
      source.addEventListener(kind, (event) => {
        const data = JSON.parse(event.data);
        this.connected = true;
        take(data);
        this.soon();
      });
    on('snapshot', (data) => {
      this.document = data.document;
      this.loaded = true;
      this.take(data.status);
    });
    on('delta', (data) => {
      this.document = applied(this.document, data.changes);
      this.take(data.status);
    });
    on('status', (status) => this.take(status));
    source.addEventListener('open', () => this.soon());
    source.addEventListener('error', () => {
      this.connected = false;
      this.soon();
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.connect(), 2000);
    });
  }

  take(status) {
    this.status = status;
    this.received = performance.now();
  }

  soon() {
    if (this.waiting) return;
    this.waiting = true;
    // A page in the background gets no frames, but its title still says what is wrong.
    const draw = () => {
      if (!this.waiting) return;
      this.waiting = false;
      clearTimeout(late);
      this.changed();
    };
    const late = setTimeout(draw, 1000);
    requestAnimationFrame(draw);
  }

  // Seconds since the snapshot was taken, as far as this page knows.
  age() {
    if (!this.status.as_of) return null;
    return this.status.now - this.status.as_of + (performance.now() - this.received) / 1000;
  }
}
