"""Which slots a process may still ask for."""

from accounts._own_slots import OwnSlots


def test_a_slot_is_free_again_when_it_is_given_back_or_expires() -> None:
    own = OwnSlots()
    own.hold("a", 1, until=100.0)
    own.hold("a", 2, until=50.0)
    assert own.free("a", 4, now=0.0) == [0, 3]
    assert own.free("b", 2, now=0.0) == [0, 1]
    assert own.free("a", 4, now=50.0) == [0, 2, 3]
    own.drop("a", 1)
    own.drop("a", 1)
    assert own.free("a", 4, now=0.0) == [0, 1, 3]


def test_a_slot_is_held_for_longer_when_its_lease_is_renewed() -> None:
    own = OwnSlots()
    own.hold("a", 0, until=10.0)
    own.hold("a", 0, until=20.0)
    assert own.free("a", 1, now=15.0) == []
