/**
 * The login form's button for visitors who cannot see the picture: this device does a proof of work instead.
 * Without scripts there is only the picture.
 */
const task = document.getElementById('task');
const form = task.closest('form');
const picture = document.getElementById('picture');
const password = document.getElementById('password');
const [button, progress, status] = ['button', 'progress', '[role="status"]'].map((part) => task.querySelector(part));
const solution = task.querySelector('[name="proof_of_work"]');

let running = false;
/** Whether the form was submitted while the task ran. It is sent when the task is done. */
let waiting = false;

function say(text) {
  status.textContent = text;
}

/** While there is a task, the picture's field is neither required nor sent. */
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

/** The task, or `{problem}` with the server's message. */
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
  // The focused button is hidden: focus the first empty field.
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
  // A new picture can be requested while the task runs.
  if (!running || event.submitter?.name === 'refresh') return;
  event.preventDefault();
  waiting = true;
  say(task.dataset.sending);
});

document.getElementById('task-note').hidden = true;
task.hidden = false;
if ('start' in task.dataset) start();
