"""API keys, sessions, documents, configuration and usage, whatever the store keeps them in."""

from __future__ import annotations

import random
import string
from random import Random

import pytest

from accounts import AccountKind, AccountStore, ChatSession, Intention, LeaseRequest, Outcome, Reservation, SendRecord

DAY = "2027-01-15"


async def book(
    store: AccountStore, key_id: str, model: str, *, tokens: tuple[int, int] = (0, 0), points: int = 0, code: str = "ok"
) -> None:
    """Book a send the way it happens: at the end of a lease."""
    await store.put_account(kind=AccountKind.WEB, label="one", credentials={"p_b": "x"}, max_concurrency=16)
    intention = Intention(key_id=key_id, model=model)
    owner = random.Random().randbytes(8).hex()
    lease = await store.lease(LeaseRequest(owner=owner, bot="m", ttl_seconds=60, intention=intention))
    usage = SendRecord(prompt_tokens=tokens[0], completion_tokens=tokens[1], points=points)
    await store.release(lease, Outcome(code=code, scope="request"), usage=usage)


class TestKeys:
    async def test_a_key_is_found_by_its_secret_and_by_nothing_else(self, store: AccountStore) -> None:
        key, secret = await store.create_key(name="laptop", models=["Claude-*"], requests_per_minute=9)
        assert secret.startswith("sk-poe-")
        assert len(secret) >= len("sk-poe-") + 43, "256 bits"
        assert await store.find_key(secret) == key
        assert (key.name, key.models, key.requests_per_minute) == ("laptop", ("claude-*",), 9)
        assert await store.find_key(secret + "x") is None
        assert await store.find_key(key.hash) is None
        assert secret not in repr(key)
        assert key.hash not in repr(key)

    async def test_an_expired_key_is_not_found(self, store: AccountStore, clock) -> None:
        _, secret = await store.create_key(name="guest", expires_at=clock() + 60)
        assert await store.find_key(secret) is not None
        clock.advance(60)
        assert await store.find_key(secret) is None

    async def test_a_revoked_key_is_gone(self, store: AccountStore) -> None:
        key, secret = await store.create_key(name="old")
        assert await store.revoke_key(key.id)
        assert not await store.revoke_key(key.id)
        assert await store.find_key(secret) is None
        assert (await store.list_keys()).items == []

    async def test_an_imported_secret_works_and_importing_it_again_replaces_its_limits(
        self, store: AccountStore
    ) -> None:
        secret = "a-secret-of-one's-own-4711"
        await store.create_key(name="bootstrap", secret=secret)
        again, _ = await store.create_key(name="bootstrap", secret=secret, points_per_day=5)
        assert (await store.find_key(secret)) == again
        assert len((await store.list_keys()).items) == 1

    @pytest.mark.parametrize(
        "secret",
        [
            "hunter2",
            "a" * 200,
            "password" * 20,
            "correct horse battery",
            "0123456789abcdefghijklmnopqrstuvwxyz",
            "ab" * 60,
            "letmein-letmein-letmein-letmein",
            "9876543210" * 9,
            "my-gateway-key-2026",
            "aaaabbbbccccddddeeeeffff",
            "aAbBcCdDeEfFgGhHiIjJkKlLmM",
            "qwertyuiopasdfghjklzxcvbnm",
            "1q2w3e4r5t6y7u8i9o0p1q2w3e4r",
            "passwordpasswordpassword1234",
            "PoegatewayPoegatewaypoegateway!",
        ],
    )
    async def test_a_secret_that_could_be_guessed_is_refused(self, store: AccountStore, secret: str) -> None:
        with pytest.raises(ValueError, match="at least 24 random"):
            await store.create_key(name="weak", secret=secret)

    async def test_random_secrets_are_taken(self, store: AccountStore) -> None:
        random = Random(4711)
        alphabets = (
            string.hexdigits[:16],
            string.ascii_lowercase + string.digits,
            string.ascii_letters + string.digits,
        )
        for alphabet, length in zip(alphabets, (32, 26, 24), strict=True):
            for _ in range(50):
                secret = "".join(random.choices(alphabet, k=length))
                assert (await store.create_key(name="given", secret=secret))[1] == secret

    async def test_keys_are_listed_page_by_page(self, store: AccountStore) -> None:
        made = {(await store.create_key(name=f"key {number}"))[0].id for number in range(5)}
        first = await store.list_keys(limit=3)
        assert first.cursor is not None
        second = await store.list_keys(limit=3, cursor=first.cursor)
        assert second.cursor is None
        assert {key.id for key in [*first.items, *second.items]} == made

    async def test_requests_over_the_rate_are_told_how_long_to_wait(self, store: AccountStore, clock) -> None:
        key, _ = await store.create_key(name="slow", requests_per_minute=2)
        clock.advance(20 - clock() % 60)
        assert [await store.count_request(key) for _ in range(2)] == [None, None]
        wait = await store.count_request(key)
        assert wait is not None
        assert (wait, wait.limit) == (40, "rate")
        clock.advance(wait)
        assert await store.count_request(key) is None

    async def test_each_answer_that_a_request_asks_for_counts(self, store: AccountStore, clock) -> None:
        key, _ = await store.create_key(name="many", requests_per_minute=5)
        clock.advance(20 - clock() % 60)
        assert await store.count_request(key, 3) is None
        assert await store.count_request(key, 3) == 40, "two are left"
        assert await store.count_request(key, 2) is None
        clock.advance(40)
        assert await store.count_request(key, 6) is not None, "more than a minute has"
        assert await store.count_request(key, 5) is None

    async def test_a_spent_budget_lasts_until_the_next_utc_day(self, store: AccountStore, clock) -> None:
        key, _ = await store.create_key(name="thrifty", points_per_day=100)
        other, _ = await store.create_key(name="other", points_per_day=100)
        await store.reserve_budget(key, Reservation(owners=["a"], points=60))
        assert await store.count_request(key) is None
        await store.reserve_budget(key, Reservation(owners=["b"], points=40))
        wait = await store.count_request(key)
        assert wait is not None
        assert (wait, wait.limit) == (86_400 - clock() % 86_400, "budget")
        assert await store.count_request(other) is None
        clock.advance(wait)
        assert await store.count_request(key) is None

    async def test_an_unlimited_key_is_not_counted(self, store: AccountStore) -> None:
        key, _ = await store.create_key(name="free")
        assert [await store.count_request(key) for _ in range(5)] == [None] * 5


