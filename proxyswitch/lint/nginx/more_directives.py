"""Directives that crossplane's tables do not have, or know too narrowly: nginx's own up to 1.31, and what Tengine allows.

From nginx's index of directives (https://nginx.org/en/docs/dirindex.html), its CHANGES, and the `ngx_command_t` of its
modules; for Tengine, which is built on nginx, from its documentation (https://tengine.taobao.org/documentation.html).
Where a directive of crossplane's has a row here as well, it may stand as either says.
"""

from __future__ import annotations

from crossplane import analyzer as a

FLAG, BLOCK, NONE, MORE = a.NGX_CONF_FLAG, a.NGX_CONF_BLOCK, a.NGX_CONF_NOARGS, a.NGX_CONF_1MORE
ONE, TWO, THREE, FOUR = a.NGX_CONF_TAKE1, a.NGX_CONF_TAKE2, a.NGX_CONF_TAKE3, a.NGX_CONF_TAKE4
MAIN, HTTP, SERVER, LOCATION = a.NGX_MAIN_CONF, a.NGX_HTTP_MAIN_CONF, a.NGX_HTTP_SRV_CONF, a.NGX_HTTP_LOC_CONF
UPSTREAM, STREAM_UPSTREAM = a.NGX_HTTP_UPS_CONF, a.NGX_STREAM_UPS_CONF
STREAM_SERVER, MAIL_SERVER = a.NGX_STREAM_SRV_CONF, a.NGX_MAIL_SRV_CONF
STREAM, MAIL = a.NGX_STREAM_MAIN_CONF | STREAM_SERVER, a.NGX_MAIL_MAIN_CONF | MAIL_SERVER  # with the servers in them
IFS = a.NGX_HTTP_SIF_CONF | a.NGX_HTTP_LIF_CONF
EVERYWHERE = a.NGX_ANY_CONF | IFS | a.NGX_HTTP_LMT_CONF
IN_SERVER, IN_LOCATION = HTTP | SERVER, HTTP | SERVER | LOCATION  # there and in what is around

_ROWS: tuple[tuple[int, str], ...] = (
    # old ones that the documentation does not name
    (a.NGX_EVENT_CONF | ONE, "devpoll_changes devpoll_events epoll_events eventport_events kqueue_changes kqueue_events"),
    (IN_LOCATION | ONE, "gzip_hash gzip_window postpone_gzipping uwsgi_string"),
    (IN_LOCATION | FLAG, "gzip_no_buffer open_file_cache_events ssi_ignore_recycled_buffers"),
    (IN_LOCATION | a.NGX_HTTP_LIF_CONF | ONE, "post_action"),
    (IN_SERVER | ONE, "http2_pool_size http2_streams_index_size"),
    (STREAM | ONE, "proxy_downstream_buffer proxy_upstream_buffer"),
    # new ones
    (MAIN | FLAG, "quic_bpf ssl_object_cache_inheritable"),
    (IN_SERVER | FLAG, "http2 http3 http3_hq quic_gso quic_retry"),
    (IN_SERVER | ONE, "http3_max_concurrent_streams http3_stream_buffer_size quic_active_connection_id_limit"),
    (IN_SERVER | ONE, "max_headers quic_host_key"),
    (IN_LOCATION | ONE, "auth_delay keepalive_min_timeout keepalive_time"),
    (UPSTREAM | ONE, "keepalive_time"),
    (UPSTREAM | ONE | TWO, "keepalive"),
    (IN_LOCATION | a.NGX_HTTP_LIF_CONF | ONE, "add_header_inherit add_trailer_inherit"),
    (IN_LOCATION | MORE, "early_hints"),
    (IN_LOCATION | FLAG, "mp4_start_key_frame proxy_pass_trailers"),
    (IN_LOCATION | ONE | TWO | THREE | FOUR, "proxy_cookie_flags"),
    (IN_LOCATION | ONE | TWO | THREE, "userid_flags"),
    (IN_LOCATION | TWO, "grpc_ssl_conf_command proxy_ssl_conf_command uwsgi_ssl_conf_command"),
    (IN_LOCATION | ONE | TWO | THREE, "grpc_ssl_certificate_cache proxy_ssl_certificate_cache uwsgi_ssl_certificate_cache"),
    (IN_LOCATION | ONE, "grpc_ssl_key_log proxy_ssl_key_log uwsgi_ssl_key_log"),
    (IN_LOCATION | ONE, "fastcgi_socket_rcvbuf fastcgi_socket_sndbuf grpc_socket_rcvbuf grpc_socket_sndbuf"),
    (IN_LOCATION | ONE, "proxy_socket_rcvbuf proxy_socket_sndbuf scgi_socket_rcvbuf scgi_socket_sndbuf"),
    (IN_LOCATION | ONE, "uwsgi_socket_rcvbuf uwsgi_socket_sndbuf"),
    (STREAM | TWO, "proxy_ssl_conf_command"),
    (STREAM | ONE | TWO | THREE, "proxy_ssl_certificate_cache"),
    (STREAM | ONE, "proxy_socket_rcvbuf proxy_socket_sndbuf proxy_ssl_key_log"),
    (STREAM | FLAG, "proxy_half_close"),
    (STREAM | MORE, "proxy_ssl_alpn ssl_alpn"),
    (STREAM_SERVER | ONE, "pass"),
    (STREAM_SERVER | TWO, "set"),
    (STREAM_SERVER | MORE, "server_name"),
    (a.NGX_STREAM_MAIN_CONF | ONE, "server_names_hash_bucket_size server_names_hash_max_size"),
    (IN_SERVER | STREAM | MAIL | TWO, "ssl_conf_command"),
    (IN_SERVER | STREAM | MAIL | FLAG, "ssl_certificate_compression"),
    (IN_SERVER | STREAM | ONE | TWO | THREE, "ssl_certificate_cache"),
    (IN_SERVER | STREAM | FLAG, "ssl_reject_handshake ssl_stapling ssl_stapling_verify"),
    (IN_SERVER | STREAM | ONE, "ssl_ech_file ssl_key_log ssl_ocsp ssl_ocsp_cache ssl_ocsp_responder"),
    (IN_SERVER | STREAM | ONE, "ssl_stapling_file ssl_stapling_responder"),
    (MAIL | FLAG, "proxy proxy_smtp_auth"),
    (MAIL | ONE, "max_errors set_real_ip_from"),
    (STREAM | MAIL | ONE, "proxy_protocol"),  # version 2 since 1.31.4
    (UPSTREAM | STREAM_UPSTREAM | MORE, "resolver"),
    (UPSTREAM | STREAM_UPSTREAM | ONE, "resolver_timeout"),
    (SERVER | LOCATION | BLOCK | MORE, "location"),  # predicates since 1.31.5
    (EVERYWHERE | ONE, "include"),
    # Tengine's: `limit_req_zone` with several variables, `error_page default`, `slice` without a size
    (HTTP | a.NGX_CONF_2MORE, "limit_req_zone"),
    (IN_LOCATION | FOUR | a.NGX_CONF_TAKE5, "limit_req"),
    (IN_LOCATION | a.NGX_HTTP_LIF_CONF | ONE, "error_page"),
    (LOCATION | NONE, "slice"),
)
MASKS: dict[str, list[int]] = {}
for _mask, _names in _ROWS:
    for _name in _names.split():
        MASKS.setdefault(_name, []).append(_mask)
