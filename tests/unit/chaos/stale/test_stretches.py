"""From when to when a listener named what did not serve."""

from __future__ import annotations

from collections.abc import Sequence

from swarmctl.chaos.journal.listeners import ListenerRecord
from swarmctl.chaos.stale.history import Asked, History, Served
from swarmctl.chaos.stale.stretches import record
from swarmctl.discovery.check.source import Published
from swarmctl.discovery.endpoint import Endpoint

END_S = 30.0


def endpoint(node: str, port: int, name: str = "web") -> Endpoint:
    return Endpoint(
        f"t{port}", name, "web", "", "", 0, node, f"10.0.0.{node[-1]}", port, 80, "tcp", "host"
    )


ONE, TWO = endpoint("wkr1", 32768), endpoint("wkr2", 32769)


def served(at_s: float, *endpoints: Endpoint, known: Sequence[Endpoint] | None = None) -> Served:
    return Served(at_s, endpoints, endpoints if known is None else tuple(known))


def heard(*answers: tuple[float, Sequence[Endpoint] | str]) -> History:
    """A listener's answers: endpoints, or why there was none."""
    history = History("DNS")
    for at_s, said in answers:
        if isinstance(said, str):
            history.add(at_s, Published("DNS", fault=said))
        else:
            history.add(at_s, Published("DNS", {"web": frozenset(e.place for e in said)}))
    return history


def stale(found: ListenerRecord) -> list[tuple[str, float, float]]:
    return [(one.place, one.since_s, one.until_s) for one in found.stale]


def test_an_endpoint_is_stale_from_its_end_to_the_first_answer_without_it() -> None:
    history = heard((1, [ONE, TWO]), (11, [ONE, TWO]), (12, [ONE]), (20, [ONE]))
    timeline = [served(0, ONE, TWO), served(10, ONE)]
    found = record(history, timeline, (), END_S)
    assert stale(found) == [(TWO.place, 10, 12)]
    assert (found.stale_s, found.asked, found.every_s) == (2, 4, 10)


def test_one_that_is_withdrawn_first_is_never_stale() -> None:
    history = heard((1, [ONE, TWO]), (9, [ONE]))
    assert record(history, [served(0, ONE, TWO), served(10, ONE)], (), END_S).stale == ()


def test_one_that_is_named_until_the_end_is_stale_until_the_end() -> None:
    history = heard((1, [ONE, TWO]), (29, [ONE, TWO]))
    found = record(history, [served(0, ONE, TWO), served(10, ONE)], (), END_S)
    assert stale(found) == [(TWO.place, 10, END_S)]


def test_a_listener_that_is_faster_than_the_snapshots_is_not_called_stale() -> None:
    history = heard((1, [ONE]), (5, [ONE, TWO]))
    timeline = [served(0, ONE), served(5.2, ONE, TWO)]
    assert record(history, timeline, (), END_S).stale == ()


def test_what_never_served_is_stale_from_its_first_answer() -> None:
    history = heard((1, [ONE, TWO]), (4, [ONE]))
    assert stale(record(history, [served(0, ONE)], (), END_S)) == [(TWO.place, 1, 4)]


def test_while_a_listener_cannot_be_asked_nothing_is_concluded_and_that_is_said() -> None:
    """Broken: 0 s for a listener that nobody could ask."""
    history = heard((1, [ONE, TWO]), (8, "no answer"), (14, "no answer"), (16, [ONE]))
    found = record(history, [served(0, ONE, TWO), served(10, ONE)], (), END_S)
    assert stale(found) == [(TWO.place, 10, 16)]
    assert found.silent == ((8, 16, "no answer"),)
    never = record(heard((1, "gone")), [served(0, ONE)], (), END_S)
    assert (never.answered, never.silent) == (False, ((1, END_S, "gone"),))


def test_a_listener_that_is_never_heard_again_is_stale_as_far_as_it_was_heard() -> None:
    history = heard((1, [ONE, TWO]), (11, [ONE, TWO]), (12, "gone"))
    found = record(history, [served(0, ONE, TWO), served(10, ONE)], (), END_S)
    assert stale(found) == [(TWO.place, 10, 11)]


