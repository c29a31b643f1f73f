"""The bootstrap page has what clients derive the form key and the channel from."""

import json
import re

import httpx
import pytest
import quickjs

from local.poe_web.page import BUILD_ID, bootstrap_page, seed_for

OLDER_WINDOW = 'const window={document:{hack:1},navigator:{userAgent:"safari <3"}};'
NEWER_WINDOW = (
    'var window={document:{hack:1},navigator:{userAgent:"Mozilla/5.0 Chrome/145"}};'
    "var process=undefined,QuickJS=undefined;"
)


@pytest.fixture
async def page(simulator):
    account = simulator.add_account("cookie-1")
    async with httpx.AsyncClient(base_url=simulator.base_url) as http:
        html = (await http.get("/", cookies=None, headers={"Cookie": "p-b=cookie-1"})).text
        addresses = re.findall(r'<script[^>]* src="([^"]+)"', html)
        scripts = {address: (await http.get(address)) for address in addresses}
    return account, html, scripts


def collected_source(html, scripts):
    """What the older client collects: the secret from `_app`, then every inline script that passes its filter."""
    source = ""
    for attributes, text in re.findall(r"<script([^>]*)>(.*?)</script>", html, re.S):
        if "src=" in attributes:
            address = re.search(r'src="([^"]+)"', attributes)[1]
            if "_app" in address:
                found = re.search(r'let useFormkeyDecode=[\s\S]*?(window\.\w+="[^"]+")', scripts[address].text)
                source += found[1] + ";"
        elif "document." not in text and "function" in text and "application/json" not in attributes:
            source += text
    return source


async def test_the_older_derivation_gives_the_form_key(page):
    account, html, scripts = page
    source = collected_source(html, scripts)
    name = re.search(r"window\.([a-zA-Z0-9]+)=function\(\)\{return window", source)[1]
    assert quickjs.Context().eval(f"{OLDER_WINDOW}{source}window.{name}().slice(0, 32);") == account.form_key


async def test_the_newer_derivation_gives_the_form_key(page):
    account, html, scripts = page
    source = collected_source(html, scripts)
    call = re.search(r'window\.\w+\("[^"]{16,}"\)', source)[0]
    assert quickjs.Context().eval(f"{NEWER_WINDOW}{source}\nString({call}).slice(0, 32)") == account.form_key


async def test_the_decoder_gives_a_decoy_without_the_secret_of_the_app_script(page):
    account, html, scripts = page
    source = re.sub(r'window\.\w+="[^"]+";', "", collected_source(html, scripts))
    name = re.search(r"window\.([a-zA-Z0-9]+)=function\(\)\{return window", source)[1]
    decoy = quickjs.Context().eval(f"{OLDER_WINDOW}{source}window.{name}().slice(0, 32);")
    assert len(decoy) == 32
    assert decoy != account.form_key


async def test_scripts_are_at_absolute_addresses_and_served_without_cookies(page, simulator):
    _, _, scripts = page
    assert len(scripts) == 3
    assert {script.status_code for script in scripts.values()} == {200}
    assert all(address.startswith(simulator.base_url) for address in scripts)
    assert [record.account for record in simulator.requests if record.path.startswith("/_next")] == [None] * 3


async def test_next_data_carries_the_channel_and_the_build(page):
    account, html, _ = page
    data = json.loads(re.search(r'<script id="__NEXT_DATA__" type="application/json">(.*?)</script>', html)[1])
    settings = data["props"]["initialProps"]["tchannelData"]
    assert settings["channel"] == account.channel.name
    assert settings["minSeq"] == str(account.channel.sequence)
    assert data["buildId"] == BUILD_ID


async def test_a_visitor_who_is_not_signed_in_is_sent_to_the_login_page(simulator):
    async with httpx.AsyncClient(base_url=simulator.base_url) as http:
        answer = await http.get("/")
        assert (answer.status_code, answer.headers["location"]) == (302, "/login?redirect_url=%2F")
        login = await http.get(answer.headers["location"])
    assert "tchannelData" not in login.text
    assert "return window" not in login.text


def test_every_seed_of_a_key_decodes_to_it_and_hides_it():
    key = "0123456789abcdef0123456789abcdef"
    seeds = {seed_for(key) for _ in range(5)}
    assert len(seeds) == 5
    assert all(len(seed) == 64 and key not in seed for seed in seeds)


def test_the_page_cannot_be_broken_by_channel_data():
    html = bootstrap_page("http://x", "0" * 32, {"channel": "</script><b>"})
    assert "</script><b>" not in html


async def test_no_cookie_is_set(page, simulator):
    simulator.add_account("cookie-2")
    async with httpx.AsyncClient(base_url=simulator.base_url, headers={"Cookie": "p-b=cookie-2"}) as http:
        assert "set-cookie" not in (await http.get("/")).headers
