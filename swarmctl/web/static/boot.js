// If a script does not arrive (the server has just ended, a busy machine), nothing would ever be drawn: the
// page says so, and is loaded again.
document.addEventListener('error', (event) => {
  if (event.target.tagName !== 'SCRIPT') return;
  const fault = document.getElementById('fault');
  fault.textContent = 'A part of this page did not arrive; it is loaded again.';
  fault.hidden = false;
  setTimeout(() => location.reload(), 1000);
}, true);
