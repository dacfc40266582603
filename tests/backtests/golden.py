"""What seeded runs come to, and the code of the kernel that they come from.

`test_golden.py` says which line is to be changed to what. It is changed together with a reason: a
new line in REASONS, which says what comes out differently now and why that is right.
"""

from __future__ import annotations

KERNEL = (2, "86c9d6ba6c38a5cfbeffe61a12617bd0e11ff58e39686768776cae2231ea986a")
"""KERNEL_VERSION, and the hash of the kernel's code as it was when it was raised to that."""

REASONS = (
    (
        "2026-11-23",
        "first recorded",
        "460c48da8d10025d394db696d2845b7d314d6418a73e59dced40bb873acd9632",
    ),
)
"""When and why RUNS changed, with the hash of RUNS after it; the newest last."""

RUNS: dict[str, tuple[int, int, str]] = {
    "ema_crossover spot": (
        77,
        932317883159,
        "336d44f5f6afb545e4a9efcf60dc0ce8f09e2d5965ce6b447eb1106b209b81db",
    ),
    "ema_crossover swap": (
        85,
        974967731367,
        "afcd51d3fe788d59be78656a9187ca403b45ffae9a99f13dbbe4c02dac562d89",
    ),
    "macd spot": (
        157,
        885136396119,
        "ff79942a2b9329b84629a17672e0b4ece9793ec9612b19934e4563351b23b49a",
    ),
    "macd swap": (
        165,
        987486755833,
        "1727037a4493a8f0739e5b3bbb7b77634a9c3c2864d74aa44aa8439bfd1e1823",
    ),
    "rsi spot": (
        25,
        929366045240,
        "51d354389956cc459cc47f0c216943cb02645dc14b3130b6cccfb1a2eada2a95",
    ),
    "rsi swap": (
        46,
        947457956467,
        "490b3a7d0d3b52e42cbd33ac313658bef1daa1979368baaa35f001c6ab62aa49",
    ),
    "bollinger_breakout spot": (
        89,
        940146679857,
        "431666396e34cf0d2370e5f6d39e51596e2dfcc8b35f63b14cf655ec68148963",
    ),
    "bollinger_breakout swap": (
        73,
        973761269522,
        "408c032993d2ca65b092b157b83920204d20459e83cd394eb584103a4c1961bf",
    ),
    "donchian_breakout spot": (
        83,
        935621030706,
        "4e48b09dbe7151678e47ceb7ff3bdc33527ae678dcad51d70a6744b073070e24",
    ),
    "donchian_breakout swap": (
        85,
        983739315130,
        "136407d31d9688224df94537c5d2d326fb1352b982dd227f20d21b0cf03d3775",
    ),
    "trend_filter spot": (
        50,
        949867217978,
        "54414a79acc48f3712c3cba721441f5a6772780ccff7ea735d30395a81fd27fc",
    ),
    "trend_filter swap": (
        94,
        963865986055,
        "dab37712e03c52dead97117f780db845357da4c335a8bc3c82992bd8794d566a",
    ),
    "buy_and_hold spot": (
        1,
        991448056288,
        "505c6bf790322a79a13d6a3357abaa1ce5d452bcf27d33229b8a00d0a475444f",
    ),
    "buy_and_hold swap": (
        2,
        993382388560,
        "85b131a004b1ae14febfdc1f5a3f8d2e3b74ff174621bfd62290586c544e8876",
    ),
}
"""Fills, equity at the end in cash units and the result's hash, by strategy and market."""
