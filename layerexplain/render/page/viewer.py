"""The frame that `layerexplain view` puts around a page: it shows what is at fault, and takes the next file."""

from __future__ import annotations

import re

from layerexplain.render.page.scripts import script
from layerexplain.render.page.shell import hashed, head, styles


def viewer() -> str:
    """Return the frame as HTML. Its script asks the server that it comes from, and nothing else."""
    return f"{head('layerexplain', styles('page', 'viewer'))}<script>{script('viewer')}</script>\n</body>\n</html>\n"


def policy_of(html: str) -> str:
    """Return the content security policy of a frame."""
    style, code = (re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[0] for tag in ("style", "script"))
    return (
        f"default-src 'none'; script-src '{hashed(code)}'; style-src '{hashed(style)}'; connect-src 'self'; "
        "frame-src 'self'; base-uri 'none'; form-action 'none'"
    )
