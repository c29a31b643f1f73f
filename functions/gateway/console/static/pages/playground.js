import { ApiError, call } from "../lib/api.js";
import { count, duration, quantity, UNKNOWN } from "../lib/format.js";
import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { useAction, useResource } from "../lib/resource.js";
import { addressOf } from "../lib/router.js";
import { nothingYet, streamChat } from "../lib/stream.js";
import { Choice, Copyable, Failure, Field, Loaded, PageHead, Section, Tile, Value } from "../lib/ui.js";
import { keptSecrets } from "./secrets.js";
import { curl, python } from "./snippets.js";

const TYPED = "typed";

/**
 * Talk to a model with a client key, as a program would.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function Playground({ place }) {
  const known = useResource("playground");
  return html`<${PageHead} title="Playground" />
    <p class="note lead">A message costs points. It goes through the gateway as a program's would, with a client key; your session opens no model.</p>
    <${Loaded} of=${known}>${(/** @type {any} */ data) => html`<${Talk} known=${data} named=${place.query.get("model")} />`}<//>`;
}

/** @param {{ known: any, named: string | null }} props */
function Talk({ known, named }) {
  const kept = keptSecrets();
  const [chosen, setChosen] = useState(kept.at(-1)?.id ?? TYPED);
  const [typed, setTyped] = useState("");
  const [model, setModel] = useState(named ?? known.models[0]?.id ?? "");
  const [message, setMessage] = useState("");
  const [system, setSystem] = useState("");
  const [limit, setLimit] = useState("");
  const [heard, setHeard] = useState(/** @type {import("../lib/stream.js").Heard | null} */ (null));
  const stopper = useRef(/** @type {AbortController | null} */ (null));
  const { isRunning, error, run } = useAction();
  useEffect(() => () => stopper.current?.abort(), []);
  const key = chosen === TYPED ? typed.trim() : (kept.find(({ id }) => id === chosen)?.secret ?? "");
  const messages = useMemo(
    () => [...(system ? [{ role: "system", content: system }] : []), { role: "user", content: message }],
    [system, message],
  );
  const options = limit ? { max_tokens: Number(limit) } : {};
  const ask = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const own = new AbortController();
      stopper.current = own;
      setHeard(nothingYet());
      try {
        await streamChat({ key, body: { model, messages, ...options }, signal: own.signal, onHeard: setHeard });
      } catch (failure) {
        if (!own.signal.aborted) throw failure;
      }
    });
  };
  const stop = () => stopper.current?.abort();
  return html`<div class="columns">
      <${Section} title="Message">
        <form onSubmit=${ask}>
          <${KeyChoice} ...${{ known, kept, chosen, setChosen, typed, setTyped }} />
          <${ModelChoice} models=${known.models} model=${model} onChange=${setModel} />
          <${Text} label="Message" value=${message} onChange=${setMessage} rows=${4} isRequired />
          <details>
            <summary>System message, limit</summary>
            <${Text} label="System message" value=${system} onChange=${setSystem} rows=${2} />
            <${Field} label="At most so many tokens">
              ${(/** @type {string} */ id) =>
                html`<input id=${id} type="number" min="1" value=${limit} placeholder="no limit" onInput=${(/** @type {any} */ event) => setLimit(event.target.value)} />`}
            <//>
          </details>
          <div class="actions">
            ${isRunning && html`<button type="button" onClick=${stop}>Stop</button>`}
            <button class="main" disabled=${isRunning}>${isRunning ? "Answering …" : "Send"}</button>
          </div>
        </form>
      <//>
      <${Section} title="Answer">
        <${Failure} error=${error} />
        ${heard ? html`<${Answer} heard=${heard} isRunning=${isRunning} key=${heard.requestId ?? ""} />` : html`<p class="note">Nothing was sent yet.</p>`}
      <//>
    </div>
    <${Section} title="The same call" note="with your key in it once you show it">
      <${SameCall} secret=${key} model=${model} messages=${messages} options=${options} />
    <//>`;
}

/** @param {any} props */
function KeyChoice({ known, kept, chosen, setChosen, typed, setTyped }) {
  const choices = [...kept.map((/** @type {any} */ { id, name }) => [id, `${name}, made just now`]), [TYPED, "A key that I type in"]];
  const names = known.keys.filter((/** @type {any} */ key) => key.enabled).map((/** @type {any} */ key) => key.name);
  return html`${kept.length > 0 && html`<${Choice} label="Client key" value=${chosen} options=${choices} onChange=${setChosen} />`}
    ${chosen === TYPED &&
    html`<${Field}
      label=${kept.length ? "Key" : "Client key"}
      hint=${names.length
        ? html`The secret of one of: ${names.slice(0, 8).join(", ")}${names.length > 8 && " …"}. It stays in this page's memory.`
        : html`There is none yet: <a href=${addressOf("keys")}>create one</a>.`}
    >
      ${(/** @type {string} */ id, /** @type {string} */ hint) =>
        html`<input
          id=${id}
          type="password"
          required
          autocomplete="off"
          spellcheck=${false}
          value=${typed}
          aria-describedby=${hint}
          onInput=${(/** @type {any} */ event) => setTyped(event.target.value)}
        />`}
    <//>`}`;
}

