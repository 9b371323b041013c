"""Generate: configs from templates that fit what proxyswitch does, for the versions that are here.

`kinds/` says what there is; `words` and `value` what may go in, `render` how it comes out, `writing` how it gets on disk.
"""
