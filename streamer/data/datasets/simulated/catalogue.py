"""What the simulated shop sells: 2,000 items in 40 categories."""

from __future__ import annotations

from typing import Final

import numpy as np

from schemas.event import Item
from streamer.data.datasets.simulated.draws import Draws

ITEMS: Final = 2_000
CATEGORIES: Final = 40
POPULARITY: Final = 1.1
"""Exponent of Zipf's law, by which an item of lower number is drawn more often."""

_MEDIAN_PRICE: Final = 20.0
_SIGMA_OF_CATEGORIES: Final = 0.7
_SIGMA_OF_ITEMS: Final = 0.4


def draw_catalogue(draws: Draws) -> list[Item]:
    """The items, the most popular first; item i is of category i modulo 40.

    Prices are log-normal around their category's median, and the medians around 20.
    """
    medians = np.log(_MEDIAN_PRICE) + _SIGMA_OF_CATEGORIES * draws.normal(CATEGORIES)
    category = np.arange(ITEMS) % CATEGORIES
    prices = np.exp(medians[category] + _SIGMA_OF_ITEMS * draws.normal(ITEMS))
    return [
        Item(f"item-{number:04}", f"category-{number % CATEGORIES:02}", None, max(round(price, 2), 0.01), 1.0)
        for number, price in enumerate(prices.tolist())
    ]
