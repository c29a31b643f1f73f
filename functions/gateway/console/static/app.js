import { load } from "./boot.js";
import { ApiError, call, onSignedOut } from "./lib/api.js";
import { html, render, useCallback, useEffect, useRef, useState } from "./lib/html.js";
import { useAction } from "./lib/resource.js";
import { addressOf, go, usePlace } from "./lib/router.js";
import { onKeyNeeded, signIn } from "./lib/session.js";
import { Confirm, Dialog, Failure, Field, Loading } from "./lib/ui.js";
import { forgetSecrets } from "./pages/secrets.js";

/** @typedef {import("./lib/session.js").Session} Session */

/** @typedef {{ session: Session, place: import("./lib/router.js").Place }} PageProps */

/** @typedef {{ title: string, path: string }} Page */

/** @type {Record<string, Page>} */
const ADMINISTRATION = {
  overview: { title: "Overview", path: "./pages/overview.js" },
  accounts: { title: "Accounts", path: "./pages/accounts.js" },
  requests: { title: "Requests", path: "./pages/requests.js" },
  usage: { title: "Usage", path: "./pages/usage.js" },
  keys: { title: "Keys", path: "./pages/keys.js" },
  models: { title: "Models", path: "./pages/models.js" },
  playground: { title: "Playground", path: "./pages/playground.js" },
  health: { title: "Health", path: "./pages/health.js" },
};
/** @type {Record<string, Page>} */
const OWN = { me: { title: "My key", path: "./pages/me.js" } };

let isFirstPage = true;

/** The console: who is signed in, or the way in. */
function App() {
  const [session, setSession] = useState(/** @type {Session | null | undefined} */ (undefined));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [reason, setReason] = useState("");
  const begin = useCallback(async () => {
    setError(null);
    try {
      setSession(await call("session"));
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 401) setSession(null);
      else setError(/** @type {Error} */ (failure));
    }
  }, []);
  const leave = useCallback((/** @type {string} */ words) => {
    forgetSecrets();
    setReason(words);
    setSession(null);
  }, []);
  useEffect(() => {
    onSignedOut((failure) => leave(failure.message));
    begin();
  }, []);
  if (error) return html`<main class="sign-in"><h1>Poe gateway</h1><${Failure} error=${error} retry=${begin} /></main>`;
  if (session === undefined) return html`<main class="sign-in"><${Loading} lines=${3} /></main>`;
  if (session === null) return html`<${SignIn} reason=${reason} onSignedIn=${setSession} />`;
  return html`<${Frame} session=${session} setSession=${setSession} leave=${leave} />`;
}

/**
 * The form that takes a key.
 *
 * @param {{ reason: string, onSignedIn: (session: Session) => void }} props
 */
function SignIn({ reason, onSignedIn }) {
  useEffect(() => {
    document.title = "Sign in · Poe gateway";
  }, []);
  return html`<main class="sign-in">
    <h1>Poe gateway</h1>
    ${reason && html`<p class="notice" role="status">${reason}</p>`}
    <${KeyForm} button="Sign in" onSignedIn=${onSignedIn} />
    <p class="note">
      The admin key is in the deployment's secret, or in <code>.local/run.env</code> beside <code>make run</code>. A key of role viewer looks
      without changing anything. A key of role client sees what it used itself.
    </p>
  </main>`;
}

/** @param {{ button: string, onSignedIn: (session: Session) => void }} props */
function KeyForm({ button, onSignedIn }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { isRunning, error, run } = useAction();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const session = await signIn(input.current?.value.trim() ?? "");
      onSignedIn(session);
    });
  };
  return html`<form onSubmit=${submit}>
    <${Failure} error=${error} />
    <${Field} label="Key" hint="It is sent once, and kept nowhere in the browser.">
      ${(/** @type {string} */ id, /** @type {string} */ hint) =>
        html`<input id=${id} ref=${input} type="password" autocomplete="off" spellcheck=${false} required aria-describedby=${hint} />`}
    <//>
    <button class="main" disabled=${isRunning}>${button}</button>
  </form>`;
}

/**
 * Navigation beside the page.
 *
 * @param {{ session: Session, setSession: (session: Session) => void, leave: (words: string) => void }} props
 */
