import { h } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

/**
 * Templates of elements. Whatever is put into one is text or an attribute's value, never markup.
 *
 * @type {(strings: TemplateStringsArray, ...values: any[]) => any}
 */
export const html = htm.bind(h);
export { Component, Fragment, render } from "../vendor/preact.js";
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