class TestSessions:
    CHAT = ChatSession(
        key_id="k1",
        session_id="any # text, of the caller's choice",
        account_id="acct_1",
        model="claude",
        chat_id=7,
        chat_code=None,
        turns=3,
        digest="d",
        updated_at=1.5,
    )

    async def test_a_session_is_kept_per_key_until_it_expires(self, store: AccountStore, clock) -> None:
        await store.put_session(self.CHAT, ttl_seconds=100)
        assert await store.get_session("k1", self.CHAT.session_id) == self.CHAT
        assert await store.get_session("k2", self.CHAT.session_id) is None
        clock.advance(100)
        assert await store.get_session("k1", self.CHAT.session_id) is None

    async def test_a_deleted_session_is_gone(self, store: AccountStore) -> None:
        await store.put_session(self.CHAT, ttl_seconds=100)
        await store.delete_session("k1", self.CHAT.session_id)
        await store.delete_session("k1", self.CHAT.session_id)
        assert await store.get_session("k1", self.CHAT.session_id) is None

    async def test_session_ids_of_any_length_and_form_stay_apart(self, store: AccountStore) -> None:
        long = "x" * 5_000
        for session_id in (long, long + "y", "a#b", "a%23b", "ü"):
            chat = ChatSession(
                key_id="k1",
                session_id=session_id,
                account_id="a",
                model="m",
                chat_id=1,
                chat_code="c",
                turns=1,
                digest="d",
            )
            await store.put_session(chat, ttl_seconds=100)
            assert await store.get_session("k1", session_id) == chat
        assert (await store.get_session("k1", long)).session_id == long


class TestDocuments:
    async def test_a_document_is_kept_until_it_expires(self, store: AccountStore, clock) -> None:
        document = {"text": "häh?" * 1000, "list": [1, None, {"a": 1.5}]}
        await store.put_document("response", "k1", "resp_1", document, ttl_seconds=60)
        assert await store.get_document("response", "k1", "resp_1") == document
        assert await store.get_document("response", "k2", "resp_1") is None
        assert await store.get_document("file", "k1", "resp_1") is None
        clock.advance(60)
        assert await store.get_document("response", "k1", "resp_1") is None

    async def test_a_document_without_end_stays_until_deleted(self, store: AccountStore, clock) -> None:
        await store.put_document("response", "k1", "r", {"a": 1}, ttl_seconds=None)
        clock.advance(1e9)
        assert await store.get_document("response", "k1", "r") == {"a": 1}
        assert await store.delete_document("response", "k1", "r")
        assert not await store.delete_document("response", "k1", "r")
        assert await store.get_document("response", "k1", "r") is None

    async def test_the_largest_document_fits_and_a_larger_one_is_refused(self, store: AccountStore) -> None:
        noise = random.Random(1).randbytes(265_000).hex()
        await store.put_document("response", "k1", "r", {"noise": noise}, ttl_seconds=60)
        assert (await store.get_document("response", "k1", "r"))["noise"] == noise
        with pytest.raises(ValueError, match="are allowed"):
            await store.put_document("response", "k1", "r", {"noise": noise * 2}, ttl_seconds=60)


