import { call } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./html.js";

/**
 * @template T
 * @typedef {object} Resource What a page shows, and how it stands with it.
 * @property {T | null} data The newest answer; kept while the next one is on its way.
 * @property {Error | null} error Why the newest question was not answered.
 * @property {boolean} isLoading
 * @property {() => void} reload
 * @property {(data: T) => void} put Take an answer that came another way.
 */

/**
 * One question to the gateway, asked again when its address changes. With `every`, also after so many seconds, but only
 * while the page is visible. `null` asks nothing.
 *
 * @template [T=any]
 * @param {string | null} path
 * @param {{ every?: number | null }} [options]
 * @returns {Resource<T>}
 */
export function useResource(path, { every = null } = {}) {
  const [state, setState] = useState(
    /** @returns {{ data: T | null, error: Error | null, isLoading: boolean }} */
    () => ({ data: null, error: null, isLoading: path !== null }),
  );
  const running = useRef(/** @type {AbortController | null} */ (null));

  const load = useCallback(async (isPoll = false) => {
    running.current?.abort();
    if (path === null) return;
    const own = new AbortController();
    running.current = own;
    setState((now) => ({ ...now, isLoading: true }));
    try {
      const data = await call(path, { signal: own.signal, isPoll });
      if (!own.signal.aborted) setState({ data, error: null, isLoading: false });
    } catch (error) {
      if (own.signal.aborted) return;
      setState((now) => ({ ...now, error: /** @type {Error} */ (error), isLoading: false }));
    }
  }, [path]);

  useEffect(() => {
    load();
    return () => running.current?.abort();
  }, [load]);

  useEffect(() => {
    if (!every) return undefined;
    let last = Date.now();
    const ask = () => {
      if (document.visibilityState !== "visible" || Date.now() - last < every * 1000) return;
      last = Date.now();
      load(true);
    };
    const timer = setInterval(ask, Math.min(1000, every * 1000));
    document.addEventListener("visibilitychange", ask);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", ask);
    };
  }, [every, load]);

  const put = useCallback((/** @type {T} */ data) => setState({ data, error: null, isLoading: false }), []);
  const reload = useCallback(() => void load(), [load]);
  return { ...state, reload, put };
}

/**
 * An action that a button starts: whether it runs, and what it failed with.
 *
 * @returns {{ isRunning: boolean, error: Error | null, run: (action: () => Promise<void>) => Promise<void>, clear: () => void }}
 */
export function useAction() {
  const [state, setState] = useState({ isRunning: false, error: /** @type {Error | null} */ (null) });
  const isMounted = useRef(true);
  useEffect(() => {
    isMounted.current = true;
    return () => {
      isMounted.current = false;
    };
  }, []);
  const run = useCallback(async (/** @type {() => Promise<void>} */ action) => {
    setState({ isRunning: true, error: null });
    try {
      await action();
      if (isMounted.current) setState({ isRunning: false, error: null });
    } catch (error) {
      if (isMounted.current) setState({ isRunning: false, error: /** @type {Error} */ (error) });
    }
  }, []);
  const clear = useCallback(() => setState({ isRunning: false, error: null }), []);
  return { ...state, run, clear };
}
