"""The bootstrap page, from which clients derive the form key, and its scripts (docs/reference/poe-web.md#form-key).

The page has the shape of the real one: a webpack, an `_app` and a build-manifest script at absolute addresses, an
inline script with a decoder and a key function, and `__NEXT_DATA__` with the channel. The decoder picks 32 of the
seed's 64 digits, guided by a secret that is only in `_app`, and hands out a decoy when the environment is not the one
that it expects.
"""

from __future__ import annotations

import json
import secrets

BUILD_ID = "Xb7mKq2LwTz0pRvYcD1nS"
REVISION = "3f1c2a9be8d74560c1a2b3d4e5f60718293a4b5c"
_MARK = "q7Zt1Lw9"
_STATIC = "/_next/static"

WEBPACK_PATH = f"{_STATIC}/chunks/webpack-5d1c0a7e9b3f2468.js"
APP_PATH = f"{_STATIC}/chunks/pages/_app-0f9e8d7c6b5a4321.js"
MANIFEST_PATH = f"{_STATIC}/{BUILD_ID}/_buildManifest.js"

SCRIPTS = {
    WEBPACK_PATH: '(()=>{"use strict";var e={};e.u=t=>"static/chunks/"+t+".1a2b3c4d5e6f7081.js"})();',
    APP_PATH: "(self.webpackChunk_N_E=self.webpackChunk_N_E||[]).push([[888],{71:function(e,t,n){"
    f'let useFormkeyDecode=function(){{return n(9)}};window.fkSecret="{_MARK}";t.Z=useFormkeyDecode}}}}]);',
    MANIFEST_PATH: 'self.__BUILD_MANIFEST={"/":["static/chunks/pages/index-77aa88bb99cc00dd.js"],'
    '"/login":["static/chunks/pages/login-1122334455667788.js"]};'
    "self.__BUILD_MANIFEST_CB&&self.__BUILD_MANIFEST_CB();",
}
"""Path to body of every script that the page names."""

_DECODER = (
    "window.fkDecode=function(s){"
    'var k=window.fkSecret||"",r="",p=typeof process==="undefined"&&typeof QuickJS==="undefined",i;'
    "if(!window.document||!window.navigator||!k||!p){return s.slice(32)}"
    "for(i=0;i<32;i++){r+=s.charAt(2*i+(k.charCodeAt(i%k.length)&1))}"
    "return r};"
)


def seed_for(form_key: str) -> str:
    """A 64-digit seed that the page's decoder turns into `form_key` (32 hexadecimal digits)."""
    digits = list(secrets.token_hex(32))
    for i, digit in enumerate(form_key):
        digits[2 * i + (ord(_MARK[i % len(_MARK)]) & 1)] = digit
    return "".join(digits)


def bootstrap_page(origin: str, form_key: str, channel_settings: dict[str, str | bool]) -> str:
    """The HTML for a signed-in viewer. `origin` makes the script addresses absolute."""
    next_data = {
        "props": {"initialProps": {"tchannelData": channel_settings}, "pageProps": {}},
        "page": "/",
        "query": {},
        "buildId": BUILD_ID,
        "isFallback": False,
    }
    data = json.dumps(next_data, separators=(",", ":")).replace("<", "\\u003c")
    key_function = f'window.ereNdsRqhp2Rd3LEW=function(){{return window.fkDecode("{seed_for(form_key)}")}};'
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Poe</title>'
        f'<link rel="prefetch" href="https://psc2.cf2.poecdn.net/assets/translations/{REVISION}/en.json">'
        "<script>(function(){document.documentElement.dataset.theme='light'})()</script>"
        f'<script defer src="{origin}{WEBPACK_PATH}"></script>'
        f'<script defer src="{origin}{APP_PATH}"></script>'
        f'<script defer src="{origin}{MANIFEST_PATH}"></script>'
        f"<script>{_DECODER}{key_function}</script>"
        '</head><body><div id="__next"></div>'
        f'<script id="__NEXT_DATA__" type="application/json">{data}</script>'
        "</body></html>"
    )


LOGIN_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Poe - Log in</title></head>'
    f'<body><div id="__next"><form>Email address</form></div><script id="__NEXT_DATA__" type="application/json">'
    f'{{"props":{{"pageProps":{{}}}},"page":"/login","query":{{}},"buildId":"{BUILD_ID}"}}</script></body></html>'
)
"""What a visitor gets who is not signed in: no key function, no channel."""

CHALLENGE_PAGE = (
    '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head><body>'
    "<noscript>Enable JavaScript and cookies to continue</noscript>"
    "<script>(function(){window._cf_chl_opt={cType:'managed'};}());</script></body></html>"
)
"""An interstitial as a protection in front of the site shows it (docs/reference/poe-web.md#failures)."""
