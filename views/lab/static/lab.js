/**
 * Sends the lab's forms without a page load, and replaces the parts marked `data-live` by those of the response. Without
 * scripts the forms work as usual.
 */
const NARROW = matchMedia('(max-width: 60rem)');
let running = false;

/** Replaces the live parts and the CSRF token by those of another page. */
function adopt(page) {
  for (const part of document.querySelectorAll('[data-live]')) {
    const fresh = page.getElementById(part.id);
    if (fresh !== null) part.replaceWith(document.adoptNode(fresh));
  }
  const token = page.querySelector('[name="csrfmiddlewaretoken"]')?.value;
  for (const field of document.querySelectorAll('[name="csrfmiddlewaretoken"]')) field.value = token ?? field.value;
  const who = page.querySelector('.who');
  if (who !== null) document.querySelector('.who')?.replaceWith(document.adoptNode(who));
  const said = page.querySelector('[data-say]')?.textContent ?? '';
  document.querySelector('[data-say]').textContent = said;
}

/** Scrolls to the result. Beside the forms no further than needed, so that the button stays visible. */
function show(hash) {
  const isBeside = hash === '#step' && !NARROW.matches;
  const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const place = document.getElementById(hash.slice(1));
  place?.scrollIntoView({ behavior: isCalm ? 'auto' : 'smooth', block: isBeside ? 'nearest' : 'start' });
}

async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  const answer = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'text/html' } });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  adopt(new DOMParser().parseFromString(await answer.text(), 'text/html'));
  const address = new URL(answer.url);
  // `answer.url` has no fragment.
  const hash = form.elements.claim === undefined ? '#step' : `#${form.closest('li').id}`;
  history.replaceState(null, '', address.pathname + address.search + hash);
  show(hash);
}

document.addEventListener('submit', (event) => {
  const { target: form, submitter } = event;
  if (!form.matches('[data-lab]') || submitter === null) return;
  event.preventDefault();
  if (running) return;
  running = true;
  send(form, submitter)
    // Submit without script: the server's page shows the error.
    .catch(() => {
      form.removeAttribute('data-lab');
      form.requestSubmit(submitter);
    })
    .finally(() => {
      running = false;
    });
});
