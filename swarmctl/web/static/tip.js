// What is under the pointer, in words.
import { name } from './dom.js';
import { describe } from './picture.js';

const place = document.getElementById('tip');

export function tipFor(store) {
  return (id, event) => {
    const task = id && store.document.tasks[id];
    place.hidden = !task;
    if (!task) return;
    place.replaceChildren(name(describe(task, store.document.nodes[task.node])));
    const right = event.clientX > innerWidth / 2;
    place.style.left = right ? 'auto' : `${event.clientX + 12}px`;
    place.style.right = right ? `${innerWidth - event.clientX + 12}px` : 'auto';
    place.style.top = `${Math.min(event.clientY + 12, innerHeight - 80)}px`;
  };
}

export const hideTip = () => { place.hidden = true; };
