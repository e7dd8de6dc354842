"""`layerexplain view`: a page that follows its source, on a server of this machine alone.

`shown` holds what is shown and makes it again when a file changes; `server` answers the browser; the frame around the
page, with what is at fault, is `render.page.shell` and js/viewer.js.
"""
