"""A simulated shop with a known truth: counts and gaps hardly say who is leaving, the order of actions does.

- Users start uniformly over the first third of the span. The gap from a session's last action to the next
  session's first is Gamma(shape 2, mean m_u days), m_u log-normal (median 4, sigma .5). Within a session, 20
  to 90 s between actions, uniform.
- A session has a hidden mood, loyal or drifting: the first is loyal; after each session one who stays becomes
  drifting with .06, loyal again with .20.
- A session's multiset of actions is drawn the same way in both moods: 1 search, 2 + Poisson(3) views, 1
  add_to_cart, a remove_from_cart with .3, a purchase with .4. Only the order differs. Loyal: search, views,
  add_to_cart, (remove_from_cart), (purchase). Drifting: add_to_cart, (remove_from_cart), views, search,
  (purchase). With .10 the other mood's order is used.
- After each session, before the mood may change, the user leaves for ever with .005 in the loyal mood and .40
  in the drifting one.
- Items by Zipf(1.1) over 2,000 in 40 categories, item i in category i modulo 40; prices log-normal by
  category; what is added to a cart, removed and bought is one of the items viewed in that session; none of it
  depends on the mood. A search asks for the category of the session's first view.

Times are whole milliseconds from 2025-01-01T00:00:00Z on; events at or after the span's end are cut off,
within a session as well. Each action is an event with its session's id. Catalogue, sessions and items come
from streams of their own, so that none depends on the others. The same users, days and seed give the same
events wherever they are drawn.
"""

from streamer.data.datasets.simulated.shop import MAX_DAYS, MAX_USERS, SPAN_START_MS, Shop, UserTruth

__all__ = ["MAX_DAYS", "MAX_USERS", "SPAN_START_MS", "Shop", "UserTruth"]
