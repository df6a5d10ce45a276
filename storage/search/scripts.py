# SPDX-License-Identifier: AGPL-3.0-or-later
"""Scripts that set no spaces between words, so that words in them are found by any part."""

import re

# Thai, Lao, Tibetan, Myanmar, Khmer; kana, bopomofo, Han with its extensions; halfwidth katakana.
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3100-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


def has_no_spaces(text: str) -> bool:
    """Tell whether a text holds such a script."""
    return _WITHOUT_SPACES.search(text) is not None
