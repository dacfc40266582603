"""Which shard each member belongs to: instruments over collectors, channels over sockets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import count


def place(members: Iterable[str], present: Mapping[str, int], capacity: int) -> dict[str, int]:
    """Return the shard of each member, counted from 1; none holds more than `capacity`.

    Members stay in the shard that `present` names, so that nothing is moved without need. Of a
    shard that holds too many, the last by name leave; they and the new ones go, in order of name,
    into the first shards with room. Equal input gives equal output. Raises ValueError for a
    capacity below 1.
    """
    if capacity < 1:
        raise ValueError(f"expected a capacity of at least 1; got {capacity}")
    placed: dict[str, int] = {}
    held: Counter[int] = Counter()
    waiting = []
    for member in sorted(set(members)):
        shard = present.get(member)
        if shard is None or held[shard] >= capacity:
            waiting.append(member)
        else:
            placed[member] = shard
            held[shard] += 1
    for member in waiting:
        placed[member] = next(shard for shard in count(1) if held[shard] < capacity)
        held[placed[member]] += 1
    return placed


def shard_name(base: str, shard: int) -> str:
    """Return the name of a shard: the first has the plain one, such as okx, okx-2, okx-3."""
    return base if shard == 1 else f"{base}-{shard}"


def shard_number(base: str, name: str) -> int | None:
    """Return which shard of `base` is called `name`; None when it is no shard's name."""
    if name == base:
        return 1
    prefix, _, number = name.rpartition("-")
    is_shard = prefix == base and number.isdecimal() and number == str(int(number))
    return int(number) if is_shard and int(number) > 1 else None
