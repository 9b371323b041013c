"""Directives that are known by their names alone: where they may stand, and with how many arguments, is not judged.

They are of NGINX Plus, differ between versions, or are of modules that people build in; from the index of nginx's directives
(https://nginx.org/en/docs/dirindex.html) and the README of each module.
"""

from __future__ import annotations

import re

_PLUS = """
    acme_certificate acme_issuer acme_shared_zone api auth_jwt auth_oidc auth_require client_body_early_read
    condition degradation degrade f4f f4f_buffer_size fastcgi_allow_upstream fastcgi_bind_dynamic
    fastcgi_cache_purge fastcgi_request_dynamic grpc_allow_upstream grpc_bind_dynamic grpc_request_dynamic
    health_check health_check_timeout hls internal_redirect keyval keyval_zone least_time limit_zone match
    memcached_allow_upstream memcached_bind_dynamic memcached_force_ranges memcached_request_dynamic mgmt
    mp4_limit_rate mp4_limit_rate_after mqtt mqtt_buffers mqtt_preread mqtt_rewrite_buffer_size mqtt_set_connect
    ntlm num_map oidc_provider proxy_allow_upstream proxy_bind_dynamic proxy_cache_purge proxy_request_dynamic queue
    scgi_allow_upstream scgi_bind_dynamic scgi_cache_purge scgi_request_dynamic session_log session_log_format
    session_log_zone spdy_chunk_size spdy_headers_comp ssl state status status_format status_zone sticky
    sticky_cookie_insert upstream_conf usage_report uwsgi_allow_upstream uwsgi_bind_dynamic uwsgi_cache_purge
    uwsgi_request_dynamic xml_external_entities zone_sync
"""
_PLUS_PREFIXES = ("acme_", "auth_jwt_", "hls_", "js_", "json_", "mqtt_", "oidc_", "otel_", "tunnel_", "zone_sync_")

_THEIRS = """
    accept_language auth_digest auth_gss auth_ldap auth_pam auth_spnego brotli check concat consistent_hash
    echo eval fair fancyindex footer footer_types form_input geoip2 geoip2_proxy geoip2_proxy_recursive hash_again
    iconv_buffer_size jdomain memc_pass modsecurity naxsi nchan_publisher opentelemetry
    opentracing pagespeed pubsub redis2_pass redis2_query redis_pass report_uploads req_status req_status_show
    req_status_zone rtmp rtmp_auto_push rtmp_auto_push_reconnect rtmp_control rtmp_socket_dir rtmp_stat
    rtmp_stat_stylesheet session_sticky session_sticky_header slow_start srcache_fetch srcache_store
    subs_filter track_uploads trim trim_css trim_js unzip vod waf wasm zip zstd
"""
_BEGINNINGS = """
    ajp_ app_protect_ array_ auth_digest_ auth_gss_ auth_ldap_ auth_pam_ auth_spnego_ aws_ brotli_ cache_purge_
    check_ concat_ content_handler_ cookie_flag_ datadog_ dav_ext_ docker_ drizzle_ dyups_ echo_ encrypted_session_
    eval_ fancyindex_ healthcheck_ iconv_ jaeger_ jvm_ length_hiding_ lua_ memc_ modsecurity_ more_ naxsi_ nchan_
    opentelemetry_ opentracing_ passenger_ postgres_ proxy_connect_address proxy_connect_allow proxy_connect_bind
    push_stream_ rds_ redis2_ replace_filter rewrite_by_ security_headers server_traffic_status set_base32_
    set_decode_ set_decrypt_ set_encode_ set_encrypt_ set_escape_ set_form_input set_formatted_ set_hashed_
    set_hmac_ set_iconv set_if_empty set_local_today set_md5 set_misc_ set_quote_ set_random set_rotate set_secure_
    set_sha1 set_unescape_ slowfs_ small_light srcache_ statsd_ sts_ subs_filter_ testcookie upload_ upload_progress
    uploadprogress upstream_fair_ upstream_jdomain upsync vhost_traffic_status vod_ wasm_ xquic_ xss_ zipkin_ zstd_
"""
PLUS, _NAMES, _PREFIXES = frozenset(_PLUS.split()), frozenset(_THEIRS.split()), tuple(_BEGINNINGS.split())
_LUA = re.compile(r"\w+_by_lua(?:_file|_block)?")

# The files of nginx's own dynamic modules and of those above, as load_module names them.
_FILES = re.compile(
    r"(?:.*/)?(?:ndk_http|ngx_(?:mail|nchan|otel|pagespeed|rtmp|stream)"
    r"|ngx_http_(?:acme|app_protect|auth_ldap|auth_pam|brotli_filter|brotli_static|cache_purge|dav_ext|echo|encrypted_session"
    r"|fancyindex|geoip2?|headers_more_filter|image_filter|js|lua|lua_upstream|modsecurity|naxsi|opentracing|passenger|perl"
    r"|push_stream|set_misc|subs_filter|upstream_fair|uploadprogress|vhost_traffic_status|vod|xslt_filter|zstd_filter"
    r"|zstd_static)"
    r"|ngx_stream_(?:geoip2?|js|lua)"
    r")_module\.so"
)


def changing(name: str) -> bool:
    """Whether a directive is of NGINX Plus, or differs between the versions."""
    return name in PLUS or name.startswith(_PLUS_PREFIXES)


def theirs(name: str) -> bool:
    """Whether a directive is of a module that is not nginx's own."""
    return name in _NAMES or name.startswith(_PREFIXES) or bool(_LUA.fullmatch(name))


def file_known(file: str) -> bool:
    """Whether the directives of a module's file are known."""
    return bool(_FILES.fullmatch(file))
