"""The real clients, as the job makes and closes them."""

from __future__ import annotations

from contextlib import aclosing

from accounts import AccountKind
from local.poe_official import PoeOfficialSimulator
from pool.clients import PoeClients
from reverse.config import PoeConfig


async def test_official_accounts_share_a_connection_each_with_its_own_key() -> None:
    keys = [f"poe-key-{number}" for number in range(5)]
    async with PoeOfficialSimulator() as simulator:
        for number, key in enumerate(keys):
            simulator.add_account(key, points=number)
        config = PoeConfig(official_base_url=simulator.base_url)
        async with aclosing(PoeClients(lambda: config, share_connections=True)) as clients:
            balances = []
            for key in keys:
                async with clients.make(AccountKind.OFFICIAL, {"api_key": key}, None) as client:
                    balances.append((await client.points()).balance)
            assert simulator.open_connections == 1
        assert balances == [0, 1, 2, 3, 4]
        assert [record.account for record in simulator.requests] == keys
        assert len({record.connection for record in simulator.requests}) == 1
