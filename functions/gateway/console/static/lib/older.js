import { call, withQuery } from "./api.js";
import { html, useMemo, useState } from "./html.js";
import { useAction } from "./resource.js";
import { Failure } from "./ui.js";

/**
 * A list that comes in pages: the first one, which may be asked for again, and the older ones that were asked for.
 *
 * @param {{ data: any[], next_cursor: string | null }} first
 * @param {string} path
 * @param {(row: any) => string} rowKey
 * @returns {{ rows: any[], cursor: string | null, isRunning: boolean, error: Error | null, more: () => void }}
 */
export function useOlder(first, path, rowKey) {
  const [older, setOlder] = useState(/** @type {{ rows: any[], cursor: string | null } | null} */ (null));
  const { isRunning, error, run } = useAction();
  const cursor = older ? older.cursor : first.next_cursor;
  const rows = useMemo(
    () => [...new Map([...first.data, ...(older?.rows ?? [])].map((row) => [rowKey(row), row])).values()],
    [first, older],
  );
  const more = () =>
    run(async () => {
      const next = await call(withQuery(path, { cursor }));
      // The first page may have moved on by now: what it had is kept with the older ones.
      setOlder((now) => ({ rows: [...(now?.rows ?? first.data), ...next.data], cursor: next.next_cursor }));
    });
  return { rows, cursor, isRunning, error, more };
}

/**
 * The button that asks for older rows.
 *
 * @param {{ of: ReturnType<typeof useOlder>, label: string }} props
 */
export function More({ of, label }) {
  return html`<${Failure} error=${of.error} />
    ${of.cursor && html`<div class="actions"><button type="button" disabled=${of.isRunning} onClick=${of.more}>${label}</button></div>`}`;
}
