/**
 * The login form's way for those who cannot see the picture: a button that lets this device do a task instead.
 * Without scripts the button is not there, and the picture is.
 */
const task = document.getElementById('task');
const form = task.closest('form');
const picture = document.getElementById('picture');
const password = document.getElementById('password');
const [button, progress, status] = ['button', 'progress', '[role="status"]'].map((part) => task.querySelector(part));
const solution = task.querySelector('[name="proof_of_work"]');

let running = false;
/** Whether the form was sent while the task ran: it goes as soon as the task is done. */
let waiting = false;

function say(text) {
  status.textContent = text;
}

/** The picture's field must not be asked for, and must not be sent, while there is a task. */
function usePicture(used) {
  picture.hidden = !used;
  for (const field of picture.querySelectorAll('input')) field.disabled = !used;
}

function fail(text) {
  running = false;
  waiting = false;
  progress.hidden = true;
  button.hidden = false;
  usePicture(true);
  say(text);
  button.focus();
}

/** What is to be done, or `{problem}`: a sentence of the server's. */
async function fetchTask() {
  const token = form.elements.csrfmiddlewaretoken.value;
  const answer = await fetch(task.dataset.address, { method: 'POST', headers: { 'X-CSRFToken': token } });
  return answer.json();
}

function done(text) {
  running = false;
  solution.value = text;
  progress.hidden = true;
  say(task.dataset.done);
  if (waiting) form.requestSubmit();
}

async function start() {
  running = true;
  button.hidden = true;
  usePicture(false);
  say(task.dataset.working);
  // The button that had the focus is gone: go on where something is to be typed.
  const empty = [...form.querySelectorAll('input[required]:enabled')].find((field) => field.value === '');
  (empty ?? password).focus();
  const work = await fetchTask().catch(() => ({}));
  if (work.challenge === undefined) return fail(work.problem ?? task.dataset.failed);
  progress.max = work.parts;
  progress.value = 0;
  progress.hidden = false;
  const worker = new Worker(task.dataset.worker, { type: 'module' });
  worker.onerror = () => fail(task.dataset.failed);
  worker.onmessage = ({ data }) => {
    progress.value = data.done;
    if (data.done === work.parts >> 1) say(task.dataset.half);
    if (data.solution === undefined) return;
    worker.terminate();
    done(data.solution);
  };
  worker.postMessage(work);
}

button.addEventListener('click', start);
form.addEventListener('submit', (event) => {
  // A new picture may be asked for at any time.
  if (!running || event.submitter?.name === 'refresh') return;
  event.preventDefault();
  waiting = true;
  say(task.dataset.sending);
});

document.getElementById('task-note').hidden = true;
task.hidden = false;
if ('start' in task.dataset) start();