class TestConfigurationAndUsage:
    async def test_configuration_is_read_as_it_was_written(self, store: AccountStore) -> None:
        assert await store.get_config("hashes") is None
        value = {"sendMessage": "ab" * 32, "nested": {"n": 1}}
        await store.put_config("hashes", value)
        assert await store.get_config("hashes") == value

    async def test_several_configurations_are_read_at_once_with_a_key_or_alone(self, store: AccountStore) -> None:
        key, secret = await store.create_key(name="a")
        large = {"noise": "abc " * 10_000}
        await store.put_config("large", large)
        await store.put_config("small", {"n": 1})
        assert await store.get_configs(["large", "absent", "small"]) == {"large": large, "small": {"n": 1}}
        assert await store.get_configs([]) == {}
        assert await store.find_key_and_configs(secret, ["small", "absent"]) == (key, {"small": {"n": 1}})
        assert await store.find_key_and_configs("sk-poe-unknown-secret", ["small"]) == (None, {"small": {"n": 1}})
        await store.revoke_key(key.id)
        assert await store.find_key_and_configs(secret, []) == (None, {})

    async def test_a_large_configuration_fits_compressed(self, store: AccountStore) -> None:
        value = {"models": [{"id": f"bot-{n}", "description": "says much about itself " * 20} for n in range(1500)]}
        await store.put_config("models", value)
        assert await store.get_config("models") == value
        with pytest.raises(ValueError, match="400000"):
            await store.put_config("models", {"noise": random.Random(1).randbytes(500_000).hex()})
        assert await store.get_config("models") == value

    async def test_usage_adds_up_per_day_key_and_model(self, store: AccountStore, clock) -> None:
        for _ in range(2):
            await book(store, "k1", "claude", tokens=(10, 5), points=7)
        await book(store, "k1", "claude", code="odd")
        await book(store, "k2", "claude", tokens=(1, 0))
        clock.advance(86_400)
        await book(store, "k1", "claude", points=1)
        assert await store.usage(day=DAY) == [
            {
                "key_id": "k1",
                "model": "claude",
                "requests": 3,
                "errors": 1,
                "prompt_tokens": 20,
                "completion_tokens": 10,
                "points": 14,
            },
            {
                "key_id": "k2",
                "model": "claude",
                "requests": 1,
                "errors": 0,
                "prompt_tokens": 1,
                "completion_tokens": 0,
                "points": 0,
            },
        ]
        assert len(await store.usage(day=DAY, limit=1)) == 1
        assert len(await store.usage(day="2027-01-16")) == 1


class TestTable:
    async def test_items_are_read_with_some_of_their_attributes(self, store: AccountStore) -> None:
        from accounts._table import Table, put

        table: Table = store._table  # type: ignore[attr-defined]
        await table.write(put({"pk": "p", "sk": "1", "name": "n", "size": 3, "data": b"x" * 9}))
        await table.write(put({"pk": "p", "sk": "2", "size": 4}))
        wanted = ("sk", "size", "name")
        found = [{"sk": "1", "name": "n", "size": 3}, {"sk": "2", "size": 4}]
        page = await table.query("{pk} = :pk", attributes=wanted, only="{size} > :least", pk="p", least=2)
        assert page.items == found
        keys = [{"pk": "p", "sk": number} for number in "123"]
        assert sorted(await table.get_many(keys, attributes=wanted), key=lambda item: item["sk"]) == found


async def test_which_kinds_of_account_there_are_is_told_by_what_was_read(store: AccountStore) -> None:
    everything = frozenset(AccountKind)
    assert store.known_kinds() == everything
    await store.get_configs([])
    assert store.known_kinds() == everything
    added = await store.put_account(kind=AccountKind.WEB, label="one", credentials={"p_b": "x"})
    await store.get_configs(["absent"])
    assert store.known_kinds() == {AccountKind.WEB}
    await store.put_account(kind=AccountKind.OFFICIAL, label="two", credentials={"api_key": "x"})
    await store.delete_account(added.id)
    await store.get_configs(["absent"])
    assert store.known_kinds() == {AccountKind.OFFICIAL}