def test_the_time_until_the_managers_knew_is_told_apart() -> None:
    history = heard((1, [ONE, TWO]), (25, [ONE]))
    timeline = [served(0, ONE, TWO), served(10, ONE, known=[ONE, TWO]), served(24, ONE)]
    (one,) = record(history, timeline, (), END_S).stale
    assert (one.since_s, one.noticed_s, one.until_s) == (10, 24, 25)


def test_an_endpoint_that_does_not_answer_is_stale_though_the_managers_count_it() -> None:
    history = heard((1, [ONE, TWO]), (25, [ONE, TWO]))
    lost = [(at, 10 <= at < 15) for at in range(1, 30)]
    probes = [Asked(at, "wkr2", TWO.port, not gone) for at, gone in lost]
    found = record(history, [served(0, ONE, TWO)], probes, END_S)
    assert stale(found) == [(TWO.place, 10, 15)]
    slow = [Asked(at / 2, "wkr2", TWO.port, not 10 <= at / 2 < 12.5) for at in range(1, 60)]
    assert record(history, [served(0, ONE, TWO)], slow, END_S).stale == ()


def test_requests_that_were_lost_because_of_it_are_those_sent_there_meanwhile() -> None:
    history = heard((1, [ONE, TWO]), (12, [ONE]))
    probes = [Asked(at / 2, "wkr2", TWO.port, at < 20) for at in range(60)]
    probes += [Asked(at / 2, "wkr1", ONE.port, False) for at in range(1)]
    (one,) = record(history, [served(0, ONE, TWO), served(10, ONE)], probes, END_S).stale
    assert (one.sent, one.lost) == (5, 5)


def test_a_listener_with_other_names_is_compared_under_them() -> None:
    history = History("Cloud Map")
    both = {f"_web._{p}": frozenset({TWO.place}) for p in ("tcp",)}
    history.add(1, Published("Cloud Map", both, names=lambda e: (f"_{e.name}._{e.protocol}",)))
    history.add(12, Published("Cloud Map", {"x": frozenset()}, names=history.names))
    (one,) = record(history, [served(0, TWO), served(10)], (), END_S).stale
    assert (one.name, one.since_s) == ("_web._tcp", 10)


def test_what_is_lost_behind_a_load_balancer_is_what_users_lost_once() -> None:
    """Broken: a request is counted for each of two endpoints that were stale at the same time."""
    three = endpoint("wkr2", 32770)
    history = heard((1, [ONE, TWO, three]), (12, [ONE]))
    timeline = [served(0, ONE, TWO, three), served(10, ONE)]
    users = [Asked(at / 2, "", 0, at % 4 != 0) for at in range(60)]
    found = record(history, timeline, (), END_S, users)
    assert [(one.sent, one.lost) for one in found.stale] == [(5, 2), (5, 2)]
    assert (found.sent, found.lost) == (5, 2)


def test_a_new_endpoint_has_the_time_until_it_was_named() -> None:
    history = heard((1, [ONE]), (10.5, [ONE]), (11, [ONE, TWO]))
    assert record(history, [served(0, ONE), served(10, ONE, TWO)], (), END_S).named_s == (1,)
    faster = heard((1, [ONE]), (9.9, [ONE, TWO]))
    assert record(faster, [served(0, ONE), served(10, ONE, TWO)], (), END_S).named_s == (0,)
    never = heard((1, [ONE]), (29, [ONE]))
    assert record(never, [served(0, ONE), served(10, ONE, TWO)], (), END_S).named_s == ()


def test_an_endpoint_under_two_names_of_a_listener_is_counted_once() -> None:
    """Broken: Cloud Map, which has each endpoint twice, seems twice as late."""

    def both(endpoint: Endpoint) -> tuple[str, str]:
        return endpoint.name, f"_{endpoint.name}._tcp"

    history = History("Cloud Map")
    for at, web, srv in ((1, [TWO], [TWO]), (12, [], [TWO]), (14, [], [])):
        places = {
            "web": frozenset(e.place for e in web),
            "_web._tcp": frozenset(e.place for e in srv),
        }
        history.add(at, Published("Cloud Map", places, names=both))
    (one,) = record(history, [served(0, TWO), served(10)], (), END_S).stale
    assert (one.name, one.since_s, one.until_s) == ("web", 10, 14)