function Frame({ session, setSession, leave }) {
  const place = usePlace();
  const pages = session.role === "client" ? OWN : ADMINISTRATION;
  const first = Object.keys(pages)[0];
  const page = Object.hasOwn(pages, place.page) ? place.page : first;
  const [isOpen, setIsOpen] = useState(false);
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (page !== place.page) go(addressOf(page), { replace: true });
  }, [page, place.page]);
  useEffect(() => {
    document.title = `${pages[page].title} · Poe gateway`;
    setIsOpen(false);
    window.scrollTo(0, 0);
  }, [page, place.id]);
  return html`<div class="frame">
    <button type="button" class="skip" onClick=${() => main.current?.focus()}>Skip to the page</button>
    <header class="side" data-open=${isOpen}>
     <div class="side-inner">
      <div class="side-head">
        <span class="brand">Poe gateway</span>
        <button type="button" class="menu-button" aria-expanded=${isOpen} onClick=${() => setIsOpen(!isOpen)}>Menu</button>
      </div>
      <nav aria-label="Pages">
        <ul>
          ${Object.entries(pages).map(
            ([name, { title }]) =>
              html`<li key=${name}><a href=${addressOf(name)} aria-current=${name === page ? "page" : undefined}>${title}</a></li>`,
          )}
        </ul>
      </nav>
      <${Who} session=${session} leave=${leave} />
     </div>
    </header>
    <main ref=${main} tabindex="-1">
      <${PageOf} key=${page} page=${pages[page]} session=${session} place=${place} />
    </main>
    <${KeyAgain} setSession=${setSession} />
  </div>`;
}

/** @param {{ page: Page } & PageProps} props */
function PageOf({ page, session, place }) {
  const [content, setContent] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  useEffect(() => {
    let isOver = false;
    load(page.path).then(
      (module) => isOver || setContent(() => module.default),
      () => isOver || setError(new Error("This page could not be loaded. If the gateway was updated just now, load the console again.")),
    );
    return () => {
      isOver = true;
    };
  }, [page]);
  useEffect(() => {
    if (!content) return;
    // Where a screen reader goes on after a link of the navigation; the first page leaves the focus where it is.
    if (isFirstPage) isFirstPage = false;
    else /** @type {HTMLElement | null} */ (document.querySelector("main h1"))?.focus();
  }, [content]);
  if (error) return html`<${Failure} error=${error} retry=${() => location.reload()} />`;
  return content ? html`<${content} session=${session} place=${place} />` : html`<${Loading} />`;
}

/**
 * Who is signed in, and the ways out.
 *
 * @param {{ session: Session, leave: (words: string) => void }} props
 */
function Who({ session, leave }) {
  const [isAsking, setIsAsking] = useState(false);
  const { isRunning, error, run, clear } = useAction();
  const signOut = () =>
    run(async () => {
      await call("session", { method: "DELETE" });
      leave("You are signed out.");
    });
  const endAll = () =>
    run(async () => {
      await call("session/end-all", { method: "POST" });
      leave("Everybody is signed out.");
    });
  return html`<div class="who">
    <p class="note">${session.name}${session.name !== session.role && `, ${session.role}`}${session.version && html`<br />version ${session.version}`}</p>
    <${Failure} error=${isAsking ? null : error} />
    <button type="button" class="quiet" disabled=${isRunning} onClick=${signOut}>Sign out</button>
    ${session.role === "admin" &&
    html`<button type="button" class="quiet" onClick=${() => (clear(), setIsAsking(true))}>Sign out everywhere</button>`}
    ${isAsking &&
    html`<${Confirm}
      title="Sign out everywhere?"
      action="Sign out everywhere"
      isRunning=${isRunning}
      error=${error}
      onYes=${endAll}
      onClose=${() => setIsAsking(false)}
    >
      <p>Every session of the console ends, in all browsers and of all keys. Keys go on working; programs notice nothing.</p>
    <//>`}
  </div>`;
}

/**
 * Asks for the key once more, before something that shows a secret.
 *
 * @param {{ setSession: (session: Session) => void }} props
 */
function KeyAgain({ setSession }) {
  const [waiting, setWaiting] = useState(/** @type {{ done: () => void, giveUp: (error: Error) => void } | null} */ (null));
  useEffect(() => {
    onKeyNeeded(() => new Promise((done, giveUp) => setWaiting({ done: () => done(), giveUp })));
  }, []);
  if (!waiting) return null;
  const signedIn = (/** @type {Session} */ session) => {
    setSession(session);
    setWaiting(null);
    waiting.done();
  };
  const close = () => {
    setWaiting(null);
    waiting.giveUp(new Error("Nothing was changed: showing a secret needs the key again."));
  };
  return html`<${Dialog} title="Enter your key again" onClose=${close}>
    <p>You signed in a while ago. What shows a secret needs your key once more.</p>
    <${KeyForm} button="Go on" onSignedIn=${signedIn} />
  <//>`;
}

/** Show the console. */
export function start() {
  const place = document.getElementById("app");
  if (place) render(html`<${App} />`, place);
}
