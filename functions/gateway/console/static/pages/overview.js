import { withQuery } from "../lib/api.js";
import { Chart } from "../lib/charts.js";
import { RangeChoice } from "../lib/filters.js";
import { count, duration, percent, quantity, UNKNOWN } from "../lib/format.js";
import { html, useMemo } from "../lib/html.js";
import { midnight, rangeQuery } from "../lib/ranges.js";
import { useResource } from "../lib/resource.js";
import { addressOf, useFilters } from "../lib/router.js";
import { certainty, pointsByModel, Spent } from "../lib/sums.js";
import { Badge, Empty, Loaded, PageHead, Section, Tile, Time, Value } from "../lib/ui.js";

const POLL_SECONDS = 60;

/**
 * What is left, what was used, and what needs a person.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function Overview({ place }) {
  const [filters, change] = useFilters(place, { range: "24h", from: "", to: "" });
  const path = withQuery("overview", { ...rangeQuery(filters), day_start: midnight(Date.now()).toISOString() });
  const overview = useResource(path, { every: POLL_SECONDS });
  return html`<${PageHead} title="Overview"><${RangeChoice} values=${filters} change=${change} /><//>
    <${Loaded} of=${overview}>${(/** @type {any} */ data) => html`<${Shown} data=${data} />`}<//>`;
}

/** @param {{ data: any }} props */
function Shown({ data }) {
  const chart = useMemo(() => pointsByModel(data.hours), [data.hours]);
  const isEmpty = data.sends.sends === 0;
  return html`<dl class="tiles">
      <${PointsLeft} left=${data.points} />
      <${UsedToday} used=${data.used} />
      <${Lasts} left=${data.points} />
      <${Requests} counts=${data.requests} />
      <${FirstToken} counts=${data.requests} />
    </dl>
    <${Attention} items=${data.attention} hasMore=${data.has_more_accounts} />
    <${Section} title="Points" note=${html`<${Range} data=${data} />`}>
      ${isEmpty
        ? html`<${Empty}><p>Nothing was sent to Poe in this range.</p><p><a href=${addressOf("playground")}>Try a model in the playground</a></p><//>`
        : html`<${Chart} data=${chart} note=${certainty(data.sends)} />`}
    <//>`;
}

/** @param {{ data: any }} props */
function Range({ data }) {
  return html`<span><${Spent} sums=${data.sends} /> since <${Time} at=${data.from} /></span>`;
}

/** @param {{ left: any }} props */
function PointsLeft({ left }) {
  const known = left.accounts_known < left.accounts ? `, ${left.accounts_known} of ${quantity(left.accounts, "account")} known` : "";
  const note = left.left === null
    ? quantity(left.accounts, "account")
    : html`as of <${Time} at=${left.as_of} isRelative />${known}`;
  return html`<${Tile} name="Points left" value=${html`<${Value} text=${count(left.left)} />`} note=${note} />`;
}

/** @param {{ used: any }} props */
function UsedToday({ used }) {
  const note = html`yesterday by this time about ${count(used.yesterday_by_now)}`;
  const parts = certainty(used.today);
  return html`<${Tile}
    name="Points used today"
    value=${html`<${Spent} sums=${used.today} hasUnit=${false} />`}
    note=${html`${parts && html`${parts}; `}${note}`}
  />`;
}

/** @param {{ left: any }} props */
function Lasts({ left }) {
  const pace = left.points_per_hour === null ? null : `${count(left.points_per_hour)} points an hour`;
  const grant = left.next_grant_at && html`, next grant <${Time} at=${left.next_grant_at} isRelative />`;
  if (left.runs_out_at) {
    return html`<${Tile}
      name="Lasts until"
      tone="warn"
      value=${html`<${Time} at=${left.runs_out_at} />`}
      note=${html`estimated, at ${pace}${grant}`}
    />`;
  }
  if (pace) return html`<${Tile} name="Lasts until" value="In reserve" note=${html`at ${pace} the next grant comes first${grant}`} />`;
  return html`<${Tile} name="Lasts until" value=${html`<${Value} text=${UNKNOWN} />`} note=${html`too little use to tell${grant}`} />`;
}

/** @param {{ counts: any }} props */
function Requests({ counts }) {
  if (!counts) return html`<${Tile} name="Requests" value=${html`<${Value} text=${UNKNOWN} />`} note="the log of requests is switched off" />`;
  const share = counts.requests ? counts.errors / counts.requests : null;
  const failed = share === null ? "no requests" : `${percent(share)} failed (${count(counts.errors)})`;
  return html`<${Tile} name="Requests" value=${count(counts.requests)} note=${failed} tone=${share !== null && share > 0.1 ? "warn" : undefined} />`;
}

/** @param {{ counts: any }} props */
function FirstToken({ counts }) {
  const value = counts?.first_token_p50_seconds ?? null;
  const note = value === null
    ? "no answered requests"
    : `median; 95 % within ${duration(counts.first_token_p95_seconds)}; of ${quantity(counts.first_token_of, "request")}, estimated`;
  return html`<${Tile} name="Time to first token" value=${html`<${Value} text=${duration(value)} />`} note=${note} />`;
}

/** @param {{ items: any[], hasMore: boolean }} props */
function Attention({ items, hasMore }) {
  const more = hasMore && html`<p class="note">Only the first accounts were looked at. <a href=${addressOf("accounts")}>All accounts</a></p>`;
  if (!items.length) {
    return html`<${Section} title="What needs you"><p>Nothing. Accounts, keys and the scheduled job are as they should be.</p>${more}<//>`;
  }
  return html`<${Section} title="What needs you">
    <ul class="attention">
      ${items.map(
        (item, index) =>
          html`<li key=${index}>
            <${Badge} tone=${item.severity === "fail" ? "bad" : "warn"}>${item.severity === "fail" ? "Broken" : "Look"}<//>
            <div class="words">
              <p>
                ${item.account ? html`<a href=${addressOf("accounts", {}, item.account)}>${item.label ?? item.account}</a>: ` : ""}${item.text}
                ${item.until && html` Until <${Time} at=${item.until} />.`}
              </p>
              ${item.remedy && html`<p class="note">${item.remedy}</p>`}
            </div>
          </li>`,
      )}
    </ul>
    ${more}
  <//>`;
}