/** @param {{ models: any[], model: string, onChange: (model: string) => void }} props */
function ModelChoice({ models, model, onChange }) {
  return html`<${Field} label="Model">
    ${(/** @type {string} */ id) =>
      html`<input id=${id} list=${`${id}-list`} required autocomplete="off" spellcheck=${false} value=${model} onInput=${(/** @type {any} */ event) => onChange(event.target.value)} />
        <datalist id=${`${id}-list`}>${models.map(({ id: name }) => html`<option key=${name} value=${name}></option>`)}</datalist>`}
  <//>`;
}

/** @param {{ label: string, value: string, onChange: (value: string) => void, rows: number, isRequired?: boolean }} props */
function Text({ label, value, onChange, rows, isRequired = false }) {
  return html`<${Field} label=${label}>
    ${(/** @type {string} */ id) =>
      html`<textarea id=${id} rows=${rows} required=${isRequired} value=${value} onInput=${(/** @type {any} */ event) => onChange(event.target.value)}></textarea>`}
  <//>`;
}

/** @param {{ heard: import("../lib/stream.js").Heard, isRunning: boolean }} props */
function Answer({ heard, isRunning }) {
  const { usage } = heard;
  const state = isRunning ? "running" : heard.totalSeconds === null ? "stopped" : (heard.finish ?? "ended");
  return html`${heard.thinking && html`<details><summary>Thinking</summary><div class="answer note">${heard.thinking}</div></details>`}
    <div class="answer" tabindex="0" role="region" aria-label="Text of the answer" aria-busy=${isRunning}>${heard.text}</div>
    <p class="hidden" role="status">${isRunning ? "" : `The answer is complete: ${state}.`}</p>
    <dl class="tiles">
      <${Tile} name="First token" value=${heard.firstSeconds === null ? html`<span class="absent">${isRunning ? "waiting" : "none"}</span>` : duration(heard.firstSeconds)} />
      <${Tile} name="Total" value=${heard.totalSeconds === null ? html`<span class="absent">${state}</span>` : duration(heard.totalSeconds)} note=${quantity(heard.pieces, "piece")} />
      <${Tile}
        name="Tokens in, out"
        value=${usage ? `${count(usage.prompt_tokens)}, ${count(usage.completion_tokens)}` : html`<${Value} text=${UNKNOWN} />`}
        note=${usage?.estimated ? "estimated" : ""}
      />
      ${!isRunning && heard.requestId && html`<${Paid} requestId=${heard.requestId} />`}
    </dl>
    ${heard.requestId && html`<${Copyable} label="Request id" text=${heard.requestId} />`}`;
}

/**
 * What the message cost, by the gateway's books.
 *
 * @param {{ requestId: string }} props
 */
function Paid({ requestId }) {
  const [found, setFound] = useState(/** @type {any} */ (null));
  const { error, run } = useAction();
  useEffect(() => {
    run(async () => setFound(await call(`requests/${encodeURIComponent(requestId)}`)));
  }, [requestId]);
  if (error instanceof ApiError && error.status === 404) return html`<${Tile} name="Points" value=${html`<${Value} text=${UNKNOWN} />`} note="not in the log of requests" />`;
  if (error) return html`<${Tile} name="Points" value=${html`<${Value} text=${UNKNOWN} />`} note=${error.message} />`;
  if (!found) return html`<${Tile} name="Points" value=${html`<span class="absent">asking</span>`} />`;
  const sure = found.points === null ? "" : found.points_estimated ? "estimated; " : "";
  return html`<${Tile}
    name="Points"
    value=${html`<${Value} text=${count(found.points)} />`}
    note=${html`${sure}<a href=${addressOf("requests", {}, requestId)}>the request</a>`}
  />`;
}

/** @param {{ secret: string, model: string, messages: { role: string, content: string }[], options: Record<string, any> }} props */
function SameCall({ secret, model, messages, options }) {
  const [language, setLanguage] = useState("curl");
  const [isShown, setIsShown] = useState(false);
  const key = isShown && secret ? secret : "YOUR-CLIENT-KEY";
  const write = language === "curl" ? curl : python;
  return html`<div class="tabs" role="group" aria-label="Language">
      ${[
        ["curl", "curl"],
        ["python", "Python"],
      ].map(
        ([name, words]) =>
          html`<button key=${name} type="button" class="quiet" aria-pressed=${language === name} onClick=${() => setLanguage(name)}>${words}</button>`,
      )}
      ${secret && html`<button type="button" class="quiet" aria-pressed=${isShown} onClick=${() => setIsShown(!isShown)}>${isShown ? "Hide the key" : "Show the key"}</button>`}
    </div>
    <${Copyable} label=${`The call in ${language}`} text=${write(key, model, messages, options)} />`;
}
